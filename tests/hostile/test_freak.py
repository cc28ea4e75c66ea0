"""FREAK (2015): clients took an RSA key of 512 bits, of an export suite that they had not asked for.

A man in the middle asked the server for export RSA, and the client, which had asked for plain RSA, accepted
the ServerKeyExchange with the short key in it all the same. Here: no export suite is known to do anything, a
ServerKeyExchange has no place where the suite is RSA, and short keys are refused wherever they come from.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from disorder import inserting
from leaves import leaf, short_rsa_key
from rogue import edit, framed
from rogue12 import client_of, mutual_client_of, mutual_server_of, refused12, server_of
from unspoken import assert_not_accepted, assert_not_offered, assert_not_taken, named

from pellucid.codes import AlertDescription, HandshakeType
from pellucid.errors import Reason
from pellucid.messages import tls12

EXPORT = named("EXPORT")


def test_no_export_suite_is_offered() -> None:
    assert_not_offered(EXPORT)


def test_no_export_suite_is_accepted_by_a_server() -> None:
    assert_not_accepted(EXPORT)


def test_no_export_suite_is_taken_by_a_client() -> None:
    """Asked for on the way, and chosen by the server: it was not in the client's own hello."""
    assert_not_taken(EXPORT)


def ephemeral_rsa() -> bytes:
    """RFC 2246 7.4.3: ServerRSAParams, a modulus of 512 bits and an exponent, and a signature."""
    modulus, exponent = b"\xc1" * 64, b"\x01\x00\x01"
    params = b"\x00\x40" + modulus + b"\x00\x03" + exponent
    return framed(HandshakeType.server_key_exchange, params + b"\x01\x00" + bytes(256))


@pytest.mark.parametrize(
    "share",
    [
        ephemeral_rsa,
        lambda: tls12.ServerKeyExchangeDHE(
            tls12.ServerDHParams(b"\xff" * 64, b"\x02", b"\x05"), 0x0401, bytes(256)
        ).encode(),
        lambda: framed(HandshakeType.server_key_exchange),
    ],
    ids=["RSA of 512 bits", "DH of 512 bits", "empty"],
)
@pytest.mark.parametrize("mutual", [False, True])
def test_a_server_key_exchange_has_no_place_in_an_rsa_suite(share: Callable[[], bytes], mutual: bool) -> None:
    """RFC 5246 7.4.3: for RSA "It is not legal to send the ServerKeyExchange message"."""
    refused12(
        "client",
        Reason.UNEXPECTED_MESSAGE,
        AlertDescription.unexpected_message,
        inserting(share(), tls12.CertificateRequest if mutual else tls12.ServerHelloDone),
        client=mutual_client_of("RSA") if mutual else client_of("RSA", sessions=None),
        server=mutual_server_of("RSA") if mutual else server_of("RSA"),
    )


@pytest.mark.parametrize("exchange", ["RSA", "ECDHE_RSA", "DHE_RSA"])
def test_a_short_key_in_the_certificate_is_refused(exchange: str) -> None:
    """Before anything is encrypted with it, or believed because of it."""
    chain, _ = leaf(short_rsa_key())
    shown = edit(tls12.Certificate, lambda message: setattr(message, "certificate_list", list(chain)))
    refused12(
        "client",
        Reason.WEAK_KEY,
        AlertDescription.bad_certificate,
        shown,
        client=client_of(exchange, sessions=None),
        server=server_of(exchange),
    )
