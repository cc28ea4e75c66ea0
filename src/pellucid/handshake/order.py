"""Which message may come when, as a table: RFC 9846 appendix A redrawn, and the figures of RFC 5246 7.3.

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

#: RFC 5246 7.3, and RFC 5077 3.1 for tickets. ChangeCipherSpec has its place, though no handshake message.
#: A ClientHello after a HelloRetryRequest never leads here.
CLIENT_12: Order = {
    "START": {("sent", "ClientHello"): "WAIT_SH"},
    "WAIT_SH": {("received", "ServerHello"): "RECVD_SH"},
    "RECVD_SH": {
        ("received", "Certificate"): "RECVD_CERT",
        # From here on in the figure of the abbreviated handshake: a session is resumed.
        ("received", "NewSessionTicket"): "WAIT_CCS_RESUMED",
        ("received", "ChangeCipherSpec"): "WAIT_FINISHED_RESUMED",
    },
    "RECVD_CERT": {
        ("received", "CertificateStatus"): "RECVD_STATUS",
        ("received", "ServerKeyExchange"): "WAIT_CR",
        ("received", "CertificateRequest"): "WAIT_SHD_ASKED",
        ("received", "ServerHelloDone"): "SEND_CKE",
    },
    "RECVD_STATUS": {
        ("received", "ServerKeyExchange"): "WAIT_CR",
        ("received", "CertificateRequest"): "WAIT_SHD_ASKED",
        ("received", "ServerHelloDone"): "SEND_CKE",
    },
    "WAIT_CR": {
        ("received", "CertificateRequest"): "WAIT_SHD_ASKED",
        ("received", "ServerHelloDone"): "SEND_CKE",
    },
    "WAIT_SHD_ASKED": {("received", "ServerHelloDone"): "SEND_CERT"},
    "SEND_CERT": {
        ("sent", "Certificate"): "SEND_CKE_SHOWN",
        ("sent", EMPTY_CERTIFICATE): "SEND_CKE",
    },
    "SEND_CKE": {("sent", "ClientKeyExchange"): "SEND_CCS"},
    "SEND_CKE_SHOWN": {("sent", "ClientKeyExchange"): "SEND_CV"},
    "SEND_CV": {("sent", "CertificateVerify"): "SEND_CCS"},
    "SEND_CCS": {("sent", "ChangeCipherSpec"): "SEND_FINISHED"},
    "SEND_FINISHED": {("sent", "Finished"): "SENT_FINISHED"},
    "SENT_FINISHED": {
        ("received", "NewSessionTicket"): "WAIT_CCS",
        ("received", "ChangeCipherSpec"): "WAIT_FINISHED",
    },
    "WAIT_CCS": {("received", "ChangeCipherSpec"): "WAIT_FINISHED"},
    "WAIT_FINISHED": {("received", "Finished"): "CONNECTED"},
    "WAIT_CCS_RESUMED": {("received", "ChangeCipherSpec"): "WAIT_FINISHED_RESUMED"},
    "WAIT_FINISHED_RESUMED": {("received", "Finished"): "SEND_CCS_RESUMED"},
    "SEND_CCS_RESUMED": {("sent", "ChangeCipherSpec"): "SEND_FINISHED_RESUMED"},
    "SEND_FINISHED_RESUMED": {("sent", "Finished"): "CONNECTED"},
    # Answered by a warning, no_renegotiation.
    "CONNECTED": {("received", "HelloRequest"): "CONNECTED"},
}

SERVER_12: Order = {
    "START": {("received", "ClientHello"): "SEND_SH"},
    "SEND_SH": {("sent", "ServerHello"): "SENT_SH"},
    "SENT_SH": {
        ("sent", "Certificate"): "SENT_CERT",
        ("sent", "NewSessionTicket"): "SEND_CCS_RESUMED",
        ("sent", "ChangeCipherSpec"): "SEND_FINISHED_RESUMED",
    },
    "SENT_CERT": {
        ("sent", "CertificateStatus"): "SENT_STATUS",
        ("sent", "ServerKeyExchange"): "SENT_SKE",
        ("sent", "CertificateRequest"): "SEND_SHD_ASKING",
        ("sent", "ServerHelloDone"): "WAIT_CKE",
    },
    "SENT_STATUS": {
        ("sent", "ServerKeyExchange"): "SENT_SKE",
        ("sent", "CertificateRequest"): "SEND_SHD_ASKING",
        ("sent", "ServerHelloDone"): "WAIT_CKE",
    },
    "SENT_SKE": {
        ("sent", "CertificateRequest"): "SEND_SHD_ASKING",
        ("sent", "ServerHelloDone"): "WAIT_CKE",
    },
    "SEND_SHD_ASKING": {("sent", "ServerHelloDone"): "WAIT_CERT"},
    "WAIT_CERT": {
        ("received", "Certificate"): "WAIT_CKE_SHOWN",
        ("received", EMPTY_CERTIFICATE): "WAIT_CKE",
    },
    "WAIT_CKE": {("received", "ClientKeyExchange"): "WAIT_CCS"},
    "WAIT_CKE_SHOWN": {("received", "ClientKeyExchange"): "WAIT_CV"},
    "WAIT_CV": {("received", "CertificateVerify"): "WAIT_CCS"},
    "WAIT_CCS": {("received", "ChangeCipherSpec"): "WAIT_FINISHED"},
    "WAIT_FINISHED": {("received", "Finished"): "RECVD_FINISHED"},
    "RECVD_FINISHED": {
        ("sent", "NewSessionTicket"): "SEND_CCS",
        ("sent", "ChangeCipherSpec"): "SEND_FINISHED",
    },
    "SEND_CCS": {("sent", "ChangeCipherSpec"): "SEND_FINISHED"},
    "SEND_FINISHED": {("sent", "Finished"): "CONNECTED"},
    "SEND_CCS_RESUMED": {("sent", "ChangeCipherSpec"): "SEND_FINISHED_RESUMED"},
    "SEND_FINISHED_RESUMED": {("sent", "Finished"): "WAIT_CCS_RESUMED"},
    "WAIT_CCS_RESUMED": {("received", "ChangeCipherSpec"): "WAIT_FINISHED_RESUMED"},
    "WAIT_FINISHED_RESUMED": {("received", "Finished"): "CONNECTED"},
    "CONNECTED": {("received", "ClientHello"): "CONNECTED"},
}

Version = Literal["TLSv1.3", "TLSv1.2"]

ORDERS: dict[tuple[Version, Side], Order] = {
    ("TLSv1.3", "client"): CLIENT_13,
    ("TLSv1.3", "server"): SERVER_13,
    ("TLSv1.2", "client"): CLIENT_12,
    ("TLSv1.2", "server"): SERVER_12,
}
