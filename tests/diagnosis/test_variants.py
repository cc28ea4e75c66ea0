"""What the evidence tells beyond the id, in words and numbers: each text is reached where it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

import pytest
from loopback import NAME, NOW, client_config, connect_pair, credential, server_config

from pellucid.codes import AlertDescription
from pellucid.connection import ClientConnection
from pellucid.diagnosis import Circumstances, Evidence, Fact, diagnosis_of
from pellucid.diagnosis.evidence import Choice, Spoken
from pellucid.diagnosis.rules import RULES
from pellucid.errors import AlertReceived, CertificateRejected, PeerMisbehaved, Reason, TLSError
from pellucid.trace.texts import Place, texts

YEAR = 366 * 86_400.0
VARIANTS = texts("variants.toml")


def hello(name: str = NAME, **knobs: object) -> Spoken:
    """A ClientHello of ours, without its record's header."""
    client = ClientConnection(client_config(**knobs), name)
    return Spoken("sent", "ClientHello", client.data_to_send()[5:])


def failed(client_knobs: dict[str, object], server_knobs: dict[str, object], name: str = NAME) -> TLSError:
    """The error of a client that met a server in memory."""
    client, _ = both_failed(client_knobs, server_knobs, name)
    return client


def both_failed(
    client_knobs: dict[str, object], server_knobs: dict[str, object], name: str = NAME
) -> tuple[TLSError, TLSError]:
    """The errors of both, one of which has sent the other its alert."""
    client, server = connect_pair(client_config(**client_knobs), server_config(**server_knobs), name)
    for _ in range(4):
        for sender, receiver in ((client, server), (server, client)):
            with suppress(TLSError):  # it is in ``failure``
                receiver.receive_data(sender.data_to_send())
    assert client.failure is not None
    assert server.failure is not None
    return client.failure, server.failure


def unheard(**more: object) -> Evidence:
    """A client that has sent its hello and heard nothing."""
    evidence = Evidence(messages=(hello(),), began=True)
    return replace(evidence, **more)


def asked(**more: object) -> Evidence:
    """A client that was asked for a certificate."""
    messages = (hello(), Spoken("received", "ServerHello"), Spoken("received", "CertificateRequest"))
    return replace(Evidence(messages=messages, began=True), **more)


def request(*authorities: bytes) -> Spoken:
    """A CertificateRequest of TLS 1.2 that names these."""
    names = b"".join(len(name).to_bytes(2, "big") + name for name in authorities)
    body = b"\x01\x40" + b"\x00\x02\x04\x03" + len(names).to_bytes(2, "big") + names
    return Spoken("received", "CertificateRequest", b"\x0d" + len(body).to_bytes(3, "big") + body)


OURS = bytes.fromhex("300d310b300906035504030c024d65")  # CN=Me
THEIRS = bytes.fromhex("300e310c300a06035504030c03596f75")  # CN=You
SHOWN = (Choice("client_certificate", ("CN=me",), (), "CN=me"),)


def refusal(description: str) -> AlertReceived:
    return AlertReceived(AlertDescription[description], "it ended")


def untrusted(description: str, named: bytes | None = None) -> tuple[TLSError, Evidence]:
    asked_for = request(*([named] if named else []))
    messages = (hello(), Spoken("received", "ServerHello"), asked_for, Spoken("sent", "Certificate"))
    evidence = Evidence(messages=messages, began=True, choices=SHOWN, issuers=frozenset({OURS}))
    return refusal(description), evidence


def with_evidence(error: TLSError) -> tuple[TLSError, Evidence]:
    assert error.evidence is not None
    return error, error.evidence


def at_port(reason: Reason, port: int = 5432) -> tuple[TLSError, Evidence]:
    return PeerMisbehaved(reason), unheard(place=Place("db.example", port))


def first_bytes(first: bytes) -> tuple[TLSError, Evidence]:
    return PeerMisbehaved(Reason.NOT_TLS), unheard(unread=first)


