"""The stacks side by side, behind one small interface, each used as its own documentation tells.

Both sides run in one process and one thread, and hand each other bytes as they would hand them to a socket.
All are asked for the version, suite and way of resuming of a `Setting`, for x25519 and one ticket, and to
check the server's chain and name. What a stack cannot do of this stands in its `remark`; what was negotiated
is asked of it.
"""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections import deque
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from material import SERVER_NAME, material

GROUP = "x25519"
CURVE = "secp256r1"  # the certificate's: a client of TLS 1.2 has to name it as well (RFC 8422 5.1)
TICKETS = 1  # that a server sends after a full handshake, where it can be told
READ = 16384  # one record's worth: more only makes the OpenSSL bindings allocate more


@dataclass(frozen=True)
class Setting:
    """What both sides are limited to, and how the client resumes: by ticket or by session ID."""

    protocol: str
    suite: str
    openssl_suite: str
    by_session_id: bool = False

    @property
    def tls12(self) -> bool:
        return self.protocol == "TLSv1.2"


TLS13 = Setting("TLSv1.3", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256")
TLS12 = Setting("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256")
TLS12_BY_ID = Setting(TLS12.protocol, TLS12.suite, TLS12.openssl_suite, by_session_id=True)


class Pair(Protocol):
    """An established connection: both sides, in memory."""

    @property
    def session(self) -> Any:
        """What the client can resume with."""

    @property
    def resumed(self) -> bool: ...

    @property
    def negotiated(self) -> str: ...

    def transfer(self, data: bytes) -> None:
        """One write by the server: sealed, moved, opened and read by the client to the last byte."""

    def close(self) -> None:
        """Both sides say close_notify, and go without hearing the other's."""


class Stack(Protocol):
    """One TLS implementation, with its contexts or configurations built once."""

    name: str
    version: str
    remark: str  # what it does not do as the others do

    def __init__(self, setting: Setting = TLS13) -> None: ...

    def connect(self, session: Any = None) -> Pair:
        """A whole handshake, full or resumed, until the client has read the server's tickets."""

    def forget(self) -> None:
        """Remember nothing of the servers met so far."""


class StandardSsl(Stack):
    """The standard library. Groups and TLS 1.3's suite come from OpenSSL's configuration (see `__main__`)."""

    name = "ssl"
    version = " ".join(ssl.OPENSSL_VERSION.split()[:2])
    remark = ""

    def __init__(self, setting: Setting = TLS13) -> None:
        made = material()
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.load_verify_locations(cadata=made.root_pem.decode())
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "server.pem")
            path.write_bytes(made.certificate_pem + made.key_pem)
            self._server.load_cert_chain(path)
        self._server.num_tickets = TICKETS
        only = ssl.TLSVersion.TLSv1_2 if setting.tls12 else ssl.TLSVersion.TLSv1_3
        for context in (self._client, self._server):
            context.minimum_version = context.maximum_version = only
            if setting.tls12:
                context.set_ciphers(setting.openssl_suite)
            if setting.by_session_id:
                context.options |= ssl.OP_NO_TICKET

    def connect(self, session: Any = None) -> Pair:
        return SslPair(self._client, self._server, session)


