"""What other stacks said to one another and stays closed: why, and what can be told all the same."""

from __future__ import annotations

from io import BytesIO

from captures import pcap

from compared import FAILURES, SIDES, Captures, each, each_followed_kind, messages, told
from other_stacks import Recording
from ours import Pki
from pellucid.decode import Decoded, Decoder, KeyMaterial
from pellucid.identity import load_rsa_private_key
from pellucid.trace import CheckEvent
from recorded import FIRST_CLIENT_PORT


def reasons(decoded: Decoded) -> dict[str, str]:
    """By side."""
    return {event.side: event.reason for event in decoded.sealed}


@each_followed_kind
def test_without_keys_it_is_said_that_there_are_none(captures: Captures, kind: str) -> None:
    capture = captures[kind]
    for closed, decoded in zip(capture.decode(KeyMaterial()), capture.decoded, strict=True):
        assert set(reasons(closed).values()) <= {"no_secrets", "unseen_session"}
        for side in SIDES:
            shown, all_of_them = messages(closed, side), messages(decoded, side)
            assert [event.raw for event in shown] == [event.raw for event in all_of_them[: len(shown)]]
            assert len(shown) == len(all_of_them) or side in reasons(closed)
        assert [event for event in told(closed) if isinstance(event, CheckEvent) and not event.ok] == []


@each_followed_kind
def test_without_keys_no_false_end_is_told(captures: Captures, kind: str) -> None:
    capture = captures[kind]
    for _, closed in capture.paired(capture.decode(KeyMaterial())):
        assert closed.outcome is not None
        assert closed.outcome.status != ("connected" if kind in FAILURES else "failed")
        assert closed.server_name == "localhost"


@each(
    ["1.3", "1.3 retried", "1.3 mutual", "1.3 early data", "1.2 ecdhe", "1.2 by ID", "gnutls 1.2", "curl 1.3"]
)
def test_without_keys_it_is_seen_that_they_connected(captures: Captures, kind: str) -> None:
    for closed in captures[kind].decode(KeyMaterial()):
        assert closed.outcome is not None
        assert closed.outcome.status == "connected"


@each(["gnutls 1.3 server refused"])
def test_without_keys_it_is_likely_that_the_client_refused_the_certificate(
    captures: Captures, kind: str
) -> None:
    (closed,) = captures[kind].decode(KeyMaterial())
    assert closed.outcome is not None
    assert closed.outcome.failure is not None
    assert closed.outcome.failure.id == "client_rejected_certificate"


@each(["1.3", "1.3 retried", "1.3 resumed", "1.2 ecdhe", "1.2 cbc", "1.2 by ticket"])
def test_secrets_of_another_connection_are_noticed(captures: Captures, kind: str) -> None:
    capture = captures[kind]
    keys = KeyMaterial()
    keys.add_key_log(with_wrong_secrets(capture.recording))
    for closed in capture.decode(keys):
        assert set(reasons(closed).values()) == {"wrong_secrets"}


def with_wrong_secrets(recording: Recording) -> str:
    """The key log, each secret upside down."""
    lines = (line.split() for line in recording.key_log.read_text().splitlines() if line[:1].isupper())
    return "".join(f"{label} {random} {secret[::-1]}\n" for label, random, secret in lines)


@each(["1.2 rsa by key"])
def test_the_key_of_another_certificate_is_noticed(captures: Captures, pki: Pki, kind: str) -> None:
    keys = KeyMaterial()
    keys.add_private_key(load_rsa_private_key(pki.files("rsa", name="example.org")[1].read_bytes()))
    (closed,) = captures[kind].decode(keys)
    assert set(reasons(closed).values()) == {"key_does_not_fit"}


@each(["1.2 ecdhe rsa", "1.2 dhe"])
def test_no_key_opens_what_has_forward_secrecy(captures: Captures, pki: Pki, kind: str) -> None:
    keys = KeyMaterial()
    keys.add_private_key(load_rsa_private_key(pki.files("rsa")[1].read_bytes()))
    (closed,) = captures[kind].decode(keys)
    assert set(reasons(closed).values()) == {"forward_secrecy"}


@each(["1.2 rsa by key, resumed"])
def test_a_session_that_began_before_the_capture_stays_closed(captures: Captures, kind: str) -> None:
    capture = captures[kind]
    first = FIRST_CLIENT_PORT.to_bytes(2, "big")
    # The ports stand behind 20 bytes of IPv4.
    kept = [
        (packet.time_ns, packet.data)
        for packet in capture.packets
        if first not in (packet.data[20:22], packet.data[22:24])
    ]
    (closed,) = Decoder(BytesIO(pcap(kept, unit_ns=1)), keys=capture.keys()).connections()
    assert set(reasons(closed).values()) == {"unseen_session"}
