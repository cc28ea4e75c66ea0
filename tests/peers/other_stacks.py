"""Conversations between programs of other stacks, recorded: all kinds that pellucid should be able to read.

The key log is one of the two's own, or there is the server's key of RSA instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from browser import CHROMIUM, Browser
from ours import Pki
from recorded import Relay
from support import PeerProcess, openssl_s_client, openssl_s_server, program, run_peer
from with_gnutls import TLS12, TLS13, echoing, gnutls_cli
from with_openssl import identity, options_off

#: An OCSPResponse (RFC 6960 4.2.1) without a response in it: "unauthorized".
UNAUTHORIZED = bytes.fromhex("30030a0106")


@dataclass(frozen=True)
class Recording:
    """A capture, and what opens it: a key log, which may be empty, or the key of the server's certificate."""

    capture: Path
    key_log: Path
    connections: int
    server_key: Path | None = None

    @property
    def tshark_options(self) -> tuple[str, ...]:
        """How tshark can open it."""
        if self.server_key:
            return ("-o", f'uat:rsa_keys:"{self.server_key}",""')
        return ("-o", f"tls.keylog_file:{self.key_log}")


@dataclass(frozen=True)
class Kind:
    """Two programs: what they are told, and how they converse.

    ``again``: what a second client is told. "{session}" and the like, in all that they are told, are files.
    ``without``: options of OpenSSL that both have switched off. ``by_key``: there is no key log.
    """

    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    again: tuple[str, ...] | None = None
    certificate: str = "ecdsa"
    without: tuple[str, ...] = ()
    acts: str = "lines"
    by_key: bool = False
    needs: tuple[str, ...] = ("openssl",)


class Stage:
    """The files that the two programs want, in one folder."""

    def __init__(self, pki: Pki, folder: Path, kind: Kind) -> None:
        self.pki, self.kind = pki, kind
        self.capture, self.key_log = folder / "capture", folder / "keys"
        self.key_log.touch()
        chain, key = pki.client_files()
        self.files = {name: folder / name for name in ("session", "ocsp", "early")}
        (folder / "much").write_bytes(bytes(range(256)) * 400)  # several records
        self.files["ocsp"].write_bytes(UNAUTHORIZED)
        self.files["early"].write_bytes(b"early words\n")
        self.files |= {"client_chain": chain, "client_key": key, "intermediate": pki.intermediate}
        self.files |= {"root": pki.root, "other_root": pki.other_root}
        self.environment = options_off(folder, *kind.without) if kind.without else {}
        self.logging = {} if kind.by_key else {"SSLKEYLOGFILE": str(self.key_log)}

    def told(self, words: tuple[str, ...]) -> list[str]:
        return [word.format(**self.files) for word in words]

    def recorded(self, relay: Relay) -> Recording:
        self.capture.write_bytes(relay.capture())
        server_key = self.pki.files(self.kind.certificate)[1] if self.kind.by_key else None
        return Recording(self.capture, self.key_log, relay.connections, server_key)


# -- openssl s_client and s_server

GCM = "ECDHE-ECDSA-AES128-GCM-SHA256"
CAMELLIA, GCM_BY_PSK = "ECDHE-ECDSA-CAMELLIA128-SHA256", "PSK-AES128-GCM-SHA256"
CCM8 = "ECDHE-ECDSA-AES128-CCM8"
ASKING = ("-Verify", "2", "-verify_return_error", "-CAfile", "{root}")
ASKING_OTHERS = ("-Verify", "2", "-verify_return_error", "-CAfile", "{other_root}")
SHOWING = ("-cert", "{client_chain}", "-key", "{client_key}", "-cert_chain", "{intermediate}")
DISTRUSTING = ("-CAfile", "{other_root}", "-verify_return_error")
KEEPING, RESUMING = ("-sess_out", "{session}"), ("-sess_in", "{session}")
PSK = "1f2e3d4c5b6a79880011223344556677"
STAPLING = ("-status_file", "{ocsp}")


def suites13(name: str) -> tuple[str, str]:
    return ("-ciphersuites", name)


def suites12(name: str) -> tuple[str, str]:
    return ("-cipher", f"{name}:@SECLEVEL=0")


