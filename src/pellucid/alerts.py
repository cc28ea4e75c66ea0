"""From an error to the alert that the peer is sent: one total function, and the only one."""

from pellucid.codes import AlertDescription, ProtocolVersion
from pellucid.errors import Reason, TLSError

_A = AlertDescription

#: RFC 9846 6.2 says which alert goes with which fault; None: nothing is to be sent.
ALERTS: dict[Reason, AlertDescription | None] = {
    # A plain-HTTP peer cannot read an alert, and bytes of ours might confuse it further.
    Reason.NOT_TLS: None,
    Reason.STARTTLS_INJECTION: None,  # TLS has not begun, as in all of these
    Reason.STARTTLS_NOT_OFFERED: None,
    Reason.STARTTLS_REFUSED: None,
    Reason.STARTTLS_WRONG_PROTOCOL: None,
    Reason.PROXY_AUTHENTICATION_FAILED: None,
    Reason.PROXY_REFUSED: None,
    Reason.PROXY_CANNOT_CONNECT: None,
    Reason.NOT_A_PROXY: None,
    Reason.UNEXPECTED_MESSAGE: _A.unexpected_message,
    Reason.UNEXPECTED_RECORD: _A.unexpected_message,
    Reason.BAD_CHANGE_CIPHER_SPEC: _A.unexpected_message,
    Reason.MESSAGE_ACROSS_KEY_CHANGE: _A.unexpected_message,
    Reason.BAD_RECORD_MAC: _A.bad_record_mac,
    Reason.RECORD_OVERFLOW: _A.record_overflow,
    Reason.TOO_MANY_EMPTY_RECORDS: _A.unexpected_message,
    Reason.TOO_MANY_ALERTS: _A.unexpected_message,
    Reason.TOO_MANY_KEY_UPDATES: _A.unexpected_message,
    Reason.TOO_MANY_CHANGE_CIPHER_SPECS: _A.unexpected_message,
    Reason.TOO_MANY_TICKETS: _A.unexpected_message,
    # RFC 9846 4.7.1: "SHOULD terminate the connection with an "unexpected_message" alert"
    Reason.TOO_MUCH_EARLY_DATA: _A.unexpected_message,
    Reason.MESSAGE_TOO_LONG: _A.illegal_parameter,
    Reason.FORBIDDEN_EXTENSION: _A.illegal_parameter,
    Reason.UNSOLICITED_EXTENSION: _A.unsupported_extension,
    Reason.ILLEGAL_PARAMETER: _A.illegal_parameter,
    Reason.WRONG_LEGACY_VERSION: _A.protocol_version,
    Reason.WRONG_COMPRESSION_METHOD: _A.illegal_parameter,
    Reason.WRONG_SESSION_ID_ECHO: _A.illegal_parameter,
    Reason.SUITE_NOT_OFFERED: _A.illegal_parameter,
    Reason.GROUP_NOT_OFFERED: _A.illegal_parameter,
    Reason.VERSION_NOT_OFFERED: _A.illegal_parameter,
    Reason.SCHEME_NOT_OFFERED: _A.illegal_parameter,
    Reason.ALPN_NOT_OFFERED: _A.illegal_parameter,
    Reason.PSK_NOT_OFFERED: _A.illegal_parameter,
    Reason.INVALID_KEY_SHARE: _A.illegal_parameter,
    # RFC 7919 3 and 4 want this one for a share that is out of range, in TLS 1.2.
    Reason.INVALID_DH_SHARE: _A.handshake_failure,
    Reason.DUPLICATE_KEY_SHARE: _A.illegal_parameter,
    Reason.POINTLESS_HELLO_RETRY: _A.illegal_parameter,
    Reason.HELLO_RETRY_CHANGED: _A.illegal_parameter,
    Reason.DOWNGRADE_DETECTED: _A.illegal_parameter,
    # RFC 5746 3.4: the client "MUST abort the handshake (by sending a fatal handshake_failure alert)"
    Reason.BAD_RENEGOTIATION_INFO: _A.handshake_failure,
    # RFC 7627 5.2: "abort the handshake" is "terminating the handshake by sending a fatal
    # "handshake_failure" alert."
    Reason.EXTENDED_MASTER_SECRET_CHANGED: _A.handshake_failure,
    Reason.SESSION_MISMATCH: _A.illegal_parameter,
    Reason.TOO_MANY_RENEGOTIATIONS: _A.unexpected_message,
    Reason.BAD_SIGNATURE: _A.decrypt_error,
    Reason.BAD_FINISHED: _A.decrypt_error,
    Reason.BAD_PSK_BINDER: _A.decrypt_error,
    # RFC 9846 4.5.1.3: "the client MUST abort the handshake with a "decode_error" alert"
    Reason.EMPTY_CERTIFICATE: _A.decode_error,
    # RFC 9846 6.1: "Each party MUST send a "close_notify" alert before closing its write side".
    Reason.TRUNCATED: _A.close_notify,
    Reason.CLOSED_DURING_HANDSHAKE: _A.close_notify,
    Reason.MALFORMED: _A.decode_error,
    Reason.NO_SHARED_VERSION: _A.protocol_version,
    Reason.NO_SHARED_CIPHER_SUITE: _A.handshake_failure,
    Reason.NO_SHARED_GROUP: _A.handshake_failure,
    # RFC 7919 4 wants this one where the client's finite fields are none of ours.
    Reason.NO_SHARED_DH_GROUP: _A.insufficient_security,
    Reason.NO_SHARED_SIGNATURE_SCHEME: _A.handshake_failure,
    Reason.NO_SUITABLE_CERTIFICATE: _A.handshake_failure,
    # RFC 7250 4.2: without a type in common, "a fatal alert of type "unsupported_certificate"."
    Reason.NO_SHARED_CERTIFICATE_TYPE: _A.unsupported_certificate,
    Reason.NO_SHARED_APPLICATION_PROTOCOL: _A.no_application_protocol,
    # RFC 7507 3 has an alert of its own for it.
    Reason.INAPPROPRIATE_FALLBACK: _A.inappropriate_fallback,
    Reason.EXTENDED_MASTER_SECRET_MISSING: _A.handshake_failure,
    # RFC 5746 4.1: such clients "MUST generate a fatal "handshake_failure" alert"
    Reason.NO_SECURE_RENEGOTIATION: _A.handshake_failure,
    # RFC 7919 3.1: what a client sends that finds the server's group too weak.
    Reason.WEAK_DH_GROUP: _A.insufficient_security,
    Reason.MISSING_EXTENSION: _A.missing_extension,
    Reason.UNRECOGNIZED_NAME: _A.unrecognized_name,
    Reason.CLIENT_CERTIFICATE_MISSING: _A.certificate_required,
    Reason.MISSING_INTERMEDIATE: _A.unknown_ca,
    Reason.UNKNOWN_ROOT: _A.unknown_ca,
    Reason.SELF_SIGNED: _A.unknown_ca,
    Reason.HOSTNAME_MISMATCH: _A.bad_certificate,
    Reason.NO_SUBJECT_ALTERNATIVE_NAME: _A.bad_certificate,
    Reason.CERTIFICATE_EXPIRED: _A.certificate_expired,
    # RFC 9846 6.2: certificate_expired is for one that "has expired or is not currently valid"
    Reason.CERTIFICATE_NOT_YET_VALID: _A.certificate_expired,
    Reason.WRONG_PURPOSE: _A.unsupported_certificate,
    Reason.WEAK_KEY: _A.bad_certificate,
    Reason.STRICT_PROFILE_ONLY: _A.bad_certificate,
    Reason.CERTIFICATE_REVOKED: _A.certificate_revoked,
    # RFC 6066 8: "abort the handshake if the response is not satisfactory with
    # bad_certificate_status_response(113) alert."
    Reason.BAD_CERTIFICATE_STATUS: _A.bad_certificate_status_response,
    # One that should have been stapled and was not is not satisfactory either.
    Reason.MUST_STAPLE_MISSING: _A.bad_certificate_status_response,
    # RFC 9846 6.2: "Some other (unspecified) issue arose in processing the certificate"
    Reason.REVOCATION_UNKNOWN: _A.certificate_unknown,
    Reason.BAD_CERTIFICATE: _A.bad_certificate,
    Reason.UNSUPPORTED_CERTIFICATE: _A.unsupported_certificate,
    Reason.ISSUER_NOT_A_CA: _A.bad_certificate,
    Reason.CERTIFICATE_CHAIN_TOO_LONG: _A.bad_certificate,
    # The same.
    Reason.NAME_CONSTRAINT_VIOLATED: _A.certificate_unknown,
    Reason.KEY_NOT_PINNED: _A.certificate_unknown,
    Reason.RAW_KEY_NOT_TRUSTED: _A.certificate_unknown,
    # RFC 9846 6.2: "when access control was applied, the sender decided not to proceed with negotiation"
    Reason.CLIENT_NOT_ALLOWED: _A.access_denied,
    Reason.CERTIFICATE_REJECTED: _A.certificate_unknown,
    # RFC 9846 6.2: upon receipt of a fatal alert both parties close "immediately"
    Reason.ALERT_RECEIVED: None,
    Reason.BAD_CONFIGURATION: _A.internal_error,
    Reason.BAD_CERTIFICATE_FILE: _A.internal_error,
    Reason.BAD_SERVER_NAME: _A.internal_error,
    Reason.KEY_DOES_NOT_MATCH_CERTIFICATE: _A.internal_error,
    # Calls at the wrong time are told to the caller; the connection itself goes on.
    Reason.HANDSHAKE_NOT_COMPLETE: None,
    Reason.CONNECTION_CLOSED: None,
    Reason.NOT_EXPORTABLE: None,
    Reason.CONNECTION_FAILED: None,
    Reason.SIGNING_FAILED: _A.internal_error,
    Reason.KEY_LIMIT_REACHED: _A.internal_error,
    Reason.TIMEOUT: _A.user_canceled,
    Reason.INTERNAL_ERROR: _A.internal_error,
}


#: What TLS 1.2 says otherwise, for it lacks the alerts: RFC 5246 7.4.6 has handshake_failure for a client
#: without the certificate that it needs.
ALERTS_12: dict[Reason, AlertDescription] = {
    Reason.CLIENT_CERTIFICATE_MISSING: _A.handshake_failure,
}


def alert_for(error: TLSError, version: ProtocolVersion | None = None) -> AlertDescription | None:
    """The alert that tells the peer about ``error``, or None where it is told nothing.

    ``version``: the one spoken, None before it is agreed on.
    """
    if version is ProtocolVersion.TLSv1_2 and error.reason in ALERTS_12:
        return ALERTS_12[error.reason]
    return ALERTS[error.reason]
