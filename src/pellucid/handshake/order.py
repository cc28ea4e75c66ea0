"""Which message may come when, as a table: RFC 9846 appendix A, redrawn.

The flows do not read it. It is the oracle that tests hold every recorded handshake against, and what the
diagrams are drawn from: two descriptions of one thing, so that a slip in either shows.

State -> {(direction, message): next state}. Directions are the side's own.
"""

from typing import Literal

Side = Literal["client", "server"]
Step = tuple[Literal["sent", "received"], str]
Order = dict[str, dict[Step, str]]

#: A Certificate without certificates counts as a message of its own: there is no key to sign with, so no
#: CertificateVerify follows it, while behind any other Certificate there must be one.
EMPTY_CERTIFICATE = "empty Certificate"

CLIENT_13: Order = {
    "START": {("sent", "ClientHello"): "WAIT_SH"},
    "WAIT_SH": {
        ("received", "HelloRetryRequest"): "RETRY",
        ("received", "ServerHello"): "WAIT_EE",
    },
    "RETRY": {("sent", "ClientHello"): "WAIT_SH_2"},
    # RFC 9846 4.2.4: no second HelloRetryRequest.
    "WAIT_SH_2": {("received", "ServerHello"): "WAIT_EE"},
    "WAIT_EE": {("received", "EncryptedExtensions"): "WAIT_CERT_CR"},
    "WAIT_CERT_CR": {
        # With a PSK there are no certificates: the state is WAIT_FINISHED by then.
        ("received", "Finished"): "SEND_FINISHED",
        ("received", "CertificateRequest"): "WAIT_CERT",
        ("received", "Certificate"): "WAIT_CV",
    },
    "WAIT_CERT": {("received", "Certificate"): "WAIT_CV_ASKED"},
    "WAIT_CV": {("received", "CertificateVerify"): "WAIT_FINISHED"},
    "WAIT_CV_ASKED": {("received", "CertificateVerify"): "WAIT_FINISHED_ASKED"},
    "WAIT_FINISHED": {("received", "Finished"): "SEND_FINISHED"},
    "WAIT_FINISHED_ASKED": {("received", "Finished"): "SEND_CERTIFICATE"},
    "SEND_CERTIFICATE": {
        ("sent", "Certificate"): "SEND_CV",
        ("sent", EMPTY_CERTIFICATE): "SEND_FINISHED",
    },
    "SEND_CV": {("sent", "CertificateVerify"): "SEND_FINISHED"},
    "SEND_FINISHED": {("sent", "Finished"): "CONNECTED"},
    "CONNECTED": {
        ("received", "NewSessionTicket"): "CONNECTED",
        ("received", "KeyUpdate"): "CONNECTED",
        ("sent", "KeyUpdate"): "CONNECTED",
    },
}

SERVER_13: Order = {
    "START": {("received", "ClientHello"): "RECVD_CH"},
    "RECVD_CH": {
        ("sent", "HelloRetryRequest"): "START_2",
        ("sent", "ServerHello"): "NEGOTIATED",
    },
    "START_2": {("received", "ClientHello"): "RECVD_CH_2"},
    "RECVD_CH_2": {("sent", "ServerHello"): "NEGOTIATED"},
    "NEGOTIATED": {("sent", "EncryptedExtensions"): "SEND_CERT_CR"},
    "SEND_CERT_CR": {
        ("sent", "Finished"): "WAIT_FINISHED",
        ("sent", "CertificateRequest"): "SEND_CERT_ASKING",
        ("sent", "Certificate"): "SEND_CV",
    },
    "SEND_CV": {("sent", "CertificateVerify"): "SEND_FINISHED"},
    "SEND_FINISHED": {("sent", "Finished"): "WAIT_FINISHED"},
    "SEND_CERT_ASKING": {("sent", "Certificate"): "SEND_CV_ASKING"},
    "SEND_CV_ASKING": {("sent", "CertificateVerify"): "SEND_FINISHED_ASKING"},
    "SEND_FINISHED_ASKING": {("sent", "Finished"): "WAIT_CERT"},
    "WAIT_CERT": {
        ("received", "Certificate"): "WAIT_CV",
        ("received", EMPTY_CERTIFICATE): "WAIT_FINISHED",
    },
    "WAIT_CV": {("received", "CertificateVerify"): "WAIT_FINISHED"},
    "WAIT_FINISHED": {("received", "Finished"): "CONNECTED"},
    "CONNECTED": {
        ("sent", "NewSessionTicket"): "CONNECTED",
        ("received", "KeyUpdate"): "CONNECTED",
        ("sent", "KeyUpdate"): "CONNECTED",
    },
}

ORDERS: dict[Side, Order] = {"client": CLIENT_13, "server": SERVER_13}
