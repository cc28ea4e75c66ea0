"""The failures that people meet most, as docs/diagnosis.md has them: what happens, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CATALOGUE", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` and ``id`` do not change.

    ``alerts`` are those that go over the wire, as the side sees it that is told the id; a fault of this cause
    has one of them. ``told`` says from what it is known, and what this side cannot know.
    """

    number: int
    id: str
    situation: str
    alerts: tuple[str, ...]
    told: str


_NOT_SAID = (
    "The server knows, by both lists. A client is only told `handshake_failure`, with what it had offered; "
    "`connect --why` varies "
)

CATALOGUE: tuple[Row, ...] = (
    Row(
        1, "missing_intermediate", "The server leaves out an intermediate certificate.",
        ("unknown_ca, sent",),
        "The path ends at a certificate whose issuer was neither sent nor is trusted.",
    ),
    Row(
        2, "unknown_root", "A private or foreign root, or something that terminates TLS on the way.",
        ("unknown_ca, sent",),
        "The path is whole and ends at a root that is not in the trust store, which is named.",
    ),
    Row(
        3, "self_signed", "The certificate is signed by its own key.",
        ("unknown_ca, sent",),
        "Issuer and subject are one, and the signature verifies with the certificate's own key.",
    ),
    Row(
        4, "hostname_mismatch", "The certificate is for other names.",
        ("bad_certificate, sent",),
        "The names are compared; the nearest is named, and whether the server was told the name.",
    ),
    Row(
        5, "no_subject_alternative_name", "The name stands in the subject's common name alone.",
        ("bad_certificate, sent",),
        "There is no subject alternative name. Older tools accept that.",
    ),
    Row(
        6, "certificate_expired", "A certificate of the path has ended.",
        ("certificate_expired, sent",),
        "By the clock here, which is told, with the certificate and for how long.",
    ),
    Row(
        7, "certificate_not_yet_valid", "A certificate begins in the future, or a clock is behind.",
        ("certificate_expired, sent",),
        "As above; where all of them begin in the future, the clock is named first.",
    ),
    Row(
        8, "wrong_purpose", "The certificate is for something else.",
        ("unsupported_certificate, sent",),
        "By extendedKeyUsage and keyUsage, which are told with what was needed.",
    ),
    Row(
        9, "weak_key", "A key is too short, or a signature's hash is broken.",
        ("bad_certificate, sent",),
        "By algorithm and bits.",
    ),
    Row(
        10, "strict_profile_only", "Strict verifiers refuse what lenient ones accept.",
        ("bad_certificate, sent",),
        "The rule that differs is named; `connect --compare` shows who would say what.",
    ),
    Row(
        11, "no_shared_version", "No version in common.",
        ("protocol_version, received", "protocol_version, sent"),
        "By the alert, or by the version that the peer chose.",
    ),
    Row(
        12, "no_shared_cipher_suite", "No cipher suite in common.",
        ("handshake_failure, received", "handshake_failure, sent"),
        f"{_NOT_SAID}the suites.",
    ),
    Row(
        13, "no_shared_group", "No group in common.",
        ("handshake_failure, received", "handshake_failure, sent"),
        f"{_NOT_SAID}the groups.",
    ),
    Row(
        14, "no_shared_signature_scheme", "No signature scheme fits the certificate and the client.",
        ("handshake_failure, received", "handshake_failure, sent"),
        f"{_NOT_SAID}the schemes.",
    ),
    Row(
        15, "client_certificate_missing", "TLS 1.2: the server wants a client certificate, and got none.",
        ("handshake_failure, received",),
        "A CertificateRequest had come, and our Certificate was empty. Whom the server takes is told.",
    ),
    Row(
        16, "client_certificate_missing", "TLS 1.3: the same, after the client's handshake is complete.",
        ("certificate_required, received",),
        "As above; `connect` waits a moment for that alert before it calls it success.",
    ),
    Row(
        17, "client_certificate_untrusted", "The server does not trust the client's certificate.",
        ("unknown_ca, received",),
        "The alert is about ours, as it had asked for one; its authorities are held against our issuer.",
    ),
    Row(
        18, "alpn_mismatch", "No application protocol in common.",
        ("no_application_protocol, received", "no_application_protocol, sent"),
        "By the alert, with what was offered. A server that ignores ALPN is no failure: `alpn` is null then.",
    ),
    Row(
        19, "unrecognized_name", "The server does not serve that name, or was told none.",
        ("unrecognized_name, received", "unrecognized_name, sent"),
        "By the alert, with the name that was sent. A default certificate for other names is row 4.",
    ),
    Row(
        20, "not_tls", "The peer speaks HTTP, SMTP or something else.",
        (),
        "By its first bytes, which are shown, with what they look like and the `--starttls` for it.",
    ),
    Row(
        21, "closed_after_client_hello", "The peer closes TCP instead of answering.",
        ("close_notify, sent",),
        "TCP ended before any record came; the bytes, the time and the ClientHello's size are told.",
    ),
    Row(
        22, "reset_after_client_hello", "The peer, or something nearer, resets TCP instead.",
        (),
        "As above. A reset that comes sooner than a round trip takes is possibly of something nearer.",
    ),
    Row(
        23, "silent_after_client_hello", "Nothing comes.",
        (),
        "The time ran out and no record had come. Whether the ClientHello fits into one packet is told.",
    ),
    Row(
        24, "stalled_mid_flight", "The server begins to answer and falls silent.",
        (),
        "The time ran out behind its first message; that what came is so many full packets is told.",
    ),
    Row(
        25, "no_secure_renegotiation", "TLS 1.2 without renegotiation_info.",
        ("handshake_failure, sent",),
        "The extension is missing in the ServerHello.",
    ),
    Row(
        26, "key_does_not_match_certificate", "The server's key is not that of its certificate.",
        ("decrypt_error, sent",),
        "Where key and certificate are loaded. A client sees `bad_signature`, and no more.",
    ),
    Row(
        27, "certificate_revoked", "The authority has revoked the certificate.",
        ("certificate_revoked, sent",),
        "By a stapled response, a CRL or the authority, where `--revocation` asks. "
        "Order of the chain and a root that is sent are notes of `check`.",
    ),
)  # fmt: skip
