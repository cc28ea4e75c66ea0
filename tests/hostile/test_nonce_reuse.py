"""Nonces that repeat: with AES-GCM, one is enough to learn the key that authenticates (Joux, 2006).

Böck, Zauner, Devlin, Somorovsky and Jovanovic (2016) found servers of TLS 1.2 that drew the explicit half of
it at random, or sent it twice. Here it is the number of the record, which never comes again under a key: not
where records are written in runs, and not up to the last that a key may protect.
"""

from __future__ import annotations

import pytest
from loopback import shake_hands
from protections12 import AEADS, Protection
from rogue12 import EXCHANGES, By, client_of, met12, records, server_of

from pellucid.codes import ContentType
from pellucid.connection import Connection

DATA = ContentType.application_data
EXPLICIT = [protection for protection in AEADS if protection.suite.explicit_length]
IDS = pytest.mark.parametrize("protection", EXPLICIT, ids=str)


@IDS
def test_the_explicit_nonce_is_the_number_of_the_record(protection: Protection) -> None:
    """RFC 5288 3, RFC 6655 3: it "MAY be the 64-bit sequence number"; then it cannot repeat."""
    sealer = protection.sealer()
    nonces = [sealer.seal(DATA, b"the same")[5:13] for _ in range(300)]
    assert nonces == [number.to_bytes(8, "big") for number in range(300)]


@IDS
def test_entropy_has_no_part_in_it(protection: Protection) -> None:
    """A generator that repeats itself, as after a fork, repeats no nonce."""
    drawn: list[int] = []

    def entropy(length: int) -> bytes:
        drawn.append(length)
        return bytes(length)

    sealer = protection.sealer(entropy)
    assert len({sealer.seal(DATA, b"x")[5:13] for _ in range(10)}) == 10
    assert drawn == []


def nonces(sender: Connection, receiver: Connection) -> list[bytes]:
    """Of everything that ``sender`` says: small and large writes, and close_notify at the end."""
    sender.send_data(b"x")
    sender.send_data(bytes(200_000))
    sender.send_data(b"y")
    sender.close()
    seen = []
    while data := sender.data_to_send():
        seen += [fragment[:8] for _, fragment in records(data)]
        receiver.receive_data(data)
    return seen


def test_none_repeats_in_a_connection() -> None:
    for side in ("client", "server"):
        client, server = shake_hands(client_of(), server_of())
        sender, receiver = (client, server) if side == "client" else (server, client)
        found = nonces(sender, receiver)
        assert len(found) > 13
        # Finished was the first.
        assert found == [number.to_bytes(8, "big") for number in range(1, len(found) + 1)]


@pytest.mark.parametrize("by", ["ticket", "session ID"])
def test_a_resumption_has_other_keys_for_the_same_numbers(by: By) -> None:
    """The master secret is the same, and the numbers start at 0 again: fresh randoms make fresh keys."""
    client_config, server_config = met12(by=by)
    keys = set()
    for _ in range(3):
        client, server = shake_hands(client_config, server_config)
        for end in (client, server):
            assert end.negotiated is not None
            assert end.negotiated.resumed
            end.send_data(b"the same")
            keys.add(end.data_to_send())
    assert len(keys) == 6


def test_every_connection_has_its_own_keys() -> None:
    for exchange in EXCHANGES:
        sealed = set()
        for _ in range(3):
            client, _ = shake_hands(client_of(exchange, sessions=None), server_of(exchange))
            client.send_data(b"the same")
            sealed.add(client.data_to_send())
        assert len(sealed) == 3
