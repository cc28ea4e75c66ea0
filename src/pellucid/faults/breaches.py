"""How the server breaks the protocol: the client finds it, and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.codes import CipherSuite, ContentType, ExtensionType, ProtocolVersion
from pellucid.config import ServerConfig
from pellucid.connection import ServerConnection
from pellucid.faults.bench import Bench
from pellucid.faults.fault import Fault, Prepare, detected
from pellucid.faults.pages import page
from pellucid.faults.peers import Ending, Peer, Script, Speaker, damaged
from pellucid.faults.tampering import Edit, TamperedServer, edited, left_out, replaced
from pellucid.messages import (
    DOWNGRADE_TLS12,
    Certificate,
    CertificateVerify,
    EncryptedExtensions,
    Finished,
    ServerHello,
    tls12,
)
from pellucid.messages import extensions as ext

__all__ = ["BREACHES"]

_SPEAKS_12 = "a client that speaks TLS 1.2"
_SPEAKS_13 = "a client that speaks TLS 1.3"
_SPEAKS_BOTH = "a client that speaks TLS 1.3 and TLS 1.2"

# RFC 9846 5.2: the length of a protected record "MUST NOT exceed 2^14 + 256 bytes"; RFC 5246 6.2.3 allows
# 2^14 + 2048. This is too long for both.
_TOO_LONG = 2**14 + 2049

_RANDOM_LENGTH = 32


def _saying(edit: Edit, *protocols: str, **settings: Any) -> Prepare:
    """A server that says one thing otherwise than it should."""

    def prepare(bench: Bench) -> Callable[[], Peer]:
        config = bench.server(protocols=protocols, **settings)
        return lambda: Speaker(TamperedServer(config, edit=edit), page())

    return prepare


def _proving_nothing(bench: Bench) -> Callable[[], Peer]:
    config = bench.server(protocols=["TLSv1.3"])
    edit, tamper = left_out(CertificateVerify)
    return lambda: Speaker(TamperedServer(config, edit=edit, tamper=tamper), page())


def _made_to_choose_12(bench: Bench) -> Callable[[], Peer]:
    random = ServerConfig.entropy

    def telling(length: int) -> bytes:
        drawn = random(length)
        return drawn[: -len(DOWNGRADE_TLS12)] + DOWNGRADE_TLS12 if length == _RANDOM_LENGTH else drawn

    config = bench.server(protocols=["TLSv1.2"], entropy=telling)
    return lambda: Speaker(ServerConnection(config), page())


def _without_extended_master_secret(bench: Bench) -> Callable[[], Peer]:
    never: dict[str, Any] = {"extended_master_secret": "never"}
    config = bench.server(protocols=["TLSv1.2"], **never)
    return lambda: Speaker(ServerConnection(config), page())


def _mismatched(bench: Bench) -> Callable[[], Peer]:
    config = bench.server(bench.laboratory.mismatched(bench.issued))
    return lambda: Speaker(ServerConnection(config), page())


def _damaging(bench: Bench) -> Callable[[], Peer]:
    config = bench.server(protocols=["TLSv1.3"])
    return lambda: Speaker(ServerConnection(config), page(), spoil=damaged)


def _too_long(_bench: Bench) -> Callable[[], Peer]:
    head = bytes((ContentType.handshake, 3, 3)) + _TOO_LONG.to_bytes(2, "big")
    return lambda: Script(head + bytes(_TOO_LONG), Ending.CLOSE)


def _turn_last_bit(message: CertificateVerify | tls12.ServerKeyExchangeECDHE) -> None:
    message.signature = message.signature[:-1] + bytes([message.signature[-1] ^ 1])


def _turn_last_bit_of_verify_data(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


def _older(hello: ServerHello) -> None:
    hello.legacy_version = ProtocolVersion.TLSv1_1
    # One that goes with it: those with AEAD came with TLS 1.2.
    hello.cipher_suite = CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA


def _unoffered_suite(hello: ServerHello) -> None:
    # RFC 8701 2: reserved, so that no client that follows the rules takes it for its own choice.
    hello.cipher_suite = 0x5A5A


def _without_renegotiation_info(hello: ServerHello) -> None:
    del hello.extensions[ExtensionType.renegotiation_info]


def _accepts_early_data(message: EncryptedExtensions) -> None:
    message.extensions.add(ext.EarlyDataIndication())


def _shows_nothing(message: Certificate | tls12.Certificate) -> None:
    message.certificate_list.clear()


def _turn_session_id(hello: ServerHello) -> None:
    echo = hello.legacy_session_id_echo
    # To a client that sent none, one byte is as wrong.
    hello.legacy_session_id_echo = bytes([echo[0] ^ 1]) + echo[1:] if echo else b"\1"


def _empty_share(hello: ServerHello) -> None:
    share = hello.extensions.find(ext.KeyShareServerHello)
    if share is not None:
        share.server_share.key_exchange = bytes(len(share.server_share.key_exchange))


BREACHES: tuple[Fault, ...] = (
    detected(
        "key_does_not_match_certificate",
        "The server signs with another key than its certificate's, as if two files had been mixed up.",
        _mismatched,
        diagnosis="bad_signature",
        cause="key_does_not_match_certificate",
    ),
    detected(
        "unexpected_message",
        "The server leaves out its signature of the handshake (TLS 1.3): that the certificate is its own, it"
        " does not prove.",
        _proving_nothing,
        needs=_SPEAKS_13,
    ),
    detected(
        "empty_certificate",
        "The server's list of certificates is empty (TLS 1.3).",
        _saying(edited(Certificate, _shows_nothing), "TLSv1.3"),
        needs=_SPEAKS_13,
    ),
    detected(
        "bad_signature",
        "The server's signature of the handshake has a wrong bit (TLS 1.3).",
        _saying(edited(CertificateVerify, _turn_last_bit), "TLSv1.3"),
        needs=_SPEAKS_13,
    ),
    detected(
        "bad_signature_tls12",
        "The server's signature of its key exchange has a wrong bit (TLS 1.2).",
        _saying(edited(tls12.ServerKeyExchangeECDHE, _turn_last_bit), "TLSv1.2"),
        diagnosis="bad_signature",
        needs=_SPEAKS_12,
    ),
    detected(
        "bad_finished",
        "The server's Finished has a wrong bit (TLS 1.3).",
        _saying(replaced(Finished, _turn_last_bit_of_verify_data), "TLSv1.3"),
        needs=_SPEAKS_13,
    ),
    detected(
        "bad_finished_tls12",
        "The server's Finished has a wrong bit (TLS 1.2).",
        _saying(replaced(tls12.Finished, _turn_last_bit_of_verify_data), "TLSv1.2"),
        diagnosis="bad_finished",
        needs=_SPEAKS_12,
    ),
    detected(
        "bad_record_mac",
        "The first protected record was changed on the way.",
        _damaging,
        needs=_SPEAKS_13,
    ),
    detected(
        "record_overflow",
        f"The server answers with a record of {_TOO_LONG:,} bytes, which is more than a record can have.",
        _too_long,
    ),
    detected(
        "malformed",
        "The ServerHello ends in the middle.",
        _saying(replaced(ServerHello, lambda body: body[: len(body) // 2])),
    ),
    detected(
        "suite_not_offered",
        "The server chooses a cipher suite that was not offered.",
        _saying(edited(ServerHello, _unoffered_suite)),
    ),
    detected(
        "unsolicited_extension",
        "The server accepts early data (0-RTT), which was not offered.",
        _saying(edited(EncryptedExtensions, _accepts_early_data), "TLSv1.3"),
        needs=f"{_SPEAKS_13}, and sends no early data",
    ),
    detected(
        "wrong_session_id_echo",
        "The server repeats another session ID than the client's (TLS 1.3).",
        _saying(edited(ServerHello, _turn_session_id), "TLSv1.3"),
        needs=_SPEAKS_13,
    ),
    detected(
        "invalid_key_share",
        "The server's public value for the key exchange is all zeros.",
        _saying(edited(ServerHello, _empty_share), "TLSv1.3", groups=["x25519"]),
        needs=_SPEAKS_13,
    ),
    detected(
        "downgrade_detected",
        "TLS 1.2 is chosen, and the server's random tells that it would have liked 1.3: somebody on the path"
        " has made the two speak the older version.",
        _made_to_choose_12,
        needs=_SPEAKS_BOTH,
    ),
    detected(
        "no_shared_version_old_server",
        "The server chooses TLS 1.1, as those do that know nothing better; it goes no further than that.",
        _saying(edited(ServerHello, _older), "TLSv1.2"),
        diagnosis="no_shared_version",
    ),
    detected(
        "no_secure_renegotiation",
        "The server has never heard of secure renegotiation (RFC 5746), so that what one client began could"
        " be joined to what another goes on with.",
        _saying(edited(ServerHello, _without_renegotiation_info), "TLSv1.2"),
        needs=f"{_SPEAKS_12}, and refuses servers without",
    ),
    detected(
        "extended_master_secret_missing",
        "The server has no extended master secret (RFC 7627): two connections could have the same keys.",
        _without_extended_master_secret,
        needs=f"{_SPEAKS_12}, and refuses servers without",
    ),
)