class SslPair:
    def __init__(self, client_context: ssl.SSLContext, server_context: ssl.SSLContext, session: Any) -> None:
        self._to_client, self._from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._to_server, self._from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._client = client_context.wrap_bio(
            self._to_client, self._from_client, server_hostname=SERVER_NAME, session=session
        )
        self._server = server_context.wrap_bio(self._to_server, self._from_server, server_side=True)
        for _ in range(2):
            with contextlib.suppress(ssl.SSLWantReadError):
                self._client.do_handshake()
            self._to_server.write(self._from_client.read())
            with contextlib.suppress(ssl.SSLWantReadError):
                self._server.do_handshake()
            self._to_client.write(self._from_server.read())
        with contextlib.suppress(ssl.SSLWantReadError):
            self._client.read(READ)  # the tickets

    @property
    def session(self) -> Any:
        return self._client.session

    @property
    def resumed(self) -> bool:
        return bool(self._client.session_reused)

    @property
    def negotiated(self) -> str:
        cipher = self._client.cipher()
        return f"{self._client.version()} {cipher[0] if cipher else ''}"

    def transfer(self, data: bytes) -> None:
        self._server.write(data)
        self._to_client.write(self._from_server.read())
        left = len(data)
        while left:
            left -= len(self._client.read(READ))

    def close(self) -> None:
        for side in (self._client, self._server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.unwrap()


class PyOpenSsl(Stack):
    """It has no call for a name check or for "was it resumed": both go through the bindings below it."""

    name = "pyOpenSSL"
    remark = "sends two tickets in TLS 1.3"

    def __init__(self, setting: Setting = TLS13) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from OpenSSL import SSL

        made = material()
        self.version = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode().rsplit(" ", 3)[0]
        self._client, self._server = SSL.Context(SSL.TLS_CLIENT_METHOD), SSL.Context(SSL.TLS_SERVER_METHOD)
        for context in (self._client, self._server):
            only = SSL.TLS1_2_VERSION if setting.tls12 else SSL.TLS1_3_VERSION
            context.set_min_proto_version(only)
            context.set_max_proto_version(only)
            if setting.tls12:
                context.set_cipher_list(setting.openssl_suite.encode())
            else:
                context.set_tls13_ciphersuites(setting.suite.encode())
            if setting.by_session_id:
                context.set_options(SSL.OP_NO_TICKET)
        store = self._client.get_cert_store()
        assert store is not None
        store.add_cert(_pyopenssl_certificate(made.root_pem))
        self._client.set_verify(SSL.VERIFY_PEER)
        self._server.use_certificate(x509.load_pem_x509_certificate(made.certificate_pem))
        key = load_pem_private_key(made.key_pem, None)
        self._server.use_privatekey(key)  # type: ignore[arg-type]  # it is an EC key
        self._server.set_session_id(b"bench")

    def connect(self, session: Any = None) -> Pair:
        return PyOpenSslPair(self._client, self._server, session)


def _pyopenssl_certificate(pem: bytes) -> Any:
    from OpenSSL import crypto

    return crypto.load_certificate(crypto.FILETYPE_PEM, pem)


class PyOpenSslPair:
    def __init__(self, client_context: Any, server_context: Any, session: Any) -> None:
        from OpenSSL import SSL
        from OpenSSL._util import lib

        self._want_read, self._lib = SSL.WantReadError, lib
        self._client = SSL.Connection(client_context, None)
        self._server = SSL.Connection(server_context, None)
        name = SERVER_NAME.encode()
        self._client.set_tlsext_host_name(name)
        lib.X509_VERIFY_PARAM_set1_host(lib.SSL_get0_param(self._client._ssl), name, len(name))
        self._client.set_connect_state()
        self._server.set_accept_state()
        if session is not None:
            self._client.set_session(session)
        for _ in range(2):
            for side, other in ((self._client, self._server), (self._server, self._client)):
                with contextlib.suppress(SSL.WantReadError):
                    side.do_handshake()
                with contextlib.suppress(SSL.WantReadError):
                    other.bio_write(side.bio_read(READ))
        with contextlib.suppress(SSL.WantReadError):
            self._client.recv(READ)  # the tickets

    @property
    def session(self) -> Any:
        return self._client.get_session()

    @property
    def resumed(self) -> bool:
        return bool(self._lib.SSL_session_reused(self._client._ssl))

    @property
    def negotiated(self) -> str:
        client = self._client
        return f"{client.get_protocol_version_name()} {client.get_cipher_name()} {client.get_group_name()}"

    def transfer(self, data: bytes) -> None:
        client, server = self._client, self._server
        server.sendall(data)
        left = len(data)
        while left:
            with contextlib.suppress(self._want_read):
                client.bio_write(server.bio_read(READ + 1024))
            with contextlib.suppress(self._want_read):
                while left:
                    left -= len(client.recv(READ))

    def close(self) -> None:
        self._client.shutdown()
        self._server.shutdown()


class Pellucid(Stack):
    """The API of docs/design.md section 5, nothing else."""

    name = "pellucid"
    remark = ""

    def __init__(self, setting: Setting = TLS13) -> None:
        from pellucid import ClientConfig, Credential, ServerConfig, TrustStore, __version__
        from pellucid.sessions import Session, SessionStore

        kept = SessionStore()

        class Unused(SessionStore):
            """Keeps the sessions, as any client does, and gives none out: for full handshakes."""

            def put(self, session: Session) -> None:
                kept.put(session)

            def take(self, server_name: str | None, now: float, scope: bytes = b"") -> None:  # noqa: ARG002 - as the store has it
                return None

        made = material()
        self.version = f"{__version__} on cryptography {version('cryptography')}"
        groups = (GROUP, CURVE) if setting.tls12 else (GROUP,)
        chosen: Any = {"protocols": (setting.protocol,), "cipher_suites": (setting.suite,), "groups": groups}
        self._trust = trust = TrustStore.from_pem(made.root_pem)
        credential = Credential.from_pem(made.certificate_pem, made.key_pem)
        tickets: Any = {"tickets": not setting.by_session_id, "tickets_per_handshake": TICKETS}
        self._server = ServerConfig(credentials=[credential], **tickets, **chosen)
        self._fresh = ClientConfig(trust=trust, sessions=Unused(), **chosen)
        self._resuming = ClientConfig(trust=trust, sessions=kept, **chosen)

    def forget(self) -> None:
        self._trust.accepted.clear()

    def connect(self, session: Any = None) -> Pair:
        # A client keeps its sessions in its configuration's store, and takes one out for each connection.
        return PellucidPair(self._fresh if session is None else self._resuming, self._server)


class PellucidPair:
    def __init__(self, client_config: Any, server_config: Any) -> None:
        from pellucid import ClientConnection, ServerConnection

        self.session = True  # what there is to resume with lies in the configuration's store
        self._client = ClientConnection(client_config, server_name=SERVER_NAME)
        self._server = ServerConnection(server_config)
        self._server.receive_data(self._client.data_to_send())
        self._client.receive_data(self._server.data_to_send())
        self._server.receive_data(self._client.data_to_send())
        self._client.receive_data(self._server.data_to_send())  # the tickets

    @property
    def resumed(self) -> bool:
        return bool(self._client.negotiated.resumed)

    @property
    def negotiated(self) -> str:
        agreed = self._client.negotiated
        return f"{agreed.protocol.label} {agreed.cipher_suite.name} {agreed.group.name}"

    def transfer(self, data: bytes) -> None:
        client, server = self._client, self._server
        server.send_data(data)
        left = len(data)
        while left:
            for event in client.receive_data(server.data_to_send()):
                left -= len(event.data)

    def close(self) -> None:
        for side in (self._client, self._server):
            side.close()
            side.data_to_send()


class MemorySocket:
    """As much of a non-blocking socket as tlslite-ng asks for, its other end another one in memory."""

    def __init__(self) -> None:
        self.peer: MemorySocket
        self.received: deque[bytes] = deque()

    def send(self, data: bytes) -> int:
        self.peer.received.append(bytes(data))
        return len(data)

    sendall = send

    def close(self) -> None:
        """Nothing is held."""

    def recv(self, size: int) -> bytes:
        if not self.received:
            raise BlockingIOError(11, "nothing to read")
        data = self.received.popleft()
        if len(data) > size:
            self.received.appendleft(data[size:])
        return data[:size]


class TlsliteNg(Stack):
    """tlslite-ng checks no chain: that is left to its caller."""

    name = "tlslite-ng"
    remark = "checks neither chain nor name"

    def __init__(self, setting: Setting = TLS13) -> None:
        from tlslite.api import X509, HandshakeSettings, SessionCache, X509CertChain, parsePEMKey

        made = material()
        self.version = version("tlslite-ng")
        certificate = X509()
        certificate.parse(made.certificate_pem.decode())
        key = parsePEMKey(made.key_pem.decode(), private=True)
        self._identity = {"certChain": X509CertChain([certificate]), "privateKey": key}
        self._client, self._server = HandshakeSettings(), HandshakeSettings()
        for settings in (self._client, self._server):
            settings.minVersion = settings.maxVersion = (3, 3) if setting.tls12 else (3, 4)
            settings.cipherNames = ["aes128gcm"]
            settings.keyShares = [GROUP]
            settings.eccCurves = [GROUP, CURVE]
        if setting.by_session_id:
            self._identity["sessionCache"] = SessionCache()
        else:
            self._server.ticketKeys = [bytearray(range(32))]
            self._server.ticket_count = TICKETS

    def connect(self, session: Any = None) -> Pair:
        return TlslitePair(self._client, self._server, self._identity, session)


class TlslitePair:
    def __init__(self, client_settings: Any, server_settings: Any, identity: Any, session: Any) -> None:
        from tlslite.api import TLSConnection

        ends = MemorySocket(), MemorySocket()
        ends[0].peer, ends[1].peer = ends[1], ends[0]
        self._client, self._server = (TLSConnection(end) for end in ends)
        client = self._client.handshakeClientCert(
            session=session, settings=client_settings, serverName=SERVER_NAME, async_=True
        )
        server = self._server.handshakeServerAsync(**identity, settings=server_settings)
        running = [client, server]
        while running:
            running = [side for side in running if next(side, None) is not None]
        next(self._client.readAsync(1), None)  # the tickets

    @property
    def session(self) -> Any:
        return self._client.session

    @property
    def resumed(self) -> bool:
        return bool(self._client.resumed)

    @property
    def negotiated(self) -> str:
        from tlslite.constants import CipherSuite, GroupName

        suite = CipherSuite.ietfNames[self._client.session.cipherSuite]
        protocol = self._client.getVersionName().replace(" ", "v")
        return f"{protocol} {suite} {GroupName.toStr(self._client.ecdhCurve)}"

    def transfer(self, data: bytes) -> None:
        for _ in self._server.writeAsync(data):
            pass
        left = len(data)
        while left:
            for result in self._client.readAsync(left):
                if isinstance(result, bytes | bytearray):
                    left -= len(result)
                    break

    def close(self) -> None:
        for side in (self._client, self._server):
            next(side.closeAsync(), None)


STACKS: dict[str, type[Stack]] = {
    stack.name: stack for stack in (Pellucid, StandardSsl, PyOpenSsl, TlsliteNg)
}
