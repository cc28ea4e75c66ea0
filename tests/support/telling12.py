"""A TLS 1.2 handshake written down by hand: what the engine would record, without the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pellucid.trace import CertificateSummary, Trace, TraceView

LEAF = CertificateSummary(subject="CN=localhost", issuer="CN=Lab Intermediate", key="RSA 2048 bits")
PREMASTER, MASTER = b"\x03\x03" + bytes(range(46)), bytes(range(100, 148))
RANDOM = b"\x07" * 32
Way = Literal["sent", "received"]


@dataclass
class Telling:
    """Records one handshake into ``trace``; the names of its methods are those of the steps."""

    trace: Trace
    suite: str = "TLS_RSA_WITH_AES_128_GCM_SHA256"
    mutual: bool = False
    extended: bool = True

    def __post_init__(self) -> None:
        self.client, self.server = self.trace.view("client"), self.trace.view("server")
        self.key_exchange = self.suite.removeprefix("TLS_").partition("_")[0]

    def flight(self, sender: TraceView, *names: str, size: int = 60) -> None:
        """Sent at once, as the messages of one flight are. Received one by one with ``arrive``."""
        for name in names:
            self.message(sender, "sent", name, size)

    def arrive(self, receiver: TraceView, name: str, size: int = 60) -> None:
        self.message(receiver, "received", name, size)

    def message(self, view: TraceView, way: Way, name: str, size: int) -> None:
        # The type is one that nobody knows, so that the bytes are not read.
        raw = (
            b"\x01"
            if name == "ChangeCipherSpec"
            else b"\xf0" + (size - 4).to_bytes(3, "big") + bytes(size - 4)
        )
        epoch = "session" if name == "Finished" else "plaintext"
        view.message(direction=way, name=name, raw=raw, encrypted=name == "Finished", epoch=epoch)

    def hello(self, session: str = "", rule: str = "the client brings no session") -> None:
        self.flight(self.client, "ClientHello")
        self.arrive(self.server, "ClientHello")
        self.server.choice(what="version", chosen="TLSv1.2", rule="the highest version that both have")
        self.server.check(what="extended_master_secret", expected="required", found="both have it", ok=True)
        self.server.choice(what="session", chosen=session, rule=rule)
        self.server.choice(what="cipher_suite", chosen=self.suite, rule="the server's most preferred")

    def answer(self) -> None:
        self.arrive(self.client, "ServerHello")
        self.client.choice(what="cipher_suite", chosen=self.suite, rule="the server chose it")
        self.client.check(what="compression_method", expected="null", found="null", ok=True)

    def master(self, view: TraceView) -> None:
        bound = ("session_hash", RANDOM) if self.extended else ("ClientHello.random", RANDOM)
        view.secret(
            name="master_secret",
            formula="PRF(premaster_secret, ...)",
            inputs=[("premaster_secret", PREMASTER), bound],
            value=MASTER,
        )
        self.keys(view)

    def keys(self, view: TraceView) -> None:
        view.secret(name="key_block", formula="PRF(master_secret, ...)", value=b"\x05" * 40)
        for part in ("key", "IV"):
            for side in ("client", "server"):
                view.secret(name=f"{side}_write_{part}", formula="key_block[...]", value=side.encode())

    def install(self, view: TraceView, direction: Literal["read", "write"]) -> None:
        view.keys(direction=direction, epoch="session", cipher_suite=self.suite, key=b"k" * 16, iv=b"i" * 4)

    def finish(self, sender: TraceView, receiver: TraceView) -> None:
        """[ChangeCipherSpec] Finished, and what the receiver does with them."""
        self.flight(sender, "ChangeCipherSpec")
        self.install(sender, "write")
        self.verify_data(sender, sender)
        self.flight(sender, "Finished", size=16)
        sender.record(direction="sent", content_type=20, length=1, encrypted=False, header=bytes(5))
        self.arrive(receiver, "ChangeCipherSpec")
        self.install(receiver, "read")
        self.arrive(receiver, "Finished", size=16)
        self.verify_data(receiver, sender)
        receiver.check(what="finished", expected=b"\xaa" * 12, found=b"\xaa" * 12, ok=True)

    def verify_data(self, view: TraceView, whose: TraceView) -> None:
        view.secret(name=f"{whose.side}_verify_data", formula="PRF(...)", value=whose.side.encode() * 2)

    def full(self) -> None:
        signs = self.key_exchange != "RSA"
        self.hello()
        between = [
            *(["ServerKeyExchange"] if signs else []),
            *(["CertificateRequest"] if self.mutual else []),
        ]
        self.flight(self.server, "ServerHello", "Certificate", *between, "ServerHelloDone")
        self.answer()
        self.arrive(self.client, "Certificate")
        self.client.certificate(whose="server", path=[LEAF], ok=True)
        for name in between:
            self.arrive(self.client, name)
            if name == "ServerKeyExchange":
                self.client.check(
                    what="server_key_exchange", expected="a signature", found="it holds", ok=True
                )
        self.arrive(self.client, "ServerHelloDone")
        if self.mutual:
            self.client.choice(what="client_certificate", chosen="CN=me", rule="the first that fits")
            self.flight(self.client, "Certificate")
        self.client.secret(name="premaster_secret", formula="made", value=PREMASTER)
        self.flight(self.client, "ClientKeyExchange")
        self.master(self.client)
        if self.mutual:
            self.flight(self.client, "CertificateVerify")
            self.arrive(self.server, "Certificate")
            self.server.certificate(whose="client", path=[LEAF], ok=True)
        self.arrive(self.server, "ClientKeyExchange")
        self.server.secret(name="premaster_secret", formula="made", value=PREMASTER)
        self.master(self.server)
        if self.mutual:
            self.arrive(self.server, "CertificateVerify")
            self.server.check(what="certificate_verify", expected="a signature", found="it holds", ok=True)
        self.finish(self.client, self.server)
        self.flight(self.server, "NewSessionTicket")
        self.arrive(self.client, "NewSessionTicket")
        self.finish(self.server, self.client)
        self.converse(resumed=False)

    def abbreviated(self) -> None:
        self.hello(session="session ID", rule="the cache has it")
        self.flight(self.server, "ServerHello")
        self.keys(self.server)
        self.answer()
        self.keys(self.client)
        self.finish(self.server, self.client)
        self.finish(self.client, self.server)
        self.converse(resumed=True)

    def converse(self, *, resumed: bool) -> None:
        for view in (self.client, self.server):
            view.outcome(
                status="connected",
                protocol="TLSv1.2",
                cipher_suite=self.suite,
                group="x25519" if self.key_exchange == "ECDHE" and not resumed else "",
                resumed=resumed,
            )
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            sender.data(direction="sent", length=11)
            receiver.data(direction="received", length=11)
        self.client.alert(direction="sent", level="warning", description="close_notify")
        self.server.alert(direction="received", level="warning", description="close_notify")


def told12(*, resumed: bool = False, **settings: object) -> Trace:
    """A trace of both sides."""
    trace = Trace(clock=lambda: 0.0)
    telling = Telling(trace, **settings)  # type: ignore[arg-type]
    if resumed:
        telling.abbreviated()
    else:
        telling.full()
    return trace