def openssl13(*server: str, client: tuple[str, ...] = (), **more: Any) -> Kind:
    return Kind(("-tls1_3", *server), client, **more)


def openssl12(suite: str, *server: str, client: tuple[str, ...] = (), **more: Any) -> Kind:
    return Kind(("-tls1_2", *suites12(suite), *server), client, **more)


OPENSSL: dict[str, Kind] = {
    "1.3": openssl13("-alpn", "h2", client=("-alpn", "h2,http/1.1"), certificate="rsa"),
    "1.3 retried": openssl13("-groups", "P-384"),
    "1.3 mutual": openssl13(*ASKING, client=SHOWING),
    "1.3 without a certificate": openssl13(*ASKING, acts="refused"),
    "1.3 certificate refused": openssl13(*ASKING_OTHERS, client=SHOWING, acts="refused"),
    "1.3 server refused": openssl13(client=DISTRUSTING, acts="refused"),
    "1.3 resumed": openssl13(client=KEEPING, again=RESUMING),
    "1.3 resumed and retried": openssl13("-groups", "P-384", client=KEEPING, again=RESUMING),
    "1.3 early data": openssl13(
        "-early_data", client=KEEPING, again=(*RESUMING, "-early_data", "{early}"), acts="typed"
    ),
    "1.3 early data refused": openssl13(
        *("-early_data", "-groups", "P-384"),
        client=KEEPING,
        again=(*RESUMING, "-early_data", "{early}"),
        acts="typed",
    ),
    "1.3 key update": openssl13(client=("-msg",), acts="key updates"),
    "1.3 asked later": openssl13(
        *("-verify", "2", "-CAfile", "{root}"), client=("-msg", "-enable_pha", *SHOWING), acts="asked later"
    ),
    "1.3 stapled": openssl13(*STAPLING, client=("-status",)),
    "1.3 chacha20": openssl13(*suites13("TLS_CHACHA20_POLY1305_SHA256")),
    "1.3 ccm": openssl13(*suites13("TLS_AES_128_CCM_SHA256"), client=suites13("TLS_AES_128_CCM_SHA256")),
    "1.3 ffdhe": openssl13("-groups", "ffdhe2048", client=("-groups", "ffdhe2048")),
    "1.3 external PSK": openssl13(
        *("-psk", PSK, *suites13("TLS_AES_128_GCM_SHA256")),
        client=("-psk", PSK, *suites13("TLS_AES_128_GCM_SHA256")),
    ),
    "1.3 no shared suite": openssl13(
        *suites13("TLS_AES_128_CCM_SHA256"), client=suites13("TLS_AES_128_GCM_SHA256"), acts="refused"
    ),
    "1.2 ecdhe": openssl12(GCM, "-alpn", "http/1.1", client=("-alpn", "h2,http/1.1")),
    "1.2 ecdhe rsa": openssl12("ECDHE-RSA-CHACHA20-POLY1305", certificate="rsa"),
    "1.2 dhe": openssl12("DHE-RSA-AES256-GCM-SHA384", certificate="rsa"),
    "1.2 rsa": openssl12("AES128-GCM-SHA256", certificate="rsa"),
    "1.2 rsa by key": openssl12("AES256-SHA256", certificate="rsa", by_key=True),
    "1.2 rsa by key, not extended": openssl12(
        "AES128-GCM-SHA256", certificate="rsa", by_key=True, without=("ExtendedMasterSecret",)
    ),
    "1.2 rsa by key, resumed": openssl12(
        "AES128-GCM-SHA256", certificate="rsa", by_key=True, client=KEEPING, again=RESUMING
    ),
    "1.2 ccm8": openssl12(CCM8, client=suites12(CCM8)),
    "1.2 cbc": openssl12("ECDHE-ECDSA-AES128-SHA256"),
    "1.2 cbc, mac then encrypt": openssl12("ECDHE-ECDSA-AES256-SHA384", without=("EncryptThenMac",)),
    "1.2 not extended": openssl12(GCM, without=("ExtendedMasterSecret",)),
    "1.2 by ID": openssl12(GCM, "-no_ticket", client=KEEPING, again=RESUMING),
    "1.2 by ticket": openssl12(GCM, client=KEEPING, again=RESUMING),
    "1.2 mutual": openssl12(GCM, *ASKING, client=SHOWING),
    "1.2 without a certificate": openssl12(GCM, *ASKING, acts="refused"),
    "1.2 certificate refused": openssl12(GCM, *ASKING_OTHERS, client=SHOWING, acts="refused"),
    "1.2 server refused": openssl12(GCM, client=DISTRUSTING, acts="refused"),
    "1.2 stapled": openssl12(GCM, *STAPLING, client=("-status",)),
    "1.2 short fragments": openssl12(GCM, client=("-maxfraglen", "512")),
    "1.2 renegotiated": openssl12(GCM, "-client_renegotiation", acts="renegotiated"),
    "1.2 camellia": openssl12(CAMELLIA, client=suites12(CAMELLIA)),
    "1.2 PSK": openssl12(GCM_BY_PSK, "-psk", PSK, client=("-psk", PSK, *suites12(GCM_BY_PSK))),
    "1.2 no shared suite": openssl12(GCM, client=("-cipher", "AES128-SHA"), acts="refused"),
    "1.1": Kind(("-tls1_1", *suites12("ALL")), ("-tls1_1", *suites12("ALL"))),
}


