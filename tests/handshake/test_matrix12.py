"""TLS 1.2, everything with everything: suites, groups, certificates of both sides, how a session is resumed,
extended_master_secret, encrypt_then_mac.

Each value of a dimension meets each value of every other one that it can meet: a suite names its key exchange
and the kind of its server's key, so a curve is for ECDHE alone, and an RSA certificate for RSA suites.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import Any, NamedTuple

import pytest
from loopback import NAME, client_config, connect_pair, credential, pump, server_config
from matrices import comparable, converse
from pages import assert_every_byte_has_an_owner

from pellucid import ClientConfig, Misuse, Reason, ServerConfig, Trace
from pellucid.codes import CipherSuite, ExtensionType, NamedGroup
from pellucid.connection import Connection
from pellucid.crypto.suites12 import SUITES12
from pellucid.events import DataReceived, HandshakeCompleted, PeerClosed, SessionReceived
from pellucid.messages import ServerHello
from pellucid.policy import CURVES_12, FINITE_FIELDS, SUPPORTED_GROUPS, SUPPORTED_SIGNATURE_SCHEMES
from pellucid.result import Negotiated
from pellucid.trace.events import MessageEvent

FLAGS = (False, True)
BYTE = 1
E = ExtensionType

SUITES = tuple(suite.code for suite in SUITES12.values())
#: None: RSA key exchange needs no group.
GROUPS = (*(group for group in SUPPORTED_GROUPS if group in CURVES_12 | FINITE_FIELDS), None)
ECDSA_KINDS = ("ecdsa", "ecdsa_p384", "ecdsa_p521", "ed25519", "ed448")
KINDS = ("rsa", *ECDSA_KINDS)
#: The client's certificate, which no suite says anything about; "" for none.
CLIENTS = ("", *KINDS)
RESUMED = ("", "ticket", "session ID")

#: RFC 8422 5.1: a client has to offer the curve of the certificate's key, too.
CURVE_OF = {
    "ecdsa": NamedGroup.secp256r1, "ecdsa_p384": NamedGroup.secp384r1, "ecdsa_p521": NamedGroup.secp521r1,
}  # fmt: skip


class Case(NamedTuple):
    suite: CipherSuite
    group: NamedGroup | None
    kind: str
    client: str
    resumed: str
    extended: bool
    encrypt_then_mac: bool

    def __str__(self) -> str:
        flags = [name for name in ("extended", "encrypt_then_mac") if getattr(self, name)]
        return "-".join((str(self.suite)[4:], str(self.group), *filter(None, self[2:5]), *flags))


DIMENSIONS: tuple[tuple[Any, ...], ...] = (SUITES, GROUPS, KINDS, CLIENTS, RESUMED, FLAGS, FLAGS)
GROUPS_OF = {"ECDHE": CURVES_12, "DHE": FINITE_FIELDS, "RSA": {None}}
KINDS_OF = {"ECDSA": ECDSA_KINDS, "RSA": ("rsa",)}


def fits(case: tuple[Any, ...]) -> bool:
    """Whether suite, group and certificate go together."""
    suite = SUITES12[case[0]]
    return case[1] in GROUPS_OF[suite.key_exchange] and case[2] in KINDS_OF[suite.authentication]


def lasts(resumed: str, extended: bool) -> bool:
    """RFC 7627 5.3: nothing is resumed that does not have an extended master secret."""
    return extended or not resumed


FIRST = [case for case in product(SUITES, GROUPS, KINDS) if fits(case)]
LAST = [case for case in product(CLIENTS, RESUMED, FLAGS, FLAGS) if lasts(*case[1:3])]
MEETING = {pair for case in FIRST for pair in combinations(enumerate(case), 2)}
MEETING |= {pair for case in LAST for pair in combinations(enumerate(case, 3), 2)}


def can_meet(one: tuple[int, Any], other: tuple[int, Any]) -> bool:
    return one[0] < 3 <= other[0] or (one, other) in MEETING


def pairs() -> list[tuple[tuple[int, Any], tuple[int, Any]]]:
    """Every two values of two dimensions that can meet, as (dimension, value) each."""
    return [
        ((i, a), (j, b))
        for i, j in combinations(range(len(DIMENSIONS)), 2)
        for a, b in product(DIMENSIONS[i], DIMENSIONS[j])
        if can_meet((i, a), (j, b))
    ]


def cases() -> list[Case]:
    """One case after the other that has a pair which none had before; the rest of it goes round."""
    found: list[Case] = []
    met: set[Any] = set()
    for pair in pairs():
        if pair in met:
            continue
        turn = len(found)
        choices = [
            [dict(pair)[i]]
            if i in dict(pair)
            else [*values[turn % len(values) :], *values[: turn % len(values)]]
            for i, values in enumerate(DIMENSIONS)
        ]
        head = next(head for head in product(*choices[:3]) if fits(head))
        tail = next(tail for tail in product(*choices[3:]) if lasts(*tail[1:3]))
        case = Case(*head, *tail)
        found.append(case)
        met |= {*combinations(enumerate(case), 2)}
    return found


CASES = cases()


def test_every_value_meets_every_other_that_it_can_meet() -> None:
    met = {pair for case in CASES for pair in combinations(enumerate(case), 2)}
    assert met == {*pairs()}
    assert all(fits(case) and lasts(case.resumed, case.extended) for case in CASES)


def configs(case: Case, trace: Trace) -> tuple[ClientConfig, ServerConfig]:
    both: dict[str, Any] = {
        "cipher_suites": [case.suite],
        "extended_master_secret": "required" if case.extended else "never",
        "encrypt_then_mac": case.encrypt_then_mac,
        "signature_schemes": SUPPORTED_SIGNATURE_SCHEMES,
        "trace": trace,
    }
    groups = [group for group in (CURVE_OF.get(case.kind), case.group) if group is not None]
    client = both | {"groups": dict.fromkeys(groups)}
    server = both | {"groups": [case.group] if case.group else [], "credentials": [credential(case.kind)]}
    server["tickets"] = case.resumed != "session ID"
    if case.client:
        client["credentials"] = [credential(case.client, "client")]
        server["client_authentication"] = "required"
    return client_config(**client), server_config(**server)


def check(case: Case, piece: int | None = None) -> tuple[list[Any], list[Any]]:
    """Run a case, twice where it is resumed; both sides agree on what was asked for."""
    trace = Trace()
    knobs = configs(case, trace)
    if case.resumed:
        pump(*connect_pair(*knobs))
        trace.events.clear()
    client, server = connect_pair(*knobs)
    client_events, server_events = converse(client, server, piece)
    assert client.negotiated is not None
    assert server.negotiated is not None
    for side, negotiated in (("client", client.negotiated), ("server", server.negotiated)):
        agreed = (
            negotiated.protocol.label,
            negotiated.cipher_suite,
            negotiated.resumed,
            negotiated.server_name,
        )
        assert agreed == ("TLSv1.2", case.suite, bool(case.resumed), NAME), side
        assert negotiated.group is (None if case.resumed else case.group)
        check_identities(case, side, negotiated)
    # What is resumed is as good as before: no new session comes.
    sessions = [SessionReceived] if case.extended and not case.resumed else []
    client_expected = [HandshakeCompleted, *sessions, DataReceived, PeerClosed]
    assert [type(event) for event in client_events] == client_expected
    assert [type(event) for event in server_events] == [HandshakeCompleted, DataReceived, PeerClosed]
    check_server_hello(case, trace)
    assert_every_byte_has_an_owner(trace)
    check_exporter(case, client, server)
    return comparable(client_events), comparable(server_events)


def check_identities(case: Case, side: str, negotiated: Negotiated) -> None:
    shown = credential(case.kind)
    if side == "client":
        assert negotiated.peer_chain == shown.chain
    else:
        assert negotiated.peer_chain == (credential(case.client, "client").chain if case.client else ())
        assert (negotiated.peer_identity is not None) is bool(case.client)
    assert negotiated.mutual is bool(case.client)
    if case.resumed or case.group is None:
        assert negotiated.signature_scheme is None
    else:
        assert negotiated.signature_scheme in shown.schemes12


def check_server_hello(case: Case, trace: Trace) -> None:
    """The extensions stand there where they change something, and only there."""
    messages = (event for event in trace.events if isinstance(event, MessageEvent))
    found = ServerHello.decode(
        next(event.raw for event in messages if event.name == "ServerHello")
    ).extensions
    assert (E.extended_master_secret in found) is case.extended
    assert (E.encrypt_then_mac in found) is (case.encrypt_then_mac and not SUITES12[case.suite].aead)
    assert (E.session_ticket in found) is (case.extended and not case.resumed)
    assert (E.server_name in found) is (not case.resumed)
    assert E.renegotiation_info in found


def check_exporter(case: Case, client: Connection, server: Connection) -> None:
    asked = (b"EXPORTER-matrix", b"context", 32)
    if case.extended:
        assert client.export_keying_material(*asked) == server.export_keying_material(*asked)
        return
    for connection in (client, server):
        with pytest.raises(Misuse) as caught:
            connection.export_keying_material(*asked)
        assert caught.value.reason is Reason.NOT_EXPORTABLE


@pytest.mark.parametrize("case", CASES, ids=str)
def test_client_and_server_agree(case: Case) -> None:
    check(case)


def some(cases: list[Case]) -> list[Case]:
    """Those that bring a suite together with a mode, or any other value, for the first time."""
    found: list[Case] = []
    seen: set[Any] = set()
    for case in cases:
        values = {*enumerate(case), *((case.suite, mode) for mode in (case.extended, case.encrypt_then_mac))}
        if not values <= seen:
            found.append(case)
            seen |= values
    return found


SOME = some(CASES)


def test_every_value_arrives_byte_by_byte() -> None:
    assert len(SOME) < len(CASES) / 2
    for dimension in range(len(DIMENSIONS)):
        assert {case[dimension] for case in SOME} == {*DIMENSIONS[dimension]}


@pytest.mark.parametrize("case", SOME, ids=str)
def test_it_makes_no_difference_how_the_bytes_arrive(case: Case) -> None:
    """Whole, and byte by byte: the same events and the same result."""
    assert check(case) == check(case, BYTE)
