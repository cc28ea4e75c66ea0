"""Certificate bombs: chains and certificates that cost more to look at than to send."""

from __future__ import annotations

from typing import Any

import pytest
from loopback import client_config, credential, laboratory, server_config
from rogue import Tamper, client_refuses, connected_rogue, edit, honest, server_refuses

from pellucid.codes import AlertDescription
from pellucid.errors import Reason
from pellucid.messages import Certificate, CertificateEntry, Extensions

A = AlertDescription
BOTH = pytest.mark.parametrize("side", ["client", "server"])
REFUSES = {"client": client_refuses, "server": server_refuses}


def configs() -> dict[str, Any]:
    return {
        "client": client_config(credentials=[credential("ecdsa", "client")], sessions=None),
        "server": server_config(client_authentication="required"),
    }


def of_length(count: int) -> Tamper:
    """The chain grows to ``count`` certificates by repeating its last one."""

    def change(message: Certificate) -> None:
        last = message.certificate_list[-1]
        message.certificate_list += [last] * (count - len(message.certificate_list))

    return edit(Certificate, change)


@BOTH
@pytest.mark.parametrize("count", [11, 100])
def test_a_long_chain_is_refused(side: str, count: int) -> None:
    REFUSES[side](of_length(count), Reason.CERTIFICATE_CHAIN_TOO_LONG, A.bad_certificate, **configs())


@BOTH
def test_a_chain_as_long_as_allowed_is_taken(side: str) -> None:
    """RFC 9846 4.5.1: extraneous certificates are to be expected."""
    victim, _ = connected_rogue(side, of_length(10), **configs())
    assert victim.handshake_complete


@BOTH
def test_the_limit_is_the_configurations(side: str) -> None:
    knobs = configs() | {
        "client": client_config(
            credentials=[credential("ecdsa", "client")], max_chain_length=2, sessions=None
        ),
        "server": server_config(client_authentication="required", max_chain_length=2),
    }
    REFUSES[side](of_length(3), Reason.CERTIFICATE_CHAIN_TOO_LONG, A.bad_certificate, **knobs)


@BOTH
def test_a_huge_certificate_is_refused_unread(side: str) -> None:
    change = edit(
        Certificate,
        lambda message: message.certificate_list.append(CertificateEntry(bytes(200_000), Extensions())),
    )
    REFUSES[side](change, Reason.CERTIFICATE_CHAIN_TOO_LONG, A.bad_certificate, **configs())


GARBAGE = {
    "zeros": bytes(100),
    "a sequence of nothing": b"\x30\x00",
    "an endless length": b"\x30\x84\xff\xff\xff\xff" + bytes(40),
    "an indefinite length": b"\x30\x80" + bytes(40),
    "nested sequences": b"\x30\x82\x10\x00" * 1000,
    "a name": laboratory().root.subject.public_bytes(),
}


@BOTH
@pytest.mark.parametrize("der", GARBAGE.values(), ids=list(GARBAGE))
def test_garbage_is_no_certificate(side: str, der: bytes) -> None:
    def change(message: Certificate) -> None:
        message.certificate_list[0].cert_data = der

    REFUSES[side](edit(Certificate, change), Reason.BAD_CERTIFICATE, A.bad_certificate, **configs())


@BOTH
def test_a_certificate_of_another_purpose_is_refused(side: str) -> None:
    """A client's certificate is no server's, nor the other way round."""
    wrong = credential("ecdsa", "client" if side == "client" else "server")
    REFUSES[side](
        honest,
        Reason.WRONG_PURPOSE,
        A.unsupported_certificate,
        client=client_config(credentials=[wrong], sessions=None),
        server=server_config(credentials=[wrong], client_authentication="required"),
    )