def record_openssl(stage: Stage) -> Recording:
    kind, environment = stage.kind, stage.environment
    logging = [] if kind.by_key else ["-keylogfile", stage.key_log]
    reversing = ["-rev"] if kind.acts == "lines" else []
    told = [*identity(stage.pki, kind.certificate), *logging, *reversing, *stage.told(kind.server)]
    named = ("-servername", "localhost")
    with openssl_s_server(*told, environment=environment) as server, Relay(server.port) as relay:
        for words in (kind.client, kind.again):
            if words is not None:
                with openssl_s_client(
                    relay.port, *named, *stage.told(words), environment=environment
                ) as client:
                    ACTS[kind.acts](client, server)
                    client.end_input()
                    client.wait()
    return stage.recorded(relay)


def _lines(client: PeerProcess, _: PeerProcess) -> None:
    """To a server that sends them back the other way round."""
    client.send(b"hello, world\n")
    client.wait_for("dlrow ,olleh")


def _typed(client: PeerProcess, server: PeerProcess, text: str = "words") -> None:
    """A line each way, which the server is told."""
    client.send(f"{text} of the client\n".encode())
    server.wait_for(f"^{text} of the client")
    server.send(f"{text} of the server\n".encode())
    client.wait_for(f"^{text} of the server")


#: What s_client prints with "-msg" before the name of a message.
HEARD = r"^<<< [^\n]*, "


def _key_updates(client: PeerProcess, server: PeerProcess) -> None:
    """One that is to be answered by each side."""
    _typed(client, server, "first")
    client.send(b"K\n")
    client.wait_for("KEYUPDATE")
    _typed(client, server, "second")
    server.send(b"K\n")
    client.wait_for(rf"(?s){HEARD}KeyUpdate.*{HEARD}KeyUpdate")  # the first was the answer to its own
    _typed(client, server, "third")


def _asked_later(client: PeerProcess, server: PeerProcess) -> None:
    """The server asks for a certificate when all seems to be over."""
    _typed(client, server, "first")
    server.send(b"c\n")
    client.wait_for(f"{HEARD}CertificateRequest")
    _typed(client, server, "second")


def _renegotiated(client: PeerProcess, server: PeerProcess) -> None:
    _typed(client, server, "first")
    client.send(b"R\n")
    client.wait_for("RENEGOTIATING")
    _typed(client, server, "second")


def _refused(client: PeerProcess, _: PeerProcess) -> None:
    """It comes to nothing, and the client notices by itself."""
    client.wait()


ACTS: dict[str, Callable[[PeerProcess, PeerProcess], None]] = {
    "lines": _lines,
    "typed": _typed,
    "key updates": _key_updates,
    "asked later": _asked_later,
    "renegotiated": _renegotiated,
    "refused": _refused,
}


# -- gnutls-cli and gnutls-serv

NOT_ASKING = ("--disable-client-cert",)
TWICE = ("--resume", "--waitresumption")


