"""0-RTT data is refused: what a client has sent of it is skipped, up to a limit, and never handed to anybody.

RFC 9846 4.3.10. Our own client sends none, so one is made up that does: its hello says early_data, and
records under the early traffic key, or of whatever, follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import pytest
from loopback import client_config, connect_pair, pump, server_config
from rogue import RogueHandshake, Tamper, assert_refused, plaintext, refuses_data, rogue_client

from pellucid import ClientConfig, ServerConfig, ServerConnection
from pellucid.codes import AlertDescription, CipherSuite, ContentType, ExtensionType
from pellucid.connection import Connection
from pellucid.crypto.suites import SUITES
from pellucid.errors import Reason, TLSError
from pellucid.events import HandshakeCompleted
from pellucid.handshake.offer import truncate
from pellucid.keys import KeySchedule, finished_verify_data, traffic_keys
from pellucid.messages import ClientHello, EndOfEarlyData, HandshakeMessage, decode_handshake
from pellucid.messages import extensions as ext
from pellucid.record import Sealer
from pellucid.sessions import ExternalPsk

A = AlertDescription
DATA = ContentType.application_data
SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
PSK = ExternalPsk(b"early bird", bytes(range(32)))
OTHER = ExternalPsk(b"somebody else", bytes(range(32)))
LIMIT = 1000
#: What a server that sees no padding takes off a record: a tag and the content type.
OVERHEAD = 17


def with_early_data() -> Tamper:
    """The first ClientHello says early_data, and its binder is right; the second does not, as it must not."""
    said: list[bytes] = []

    def tamper(_hs: RogueHandshake, message: HandshakeMessage) -> Iterable[bytes]:
        if isinstance(message, ClientHello) and not said:
            psks = message.extensions.pop(ExtensionType.pre_shared_key)
            message.extensions.add(ext.EarlyDataIndication(), psks)
            truncated = truncate(message.encode(), psks)
            binder_key = schedule().binder_key(external=True)
            psks.binders = [finished_verify_data("sha256", binder_key, sha256(truncated).digest())]
            said.append(message.encode())
        return [message.raw]

    return tamper


def schedule() -> KeySchedule:
    found = KeySchedule(SUITE)
    found.early(PSK.key)
    return found


def early_sealer(hello: bytes) -> Sealer:
    secret = schedule().client_early_traffic_secret(sha256(hello[5:]).digest())
    return Sealer(SUITE, traffic_keys(SUITE, secret))


def knobs(*, known: bool, retried: bool) -> tuple[ClientConfig, ServerConfig]:
    client = client_config(
        groups=["x25519", "secp256r1"], cipher_suites=[SUITE.code], psks=[PSK], sessions=None
    )
    server = server_config(
        groups=["secp256r1" if retried else "x25519"],
        cipher_suites=[SUITE.code],
        psks=[PSK if known else OTHER],
        max_skipped_early_data_bytes=LIMIT,
    )
    return client, server


def meet(*, known: bool = True, retried: bool = False) -> tuple[Connection, Connection, bytes]:
    """(client, server, the client's hello, which the server has not seen)."""
    client, server = knobs(known=known, retried=retried)
    rogue = rogue_client(with_early_data(), client)
    return rogue, ServerConnection(server), rogue.data_to_send()


MODES = pytest.mark.parametrize(
    "known, retried",
    [(True, False), (False, False), (True, True), (False, True)],
    ids=lambda value: "yes" if value else "no",
)
PIECES = pytest.mark.parametrize("piece", [None, 1], ids=["whole", "byte by byte"])


def give(server: Connection, data: bytes, piece: int | None) -> None:
    size = piece or len(data)
    for start in range(0, len(data), size):
        assert server.receive_data(data[start : start + size]) == []


@MODES
@PIECES
def test_early_data_is_skipped(known: bool, retried: bool, piece: int | None) -> None:
    """And the handshake goes on as if it had not been there."""
    client, server, hello = meet(known=known, retried=retried)
    sealer = early_sealer(hello)
    early = b"".join(sealer.seal(DATA, b"GET / HTTP/1.1\r\n\r\n") for _ in range(5))
    give(server, hello + early, piece)
    client_events, server_events = pump(client, server, piece)
    assert client.handshake_complete
    assert [type(event) for event in server_events] == [HandshakeCompleted]
    assert server.negotiated is not None
    assert (server.negotiated.psk_identity == PSK.identity) is known
    assert client_events[0] == HandshakeCompleted(client.negotiated)  # type: ignore[arg-type]
    client.send_data(b"late")
    assert pump(client, server)[1][0].data == b"late"  # type: ignore[union-attr]


@MODES
def test_the_end_of_early_data_is_skipped_with_it(known: bool, retried: bool) -> None:
    """It is under the early key: who skips the data does not see it."""
    client, server, hello = meet(known=known, retried=retried)
    sealer = early_sealer(hello)
    end = EndOfEarlyData().encode()
    server.receive_data(hello + sealer.seal(DATA, b"early") + sealer.seal(ContentType.handshake, end))
    pump(client, server)
    assert server.handshake_complete


def test_early_data_is_not_accepted() -> None:
    """An answer to it would be one that the client, which does not know of the tampering, refuses."""
    client, server, hello = meet()
    asked = decode_handshake(hello[5:])
    assert isinstance(asked, ClientHello)
    assert ExtensionType.early_data in asked.extensions
    server.receive_data(hello)
    client.receive_data(server.data_to_send())
    assert client.handshake_complete


@MODES
def test_a_client_that_sends_no_early_data_after_all_is_welcome(known: bool, retried: bool) -> None:
    client, server, hello = meet(known=known, retried=retried)
    server.receive_data(hello)
    pump(client, server)
    assert server.handshake_complete


# -- the limit


def sized(total: int, hello: bytes) -> bytes:
    """Early records that count for ``total`` bytes."""
    sealer = early_sealer(hello)
    return b"".join(sealer.seal(DATA, bytes(size)) for size in [100] * (total // 100) + [total % 100] if size)


@MODES
@PIECES
def test_as_much_as_the_limit_is_skipped(known: bool, retried: bool, piece: int | None) -> None:
    client, server, hello = meet(known=known, retried=retried)
    give(server, hello + sized(LIMIT, hello), piece)
    pump(client, server, piece)
    assert server.handshake_complete


@MODES
@PIECES
def test_more_than_the_limit_is_refused(known: bool, retried: bool, piece: int | None) -> None:
    """RFC 9846 4.7.1: with unexpected_message."""
    client, server, hello = meet(known=known, retried=retried)
    early = sized(LIMIT + 1, hello)
    with pytest.raises(TLSError) as caught:
        give(server, hello + early, piece)
    assert_refused(server, client, caught.value, Reason.TOO_MUCH_EARLY_DATA, A.unexpected_message)


@MODES
def test_empty_records_are_not_skipped_for_ever(known: bool, retried: bool) -> None:
    client, server, hello = meet(known=known, retried=retried)
    sealer = early_sealer(hello)
    server.receive_data(hello + b"".join(sealer.seal(DATA, b"") for _ in range(LIMIT)))
    record = sealer.seal(DATA, b"")
    refuses_data(server, client, record, Reason.TOO_MUCH_EARLY_DATA, A.unexpected_message)


def test_garbage_counts_as_early_data() -> None:
    """The server has no early keys: it cannot tell."""
    client, server, hello = meet()
    server.receive_data(hello + plaintext(DATA, bytes(LIMIT + OVERHEAD)))
    refuses_data(server, client, plaintext(DATA, b""), Reason.TOO_MUCH_EARLY_DATA, A.unexpected_message)


# -- where there is none to skip


def test_nothing_is_skipped_of_a_client_that_did_not_say_so() -> None:
    client, server = connect_pair(*knobs(known=True, retried=False))
    hello = client.data_to_send()
    server.receive_data(hello)
    record = early_sealer(hello).seal(DATA, b"unannounced")
    refuses_data(server, client, record, Reason.BAD_RECORD_MAC, A.bad_record_mac)


def test_nothing_is_skipped_before_a_second_hello_of_a_client_that_did_not_say_so() -> None:
    client, server = connect_pair(*knobs(known=True, retried=True))
    hello = client.data_to_send()
    server.receive_data(hello)
    record = early_sealer(hello).seal(DATA, b"unannounced")
    refuses_data(server, client, record, Reason.UNEXPECTED_RECORD, A.unexpected_message)


def test_nothing_is_skipped_behind_the_clients_first_record() -> None:
    """RFC 9846 4.3.10: the first that opens "is treated as the start of the client's second flight"."""
    client, server, hello = meet()
    server.receive_data(hello)
    client.receive_data(server.data_to_send())
    finished = client.data_to_send()
    server.receive_data(finished)
    assert server.handshake_complete
    client.receive_data(server.data_to_send())
    garbage = plaintext(DATA, bytes(40))
    refuses_data(server, client, garbage, Reason.BAD_RECORD_MAC, A.bad_record_mac)


def test_nothing_is_skipped_behind_the_second_hello() -> None:
    client, server, hello = meet(retried=True)
    server.receive_data(hello)
    client.receive_data(server.data_to_send())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.data_to_send()
    garbage = plaintext(DATA, bytes(40))
    with pytest.raises(TLSError) as caught:
        server.receive_data(garbage)
    assert caught.value.reason is Reason.BAD_RECORD_MAC


def test_an_unprotected_message_is_not_skipped() -> None:
    client, server, hello = meet()
    server.receive_data(hello)
    client.receive_data(server.data_to_send())
    record = plaintext(ContentType.handshake, EndOfEarlyData().encode())
    client.data_to_send()
    with pytest.raises(TLSError) as caught:
        server.receive_data(record)
    assert caught.value.reason is Reason.UNEXPECTED_RECORD


def test_replayed_early_data_does_nothing() -> None:
    """What 0-RTT is feared for: a request that is acted on as often as somebody sends it."""
    _, _, hello = meet()
    early = early_sealer(hello).seal(DATA, b"POST /pay")
    config = knobs(known=True, retried=False)[1]
    for _ in range(3):
        server = ServerConnection(config)
        assert server.receive_data(hello + early) == []
        assert not server.handshake_complete


def test_tickets_allow_no_early_data() -> None:
    client, server = connect_pair(config := client_config())
    pump(client, server)
    assert config.sessions is not None
    session = config.sessions.take("localhost", config.clock(), config.session_scope)
    assert session is not None
    assert session.max_early_data == 0
