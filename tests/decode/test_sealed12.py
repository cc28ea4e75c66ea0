"""TLS 1.2 that stays closed, or breaks off: why, and what shows nevertheless."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from loopback import laboratory
from watching12 import (
    DHE,
    ECDHE,
    MUTUAL_CLIENT,
    MUTUAL_SERVER,
    RSA,
    Talk,
    checks,
    decode,
    detail,
    events_of,
    messages,
    names,
    raw_of,
    rsa_key,
    sealed,
    talk12,
)

from pellucid.codes import CipherSuite
from pellucid.decode import Decoder, KeyMaterial
from pellucid.identity import TrustStore
from pellucid.keys import key_log_line
from pellucid.trace import Trace
from pellucid.trace.ending import summary_rows
from pellucid.trace.events import ChoiceEvent, MessageEvent, RecordEvent
from pellucid.trace.narration import narrate
from pellucid.trace.summary import summarise

BOTH = ["client", "server"]
ANOTHER_RANDOM = "CLIENT_RANDOM " + "ab" * 32 + " " + "cd" * 48


@pytest.fixture(scope="module")
def rsa() -> Talk:
    return talk12(RSA)


@pytest.fixture(scope="module")
def dhe() -> Talk:
    return talk12(DHE)


@pytest.fixture(scope="module")
def resumed() -> Talk:
    return talk12(ECDHE, times=2)


def altered(talk: Talk, name: str, old: bytes, new: bytes) -> bytes:
    """The capture without keys and with other bytes, of the same length, in the message called ``name``."""
    [raw] = {e.raw for e in talk.traces[0].events if isinstance(e, MessageEvent) and e.name == name}
    assert raw.count(old) == 1
    assert len(old) == len(new)
    return talk.capture(with_keys=False).replace(raw, raw.replace(old, new))


# -- no secrets


def test_without_secrets_all_is_told_up_to_the_change_of_keys(dhe: Talk) -> None:
    [decoded] = decode(dhe.capture(with_keys=False))
    assert sealed(decoded) == [(side, "no_secrets") for side in BOTH]
    assert names(decoded) == [
        *("ClientHello", "ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone"),
        *("ClientKeyExchange", "ChangeCipherSpec", "NewSessionTicket", "ChangeCipherSpec"),
    ]
    assert {check.what for check in checks(events_of(decoded))} >= {
        "server_key_exchange",
        "certificate_chain",
    }
    assert all(check.ok for check in checks(events_of(decoded)))


def test_without_secrets_it_is_seen_that_the_handshake_succeeded(dhe: Talk) -> None:
    [decoded] = decode(dhe.capture(with_keys=False))
    outcome = decoded.outcome
    assert outcome is not None
    assert outcome.status == "connected"
    assert (outcome.protocol, outcome.cipher_suite, outcome.group) == ("TLSv1.2", DHE, "ffdhe2048")


def test_it_says_which_random_it_has_looked_for_among_how_many(dhe: Talk) -> None:
    [decoded] = decode(dhe.capture(with_keys=False), key_log=ANOTHER_RANDOM)
    random = dhe.key_log[0].split()[1]
    assert detail(decoded) == (
        f"The key logs have secrets for 1 connection, none of them for the client random {random}."
    )


def test_it_says_so_where_no_secrets_were_given_at_all(dhe: Talk) -> None:
    [decoded] = decode(dhe.capture(with_keys=False))
    assert detail(decoded) == "No secrets were given, by a key log or in the capture."


def test_it_says_where_a_private_key_would_do(rsa: Talk) -> None:
    [decoded] = decode(rsa.capture(with_keys=False))
    assert sealed(decoded) == [(side, "no_secrets") for side in BOTH]
    assert detail(decoded).endswith("The server's private key would open it, too: --key FILE.")


# -- secrets that do not fit


def test_a_private_key_that_is_not_the_certificates_is_told_from_none(rsa: Talk) -> None:
    other = laboratory().issue("rsa", ("other.example",)).private_key
    [decoded] = decode(rsa.capture(with_keys=False), private_key=other)
    assert sealed(decoded) == [(side, "key_does_not_fit") for side in BOTH]
    assert detail(decoded).startswith(
        "The private key that was given does not belong to the server's certificate"
    )


def test_of_several_private_keys_the_one_that_fits_is_taken(rsa: Talk) -> None:
    keys = KeyMaterial()
    keys.add_private_key(laboratory().issue("rsa", ("other.example",)).private_key)
    keys.add_private_key(rsa_key())
    [decoded] = Decoder(BytesIO(rsa.capture(with_keys=False)), keys=keys).connections()
    assert sealed(decoded) == []


def test_a_private_key_does_not_open_an_exchange_with_forward_secrecy(dhe: Talk) -> None:
    [decoded] = decode(dhe.capture(with_keys=False), private_key=rsa_key())
    assert sealed(decoded) == [(side, "forward_secrecy") for side in BOTH]
    assert "the key exchange was DHE" in detail(decoded)


@pytest.mark.parametrize("suite", [RSA, DHE, ECDHE, "TLS_RSA_WITH_AES_128_CBC_SHA"])
def test_wrong_secrets_open_nothing(suite: str) -> None:
    talk = talk12(suite)
    random = bytes.fromhex(talk.key_log[0].split()[1])
    wrong = key_log_line("CLIENT_RANDOM", random, bytes(48))
    [decoded] = decode(talk.capture(with_keys=False), key_log=wrong)
    assert sealed(decoded) == [(side, "wrong_secrets") for side in BOTH]
    assert "Finished" not in names(decoded)


def test_a_premaster_secret_that_was_not_meant_for_the_key_opens_nothing(rsa: Talk) -> None:
    [exchange] = {
        e.raw for e in rsa.traces[0].events if isinstance(e, MessageEvent) and e.name == "ClientKeyExchange"
    }
    capture = altered(rsa, "ClientKeyExchange", exchange[-8:], bytes(8))
    [decoded] = decode(capture, private_key=rsa_key())
    assert sealed(decoded) == [(side, "wrong_secrets") for side in BOTH]


# -- what is not known


@pytest.mark.parametrize(
    "suite",
    [CipherSuite.TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA, CipherSuite.TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA],
)
def test_a_suite_that_cannot_be_opened_is_told_as_far_as_it_is_in_the_clear(dhe: Talk, suite: int) -> None:
    capture = altered(dhe, "ServerHello", _suite(DHE), suite.to_bytes(2, "big"))
    [decoded] = decode(capture, key_log="\n".join(dhe.key_log))
    assert sealed(decoded) == [(side, "unknown_cipher_suite") for side in BOTH]
    assert detail(decoded) == f"The server chose {CipherSuite(suite).name}."
    assert names(decoded)[-2:] == ["NewSessionTicket", "ChangeCipherSpec"]


@pytest.mark.parametrize("suite", [CipherSuite.TLS_PSK_WITH_AES_128_CBC_SHA, 0xFEFE])
def test_of_a_key_exchange_that_is_not_known_there_is_what_is_in_the_clear(dhe: Talk, suite: int) -> None:
    capture = altered(dhe, "ServerHello", _suite(DHE), suite.to_bytes(2, "big"))
    [decoded] = decode(capture)
    assert sealed(decoded) == [(side, "unknown_cipher_suite") for side in BOTH]
    assert names(decoded) == names_in_clear(dhe)
    assert "certificate_chain" in {check.what for check in checks(events_of(decoded))}
    assert decoded.outcome is not None
    assert (decoded.outcome.status, decoded.outcome.resumed) == ("connected", False)


def names_in_clear(talk: Talk) -> list[str]:
    found = (event for event in talk.traces[0].events if isinstance(event, MessageEvent))
    return [event.name for event in found if event.direction == "sent" and not event.encrypted]


def _suite(name: str) -> bytes:
    """As it stands in a ServerHello: before the null compression method."""
    return CipherSuite[name].to_bytes(2, "big")


@pytest.mark.parametrize("version, label", [(b"\3\0", "SSLv3"), (b"\3\1", "TLSv1"), (b"\3\2", "TLSv1.1")])
def test_of_older_versions_there_is_what_is_in_the_clear(dhe: Talk, version: bytes, label: str) -> None:
    raw = raw_of(dhe, "ServerHello")
    [decoded] = decode(dhe.capture().replace(raw, raw[:4] + version + raw[6:]))
    assert sealed(decoded) == [(side, "unsupported_version") for side in BOTH]
    assert detail(decoded) == f"The server chose {label}."
    assert names(decoded) == names_in_clear(dhe)
    assert decoded.outcome is not None
    assert (decoded.outcome.status, decoded.outcome.protocol) == ("connected", label)
    rows = {row.label: row.value for row in summary_rows(summarise(events_of(decoded)))}
    assert rows["key exchange"] == "DHE"
    told = {step.id: step for step in narrate(events_of(decoded))}
    assert "everybody on the way can read it" in told["message:Certificate:tls12:server"].purpose.lower()


def test_what_looks_otherwise_in_older_versions_is_not_read_as_of_tls_12() -> None:
    talk = talk12(ECDHE, client=MUTUAL_CLIENT, server=MUTUAL_SERVER)
    raw = raw_of(talk, "ServerHello")
    [decoded] = decode(talk.capture().replace(raw, raw[:4] + b"\3\1" + raw[6:]))
    changed = {"ServerKeyExchange", "CertificateRequest", "ClientKeyExchange", "CertificateVerify"}
    found = [e for e in events_of(decoded) if isinstance(e, MessageEvent) and e.name in changed]
    assert {event.name for event in found} == changed
    assert {tuple(field.name for field in event.fields[2:]) for event in found} == {("body",)}


# -- what fails, and how it ends


def test_a_wrong_signature_is_told_and_the_rest_is_followed(dhe: Talk) -> None:
    [raw] = {
        e.raw for e in dhe.traces[0].events if isinstance(e, MessageEvent) and e.name == "ServerKeyExchange"
    }
    capture = dhe.capture().replace(raw, raw[:-1] + bytes([raw[-1] ^ 1]))
    [decoded] = decode(capture)
    wrong = [check.what for check in checks(events_of(decoded)) if not check.ok]
    assert wrong[0] == "server_key_exchange"
    # Another ServerKeyExchange than the two have seen: their Finished are of another handshake.
    assert wrong[1:] == ["finished", "finished"]
    assert sealed(decoded) == []


def test_an_untrusted_path_is_told_and_the_connection_is_nevertheless(dhe: Talk) -> None:
    [decoded] = decode(dhe.capture(), trust=TrustStore.empty())
    assert [check.what for check in checks(events_of(decoded)) if not check.ok] == ["certificate_chain"]
    assert decoded.outcome is not None
    assert decoded.outcome.status == "connected"


FAILURES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    # name: suite, what is wrong, id of the failure, who sends the alert
    "nothing in common": (ECDHE, {"server": {"cipher_suites": [RSA]}}, "handshake_failure", "server"),
    "unknown root": (
        ECDHE,
        {"client": {"trust": TrustStore.empty()}},
        "server_certificate_refused",
        "client",
    ),
    "no certificate": (ECDHE, {"server": MUTUAL_SERVER}, "client_certificate_missing", "server"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_an_alert_in_the_clear_is_the_outcome(case: str) -> None:
    suite, options, identifier, sender = FAILURES[case]
    talk = talk12(suite, **options)
    assert talk.errors
    [decoded] = decode(talk.capture())
    outcome = decoded.outcome
    assert outcome is not None
    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert outcome.failure.id == identifier
    assert outcome.side != sender
    assert f"the {sender} ended the connection" in outcome.failure.observed.lower()
    # Whoever finds the fault stops reading there; an onlooker reads on.
    sent = [one for one in messages(talk.traces[0].events) if one[1] == "sent"]
    assert [one for one in messages(events_of(decoded)) if one[1] == "sent"] == sent


def test_compressed_records_are_not_followed(dhe: Talk) -> None:
    raw = raw_of(dhe, "ServerHello")
    place = raw.index(_suite(DHE)) + 2
    changed = raw[:place] + b"\1" + raw[place + 1 :]
    [decoded] = decode(dhe.capture().replace(raw, changed))
    assert sealed(decoded) == [(side, "not_followed") for side in BOTH]
    assert "compression_method" in {check.what for check in checks(events_of(decoded)) if not check.ok}


# -- messages that our own connections do not send


def test_a_certificate_status_is_told_where_it_belongs(dhe: Talk) -> None:
    certificate = raw_of(dhe, "Certificate")
    status = bytes([22, 0, 0, 7, 1, 0, 0, 3]) + b"abc"
    [trace] = dhe.traces
    flight = next(e.raw for e in trace.events if isinstance(e, RecordEvent) and certificate in e.raw)
    content = flight[5:].replace(certificate, certificate + status)
    longer = flight[:3] + len(content).to_bytes(2, "big") + content
    other = Trace(clock=float, started_at=trace.started_at)
    other.events += [
        replace(event, raw=longer) if event.raw == flight else event
        for event in trace.events
        if isinstance(event, RecordEvent)
    ]
    [decoded] = decode(Talk([other]).capture())
    place = names(decoded).index("CertificateStatus")
    assert names(decoded)[place - 1 : place + 2] == ["Certificate", "CertificateStatus", "ServerKeyExchange"]
    assert {reason for _, reason in sealed(decoded)} == {"no_secrets"}


def test_a_client_that_shows_nothing_when_asked_is_told_as_such() -> None:
    server = MUTUAL_SERVER | {"client_authentication": "optional"}
    [decoded] = decode(talk12(ECDHE, server=server).capture())
    chosen = [e for e in events_of(decoded) if isinstance(e, ChoiceEvent) and e.what == "client_certificate"]
    assert [(event.side, event.chosen) for event in chosen] == [("client", "")]
    assert decoded.outcome is not None
    assert not decoded.outcome.mutual
