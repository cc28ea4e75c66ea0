"""TLS 1.3, everything with everything: suites, groups, certificates, mutual, resumed, retried or not.

Each value of a dimension meets each value of every other one; what is left of the full product is not run.
"""

from __future__ import annotations

from itertools import cycle, product
from typing import Any, NamedTuple

import pytest
from loopback import NAME, client_config, connect_pair, credential, pump, server_config
from matrices import comparable, converse
from pages import assert_every_byte_has_an_owner

from pellucid import ClientConfig, ServerConfig
from pellucid.codes import CipherSuite, NamedGroup
from pellucid.crypto.suites import SUITES
from pellucid.events import DataReceived, HandshakeCompleted, PeerClosed, SessionReceived
from pellucid.identity.lab_keys import KINDS
from pellucid.policy import SUPPORTED_GROUPS, SUPPORTED_SIGNATURE_SCHEMES
from pellucid.result import Negotiated
from pellucid.trace import Trace

FLAGS = (False, True)
MODES = [*product(FLAGS, FLAGS, FLAGS)]
BYTE = 1
SUITES_13 = tuple(suite.code for suite in SUITES.values())


class Case(NamedTuple):
    suite: CipherSuite
    group: NamedGroup
    kind: str
    mutual: bool
    resumed: bool
    retried: bool

    def __str__(self) -> str:
        flags = (name for name in ("mutual", "resumed", "retried") if getattr(self, name))
        return "-".join((str(self.suite)[4:], str(self.group), self.kind, *flags))


def cases() -> list[Case]:
    """Every pair of values of two dimensions, and every one with every combination of the flags."""
    suites, groups, kinds = cycle(SUITES_13), cycle(SUPPORTED_GROUPS), cycle(KINDS)
    modes = cycle(MODES)
    found = [
        Case(suite, group, next(kinds), *next(modes)) for suite, group in product(SUITES_13, SUPPORTED_GROUPS)
    ]
    found += [
        Case(next(suites), group, kind, *next(modes)) for group, kind in product(SUPPORTED_GROUPS, KINDS)
    ]
    found += [Case(suite, next(groups), kind, *next(modes)) for suite, kind in product(SUITES_13, KINDS)]
    found += [Case(suite, next(groups), next(kinds), *mode) for suite, mode in product(SUITES_13, MODES)]
    found += [
        Case(next(suites), group, next(kinds), *mode) for group, mode in product(SUPPORTED_GROUPS, MODES)
    ]
    found += [Case(next(suites), next(groups), kind, *mode) for kind, mode in product(KINDS, MODES)]
    return list(dict.fromkeys(found))


CASES = cases()


def test_every_value_meets_every_other() -> None:
    """The list above is what its docstring says."""
    dimensions: list[Any] = [SUITES_13, SUPPORTED_GROUPS, KINDS, FLAGS, FLAGS, FLAGS]
    for first, second in product(range(6), range(6)):
        if first != second:
            met = {(case[first], case[second]) for case in CASES}
            assert met == {*product(dimensions[first], dimensions[second])}, (first, second)


def configs(case: Case, trace: Trace) -> tuple[ClientConfig, ServerConfig]:
    other = NamedGroup.secp256r1 if case.group is not NamedGroup.secp256r1 else NamedGroup.x25519
    client: dict[str, Any] = {
        "cipher_suites": [case.suite],
        "groups": [case.group, other],
        # A client that shares another group, or none, has to be asked for the one that the server wants.
        "key_shares": [case.group] if not case.retried else [other] if case.mutual else [],
        "signature_schemes": SUPPORTED_SIGNATURE_SCHEMES,
        "trace": trace,
    }
    server: dict[str, Any] = {
        "cipher_suites": [case.suite],
        "groups": [case.group, other],
        "credentials": [credential(case.kind)],
        "signature_schemes": SUPPORTED_SIGNATURE_SCHEMES,
        "cookie": case.resumed,
        "trace": trace,
    }
    if case.mutual:
        client["credentials"] = [credential(case.kind, "client")]
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
    assert_every_byte_has_an_owner(trace)
    assert client.negotiated is not None
    assert server.negotiated is not None
    for side, negotiated in (("client", client.negotiated), ("server", server.negotiated)):
        agreed = (negotiated.cipher_suite, negotiated.group, negotiated.resumed, negotiated.server_name)
        assert agreed == (case.suite, case.group, case.resumed, NAME), side
        check_identities(case, side, negotiated)
    sessions = [SessionReceived]
    client_expected = [HandshakeCompleted, *sessions, DataReceived, PeerClosed]
    assert [type(event) for event in client_events] == client_expected
    assert [type(event) for event in server_events] == [HandshakeCompleted, DataReceived, PeerClosed]
    context = (b"EXPORTER-matrix", b"context", 32)
    assert client.export_keying_material(*context) == server.export_keying_material(*context)
    return comparable(client_events), comparable(server_events)


def check_identities(case: Case, side: str, negotiated: Negotiated) -> None:
    shown = credential(case.kind)
    if side == "client":
        assert negotiated.peer_chain == shown.chain
    else:
        assert negotiated.peer_chain == (credential(case.kind, "client").chain if case.mutual else ())
    if case.resumed:
        assert negotiated.signature_scheme is None
    else:
        assert negotiated.signature_scheme in shown.schemes
        assert (negotiated.peer_identity is not None) is (side == "client" or case.mutual)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_client_and_server_agree(case: Case) -> None:
    check(case)


#: Enough that every suite, group, certificate and mode is among them.
SOME = CASES[::5]


def test_every_value_arrives_byte_by_byte() -> None:
    for dimension in range(6):
        assert {case[dimension] for case in SOME} == {case[dimension] for case in CASES}
    assert {case[3:] for case in SOME} == {*MODES}


@pytest.mark.parametrize("case", SOME, ids=str)
def test_it_makes_no_difference_how_the_bytes_arrive(case: Case) -> None:
    """Whole, and byte by byte: the same events and the same result."""
    assert check(case) == check(case, BYTE)
