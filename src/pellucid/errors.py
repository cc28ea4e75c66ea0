"""Everything that can go wrong, sorted by whose fault it is.

An error has a class, which says who is to blame, and a ``reason``, which is a stable name that
programs may compare. Which alert the peer is sent follows from the reason alone, in one place:
``pellucid.alerts.alert_for``. So code that finds a fault says what it found, and nothing else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pellucid.diagnosis import Diagnosis, Evidence


class Reason(StrEnum):
    """What went wrong. The values are part of the API: they are compared, logged and documented."""

    # the peer broke the rules of the protocol
    NOT_TLS = "not_tls"
    STARTTLS_INJECTION = "starttls_injection"
    UNEXPECTED_MESSAGE = "unexpected_message"
    UNEXPECTED_RECORD = "unexpected_record"
    BAD_CHANGE_CIPHER_SPEC = "bad_change_cipher_spec"
    MESSAGE_ACROSS_KEY_CHANGE = "message_across_key_change"
    BAD_RECORD_MAC = "bad_record_mac"
    RECORD_OVERFLOW = "record_overflow"
    TOO_MANY_EMPTY_RECORDS = "too_many_empty_records"
    TOO_MANY_ALERTS = "too_many_alerts"
    TOO_MANY_KEY_UPDATES = "too_many_key_updates"
    TOO_MANY_CHANGE_CIPHER_SPECS = "too_many_change_cipher_specs"
    TOO_MANY_TICKETS = "too_many_tickets"
    TOO_MUCH_EARLY_DATA = "too_much_early_data"
    MESSAGE_TOO_LONG = "message_too_long"
    FORBIDDEN_EXTENSION = "forbidden_extension"
    UNSOLICITED_EXTENSION = "unsolicited_extension"
    ILLEGAL_PARAMETER = "illegal_parameter"
    WRONG_LEGACY_VERSION = "wrong_legacy_version"
    WRONG_COMPRESSION_METHOD = "wrong_compression_method"
    WRONG_SESSION_ID_ECHO = "wrong_session_id_echo"
    SUITE_NOT_OFFERED = "suite_not_offered"
    GROUP_NOT_OFFERED = "group_not_offered"
    VERSION_NOT_OFFERED = "version_not_offered"
    SCHEME_NOT_OFFERED = "scheme_not_offered"
    ALPN_NOT_OFFERED = "alpn_not_offered"
    PSK_NOT_OFFERED = "psk_not_offered"
    INVALID_KEY_SHARE = "invalid_key_share"
    INVALID_DH_SHARE = "invalid_dh_share"
    DUPLICATE_KEY_SHARE = "duplicate_key_share"
    POINTLESS_HELLO_RETRY = "pointless_hello_retry"
    HELLO_RETRY_CHANGED = "hello_retry_changed"
    DOWNGRADE_DETECTED = "downgrade_detected"
    BAD_RENEGOTIATION_INFO = "bad_renegotiation_info"
    EXTENDED_MASTER_SECRET_CHANGED = "extended_master_secret_changed"
    SESSION_MISMATCH = "session_mismatch"
    TOO_MANY_RENEGOTIATIONS = "too_many_renegotiations"
    BAD_SIGNATURE = "bad_signature"
    BAD_FINISHED = "bad_finished"
    BAD_PSK_BINDER = "bad_psk_binder"
    EMPTY_CERTIFICATE = "empty_certificate"
    TRUNCATED = "truncated"
    CLOSED_DURING_HANDSHAKE = "closed_during_handshake"

    # bytes that do not follow the message's syntax
    MALFORMED = "malformed"

    # both sides follow the rules and share too little
    NO_SHARED_VERSION = "no_shared_version"
    NO_SHARED_CIPHER_SUITE = "no_shared_cipher_suite"
    NO_SHARED_GROUP = "no_shared_group"
    NO_SHARED_DH_GROUP = "no_shared_dh_group"
    NO_SHARED_SIGNATURE_SCHEME = "no_shared_signature_scheme"
    NO_SUITABLE_CERTIFICATE = "no_suitable_certificate"
    NO_SHARED_CERTIFICATE_TYPE = "no_shared_certificate_type"
    NO_SHARED_APPLICATION_PROTOCOL = "no_shared_application_protocol"
    INAPPROPRIATE_FALLBACK = "inappropriate_fallback"
    EXTENDED_MASTER_SECRET_MISSING = "extended_master_secret_missing"
    NO_SECURE_RENEGOTIATION = "no_secure_renegotiation"
    WEAK_DH_GROUP = "weak_dh_group"
    MISSING_EXTENSION = "missing_extension"
    UNRECOGNIZED_NAME = "unrecognized_name"
    CLIENT_CERTIFICATE_MISSING = "client_certificate_missing"

    # we rejected the peer's certificate
    MISSING_INTERMEDIATE = "missing_intermediate"
    UNKNOWN_ROOT = "unknown_root"
    SELF_SIGNED = "self_signed"
    HOSTNAME_MISMATCH = "hostname_mismatch"
    NO_SUBJECT_ALTERNATIVE_NAME = "no_subject_alternative_name"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    WRONG_PURPOSE = "wrong_purpose"
    WEAK_KEY = "weak_key"
    STRICT_PROFILE_ONLY = "strict_profile_only"
    CERTIFICATE_REVOKED = "certificate_revoked"
    BAD_CERTIFICATE_STATUS = "bad_certificate_status"
    MUST_STAPLE_MISSING = "must_staple_missing"
    REVOCATION_UNKNOWN = "revocation_unknown"
    BAD_CERTIFICATE = "bad_certificate"
    UNSUPPORTED_CERTIFICATE = "unsupported_certificate"
    ISSUER_NOT_A_CA = "issuer_not_a_ca"
    NAME_CONSTRAINT_VIOLATED = "name_constraint_violated"
    CERTIFICATE_CHAIN_TOO_LONG = "certificate_chain_too_long"
    KEY_NOT_PINNED = "key_not_pinned"
    RAW_KEY_NOT_TRUSTED = "raw_key_not_trusted"
    CLIENT_NOT_ALLOWED = "client_not_allowed"
    CERTIFICATE_REJECTED = "certificate_rejected"

    # the peer sent an alert
    ALERT_RECEIVED = "alert_received"

    # what precedes TLS on the connection: a proxy, or the dialogue of STARTTLS
    STARTTLS_NOT_OFFERED = "starttls_not_offered"
    STARTTLS_REFUSED = "starttls_refused"
    STARTTLS_WRONG_PROTOCOL = "starttls_wrong_protocol"
    PROXY_AUTHENTICATION_FAILED = "proxy_authentication_failed"
    PROXY_REFUSED = "proxy_refused"
    PROXY_CANNOT_CONNECT = "proxy_cannot_connect"
    NOT_A_PROXY = "not_a_proxy"

    # our own caller or our own configuration
    BAD_CONFIGURATION = "bad_configuration"
    BAD_CERTIFICATE_FILE = "bad_certificate_file"
    BAD_SERVER_NAME = "bad_server_name"
    KEY_DOES_NOT_MATCH_CERTIFICATE = "key_does_not_match_certificate"
    HANDSHAKE_NOT_COMPLETE = "handshake_not_complete"
    CONNECTION_CLOSED = "connection_closed"
    CONNECTION_FAILED = "connection_failed"
    NOT_EXPORTABLE = "not_exportable"
    SIGNING_FAILED = "signing_failed"
    KEY_LIMIT_REACHED = "key_limit_reached"
    TIMEOUT = "timeout"
    INTERNAL_ERROR = "internal_error"


class TLSError(Exception):
    """A TLS connection or its configuration failed.

    ``reason`` is stable and machine-readable, ``detail`` is the particular case in words, and
    ``str(error)`` is both. Catch one of the subclasses to act by blame.
    """

    blame: ClassVar[str] = "unknown"

    #: What was known of the connection when it failed; None of an error that no connection has raised.
    evidence: Evidence | None = None
    _diagnosis: Diagnosis | None = None

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        #: Events that `receive_data` had already found when the fault came.
        self.events: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.detail or self.reason.replace('_', ' ')} [{self.reason}]"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are copied by a call with their ``args``, which are not what each of the classes takes.
        return _again, (type(self), self.args), self.__dict__

    @property
    def diagnosis(self) -> Diagnosis:
        """Why it failed, on what evidence, and what to do: made when first asked for."""
        if self._diagnosis is None:
            # Nothing else of the package is needed by an error that nobody asks.
            from pellucid.diagnosis import diagnose_error  # noqa: PLC0415

            self._diagnosis = diagnose_error(self, self.evidence)
        return self._diagnosis


def _again(kind: type[TLSError], args: tuple[Any, ...]) -> TLSError:
    """An error as it was pickled or copied, but for what its dictionary has."""
    return kind.__new__(kind, *args)


class PeerMisbehaved(TLSError):
    """The peer did what the protocol forbids, or somebody on the path did."""

    blame = "peer"


class PeerIncompatible(TLSError):
    """Both follow the protocol, and have no version, suite, group or other parameter in common."""

    blame = "both"


class BadMessage(TLSError):
    """Bytes that do not follow the syntax of the message they claim to be.

    ``offset`` counts bytes from the start of what was decoded, where known.
    """

    blame = "peer"

    def __init__(self, detail: str, *, offset: int | None = None, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(reason, detail if offset is None else f"{detail} at byte {offset}")
        self.offset = offset


class CertificateRejected(TLSError):
    """We do not accept the peer's certificate; ``reason`` and ``detail`` say which rule it fails.

    ``certificate`` is the one that fails it (DER), where it is one and not the path as a whole.
    """

    blame = "peer"

    def __init__(self, reason: Reason, detail: str = "", *, certificate: bytes | None = None) -> None:
        super().__init__(reason, detail)
        self.certificate = certificate


class PreambleFailed(TLSError):
    """TLS could not begin: a proxy, or a server that was asked for STARTTLS, has said no or something else.

    ``blame`` stays "unknown": whether they lack what was asked for, or were the wrong ones to ask, does not
    show.
    """


class AlertReceived(TLSError):
    """The peer ended the connection with a fatal alert. *It* found a fault; see ``description``."""

    blame = "peer"

    def __init__(self, description: int, detail: str) -> None:
        super().__init__(Reason.ALERT_RECEIVED, detail)
        self.description = description


class Misuse(TLSError):
    """Our own side: a configuration that cannot work, or a call at the wrong time."""

    blame = "us"