def gnutls(
    priority: str, client: tuple[str, ...], server: tuple[str, ...] = NOT_ASKING, acts: str = "lines"
) -> Kind:
    told = ("--priority", priority)
    return Kind((*told, *server), (*told, *client), acts=acts, needs=("gnutls-cli", "gnutls-serv"))


GNUTLS: dict[str, Kind] = {
    "gnutls 1.3": gnutls(TLS13, ("--alpn", "words"), (*NOT_ASKING, "--alpn", "words")),
    "gnutls 1.3 mutual": gnutls(
        TLS13,
        ("--x509certfile", "{client_chain}", "--x509keyfile", "{client_key}"),
        ("--require-client-cert", "--x509cafile", "{root}"),
    ),
    "gnutls 1.3 server refused": gnutls(TLS13, ("--x509cafile", "{other_root}"), acts="refused"),
    "gnutls 1.3 resumed": gnutls(TLS13, TWICE),
    "gnutls 1.3 early data": gnutls(
        TLS13, (*TWICE, "--earlydata", "{early}"), (*NOT_ASKING, "--earlydata", "--maxearlydata", "16384")
    ),
    "gnutls 1.3 small records": gnutls(TLS13, ("--recordsize", "512")),
    "gnutls 1.2": gnutls(TLS12, ()),
    "gnutls 1.2 cbc": gnutls(f"{TLS12}:-CIPHER-ALL:+AES-256-CBC", ()),
    "gnutls 1.2 not extended": gnutls(f"{TLS12}:%NO_SESSION_HASH", ()),
    "gnutls 1.2 resumed": gnutls(TLS12, ("--resume",)),
}


def record_gnutls(stage: Stage) -> Recording:
    kind = stage.kind
    priority, *told = stage.told(kind.server)[1:]
    with (
        echoing(stage.pki, *told, priority=priority, environment=stage.logging) as server,
        Relay(server.port) as relay,
        gnutls_cli(stage.pki, relay.port, *stage.told(kind.client)) as client,
    ):
        if kind.acts == "lines":  # so short that a record of it could as well be an alert
            client.send(b"hello\n")
            client.wait_for("^hello$")
        client.end_input()
        client.wait()
    return stage.recorded(relay)


# -- clients of OpenSSL's server

CLIENTS: dict[str, Kind] = {
    "curl 1.3": Kind(client=("--tlsv1.3",), needs=("openssl", "curl")),
    "curl 1.3 much": Kind(("-WWW",), ("--tlsv1.3",), needs=("openssl", "curl")),
    "curl 1.2": Kind(client=("--tls-max", "1.2"), needs=("openssl", "curl")),
    "Chromium 1.3": Kind(needs=("openssl", CHROMIUM)),
    "Chromium 1.2": Kind(client=("ssl-version-max=tls1.2",), needs=("openssl", CHROMIUM)),
}


def record_client(stage: Stage, visit: Callable[[Stage, int], None]) -> Recording:
    """A page of the server's, fetched by a client that writes the key log."""
    serving = stage.told(stage.kind.server) or ["-www"]
    told = [*identity(stage.pki, stage.kind.certificate), *serving]
    with openssl_s_server(*told, cwd=stage.capture.parent) as server, Relay(server.port) as relay:
        visit(stage, relay.port)
    return stage.recorded(relay)


def fetch(stage: Stage, port: int) -> None:
    command = [program("curl") or "curl", "--silent", "--noproxy", "*", "--cacert", stage.pki.root]
    url = f"https://localhost:{port}/much"
    code, output = run_peer([*command, "--ipv4", *stage.kind.client, url], environment=stage.logging)
    assert code == 0, output


def browse(stage: Stage, port: int) -> None:
    switches = ("ignore-certificate-errors", f"ssl-key-log-file={stage.key_log}", *stage.kind.client)
    with Browser(stage.key_log.parent, *switches) as browser:
        browser.open(f"https://localhost:{port}/")
        assert "s_server" in browser.text()


KINDS: dict[str, Kind] = {**OPENSSL, **GNUTLS, **CLIENTS}


def recorder(name: str) -> Callable[[Stage], Recording]:
    match name.split(maxsplit=1)[0]:
        case "gnutls":
            return record_gnutls
        case "curl":
            return partial(record_client, visit=fetch)
        case "Chromium":
            return partial(record_client, visit=browse)
    return record_openssl