def wants_another_key() -> TLSError:
    """Of TLS 1.2, where the client is told in the handshake."""
    client = {"credentials": [credential("ed25519", purpose="client")], "protocols": ["TLSv1.2"]}
    server = {
        "client_authentication": "required",
        "trust": client_config().trust,
        "signature_schemes": ["ecdsa_secp256r1_sha256"],
    }
    return failed(client, server)


Made = tuple[TLSError, Evidence]
#: For each text, a failure that it is said of.
CASES: dict[str, Callable[[], Made]] = {
    "hostname_mismatch:name_not_sent": lambda: with_evidence(failed({}, {}, "192.0.2.1")),
    "missing_intermediate:client": lambda: judged_by_a_server(Reason.MISSING_INTERMEDIATE),
    "unknown_root:client": lambda: judged_by_a_server(Reason.UNKNOWN_ROOT),
    "self_signed:client": lambda: judged_by_a_server(Reason.SELF_SIGNED),
    "certificate_expired:client": lambda: judged_by_a_server(Reason.CERTIFICATE_EXPIRED),
    "certificate_expired:issuer": lambda: with_evidence(expired_issuer()),
    "certificate_expired:all": lambda: with_evidence(failed({"clock": lambda: NOW + 30 * YEAR}, {})),
    "certificate_not_yet_valid:all": lambda: with_evidence(failed({"clock": lambda: NOW - 30 * YEAR}, {})),
    "client_certificate_missing:client": lambda: with_evidence(demanded_in_vain()),
    "client_certificate_missing:none_given": lambda: (
        refusal("certificate_required"),
        asked(choices=(Choice("client_certificate", (), (), ""),)),
    ),
    "client_certificate_missing:none_fits": lambda: with_evidence(wants_another_key()),
    "client_certificate_untrusted:issuer_not_named": lambda: untrusted("bad_certificate", THEIRS),
    "client_certificate_untrusted:issuer_named": lambda: untrusted("bad_certificate", OURS),
    "client_certificate_untrusted:unknown_namesake": lambda: untrusted("unknown_ca", OURS),
    "client_certificate_untrusted:certificate_expired": lambda: untrusted("certificate_expired"),
    "client_certificate_untrusted:certificate_revoked": lambda: untrusted("certificate_revoked"),
    "client_certificate_untrusted:unsupported_certificate": lambda: untrusted("unsupported_certificate"),
    "client_certificate_untrusted:access_denied": lambda: untrusted("access_denied"),
    "alert_received:no_certificate": lambda: (
        refusal("decode_error"),
        asked(choices=(Choice("client_certificate", (), (), ""),)),
    ),
    "no_shared_version:said": lambda: (refusal("protocol_version"), unheard()),
    "unrecognized_name:none_sent": lambda: (
        refusal("unrecognized_name"),
        Evidence(messages=(hello("192.0.2.1"),), began=True),
    ),
    "handshake_failure:after_retry": lambda: (
        refusal("handshake_failure"),
        Evidence(messages=(hello(), Spoken("received", "HelloRetryRequest")), began=True),
    ),
    "not_tls:client": lambda: (PeerMisbehaved(Reason.NOT_TLS), Evidence(side="server", began=True)),
    "not_tls:another": lambda: first_bytes(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "not_tls:starttls": lambda: first_bytes(b"220 mail.example ESMTP\r\n"),
    "not_tls:http": lambda: first_bytes(b"HTTP/1.1 400 Bad Request\r\n"),
    "closed_after_client_hello:port": lambda: at_port(Reason.CLOSED_DURING_HANDSHAKE),
    "reset_after_client_hello:port": lambda: at_port(Reason.CONNECTION_FAILED),
    "reset_after_client_hello:near": lambda: reset_after(0.004, 0.020),
    "silent_after_client_hello:port": lambda: at_port(Reason.TIMEOUT),
    "silent_after_client_hello:small": lambda: (
        TLSError(Reason.TIMEOUT),
        Evidence(messages=(hello(groups=["x25519"]),), began=True),
    ),
    "closed_during_handshake:broke": lambda: (
        TLSError(Reason.CONNECTION_FAILED),
        unheard(messages=(hello(), Spoken("received", "ServerHello"))),
    ),
    "closed_during_handshake:unheard": lambda: (
        PeerMisbehaved(Reason.CLOSED_DURING_HANDSHAKE),
        Evidence(side="server", began=True),
    ),
    "stalled_mid_flight:full_packet": lambda: stalled_at(2 * 1440),
    "truncated:asked": lambda: (TLSError(Reason.CONNECTION_FAILED), asked(completed=True)),
    "connection_failed:refused": lambda: (TLSError(Reason.CONNECTION_FAILED), Evidence()),
    "connection_failed:unreachable": lambda: (TLSError(Reason.CONNECTION_FAILED), Evidence()),
}
CAUSES = {"connection_failed:refused": "ECONNREFUSED", "connection_failed:unreachable": "EHOSTUNREACH"}


def judged_by_a_server(reason: Reason) -> Made:
    return CertificateRejected(reason), Evidence(side="server", began=True)


def demanded_in_vain() -> TLSError:
    knobs = {"client_authentication": "required", "trust": client_config().trust}
    _, server = both_failed({}, knobs)
    return server


def expired_issuer() -> TLSError:
    from pellucid.identity.lab_defects import DefectiveLaboratory

    laboratory = DefectiveLaboratory(b"an authority that ended", NOW)
    issued = laboratory.issue("ecdsa", (NAME,))
    chain = laboratory.under_intermediate_valid(issued, (NOW - YEAR, NOW - 2 * 86_400))
    return failed({"trust": laboratory.trust}, {"credentials": [chain.credential]})


def reset_after(seconds: float, round_trip_seconds: float) -> Made:
    seen = Circumstances(seconds=seconds, round_trip_seconds=round_trip_seconds)
    return TLSError(Reason.CONNECTION_FAILED), unheard(circumstances=seen)


def stalled_at(received_bytes: int) -> Made:
    seen = Circumstances(received_bytes=received_bytes, segment_bytes=1440)
    messages = (hello(), Spoken("received", "ServerHello"))
    return TLSError(Reason.TIMEOUT), Evidence(messages=messages, began=True, circumstances=seen)


def test_each_text_has_a_case() -> None:
    assert set(CASES) == set(VARIANTS)


@pytest.mark.parametrize("key", CASES)
def test_it_is_said_where_it_holds(key: str) -> None:
    error, evidence = CASES[key]()
    found = diagnosis_of(error, evidence, cause=CAUSES.get(key, ""))
    assert found.id == key.partition(":")[0]
    for name, text in VARIANTS[key].items():
        told = found.possible if name == "also" else getattr(found, name)
        # What stands in a placeholder is for other tests; that something does, is for this one.
        pattern = re.sub(r"\\{(?!host|port)\w+\\}", ".+", re.escape(text))
        assert re.search(pattern, told) if text else told == ""


@pytest.mark.parametrize("key", VARIANTS)
def test_each_text_is_made_of_sentences(key: str) -> None:
    entry = VARIANTS[key]
    assert set(entry) <= {"inferred", "possible", "also", "fix", "confirm"}
    for name in ("inferred", "possible", "also", "fix"):
        assert re.fullmatch(r"([A-Z].*\.)?", entry.get(name, ""))
    assert [rule for rule in RULES if rule.id == key.partition(":")[0] and rule.variants]


@pytest.mark.parametrize("received_bytes", [0, 700, 1440 + 700, 2 * 1440 - 100])
def test_a_stall_in_the_middle_of_a_packet_says_nothing_of_packets(received_bytes: int) -> None:
    assert "full packet" not in diagnosis_of(*stalled_at(received_bytes)).possible


def test_the_packets_are_counted() -> None:
    assert "2 times the 1,440 bytes" in diagnosis_of(*stalled_at(2 * 1440 + 3)).possible


def test_a_reset_that_took_a_round_trip_may_be_the_peers() -> None:
    assert "nearer" not in diagnosis_of(*reset_after(0.021, 0.020)).possible
    assert "4.0 ms" in diagnosis_of(*reset_after(0.004, 0.020)).possible


def test_a_large_hello_may_be_what_is_lost() -> None:
    found = diagnosis_of(TLSError(Reason.TIMEOUT), unheard(circumstances=Circumstances(segment_bytes=1400)))
    assert "--group x25519" in found.fix
    assert "in 2 packets of 1,400 bytes at most" in dict(facts(found.evidence))["ClientHello"]


def facts(evidence: Iterable[Fact]) -> list[tuple[str, str]]:
    return [(fact.what, fact.found) for fact in evidence]


def test_dates_are_told_in_numbers_by_the_clock_here() -> None:
    found = diagnosis_of(*with_evidence(expired_issuer()))
    told = facts(found.evidence)
    assert ("expired", "certificate 1, 2 days ago") in told
    assert ("clock here", "2027-01-15 08:00:00 UTC") in told


def test_names_are_told_with_what_was_wanted_and_sent() -> None:
    error, evidence = with_evidence(failed({}, {}, "other.example"))
    told = dict(facts(diagnosis_of(error, evidence).evidence))
    assert told["wanted"] == told["server_name sent"] == "other.example"
    assert NAME in told["certificate is for"]


def test_a_server_tells_both_lists_and_what_is_on_both() -> None:
    _, server = both_failed({"groups": ["x25519"]}, {"groups": ["secp384r1"]})
    told = dict(facts(server.diagnosis.evidence))
    assert told == {
        "groups of the client": "x25519",
        "groups of the server": "secp384r1",
        "in common": "none",
    }


def test_an_alert_is_shown_with_its_bytes() -> None:
    client, _ = both_failed({"groups": ["x25519"]}, {"groups": ["secp384r1"]})
    told = facts(client.diagnosis.evidence)
    assert told[0] == ("alert received", "02 28: handshake_failure (40)")
    assert ("groups of the client", "x25519") in told


def test_the_issuer_of_ours_is_held_against_those_that_were_named() -> None:
    told = facts(diagnosis_of(*untrusted("unknown_ca", THEIRS)).evidence)
    assert ("authorities named", "CN=You") in told
    assert ("issued by", '"CN=Me", which is not among them') in told


def test_it_is_the_server_that_is_told_of_the_clients_files() -> None:
    """Of mutual TLS: the options are the server's, and nothing is asked of a server elsewhere."""
    for reason in (Reason.MISSING_INTERMEDIATE, Reason.UNKNOWN_ROOT, Reason.SELF_SIGNED):
        found = diagnosis_of(*judged_by_a_server(reason))
        assert "--client-ca" in found.fix
        assert "{host}" not in found.confirm


def test_an_authority_that_ended_is_sent_by_whom_it_concerns() -> None:
    error, evidence = with_evidence(expired_issuer())
    found = diagnosis_of(error, replace(evidence, side="server"))
    assert "the client's own is in date" in found.inferred
    assert "server" not in found.fix


def test_an_authority_that_ended_and_was_not_what_failed_is_not_accused() -> None:
    _, evidence = with_evidence(expired_issuer())
    elsewhere = CertificateRejected(Reason.CERTIFICATE_EXPIRED, certificate=b"the root in our store")
    assert "Certificate 1 of the chain" not in diagnosis_of(elsewhere, evidence).inferred


def test_a_small_hello_is_not_acquitted_for_its_size() -> None:
    """A path may have smaller packets than the first link, and some servers read only so much."""
    found = diagnosis_of(*CASES["silent_after_client_hello:small"]())
    assert "is not why" not in found.possible
    assert "--group x25519" in found.fix


def test_commands_do_not_name_the_port_that_a_client_came_from() -> None:
    came_from = Circumstances(address=("192.0.2.7", 54_321))
    client, server = connect_pair(client_config(groups=["x25519"]), server_config(groups=["x448"]), NAME)
    server.circumstances = lambda: came_from
    with pytest.raises(TLSError) as caught:
        server.receive_data(client.data_to_send())
    assert "HOST:PORT" in caught.value.diagnosis.confirm
