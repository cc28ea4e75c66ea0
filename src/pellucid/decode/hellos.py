"""The first messages of a watched connection, up to where the version is known (RFC 9846 figures 1 and 2).

ClientHello            -------->
                       <--------       HelloRetryRequest   (once at most)
ClientHello            -------->
                       <--------             ServerHello
"""

from __future__ import annotations

from pellucid.codes import CipherSuite, ProtocolVersion, name_of
from pellucid.codes.names import names_of
from pellucid.crypto.suites import SUITES, Suite
from pellucid.decode.clear12 import hear_in_clear
from pellucid.decode.early_data import hear_early_data
from pellucid.decode.flow import Flow, Watched, heard
from pellucid.decode.flow12 import flow12
from pellucid.decode.flow13 import flow13
from pellucid.errors import TLSError
from pellucid.messages import ClientHello, HelloRetryRequest, ServerHello
from pellucid.messages import extensions as ext
from pellucid.printable import printable

__all__ = ["flow", "note_answer"]


def flow(w: Watched) -> Flow[None]:
    """A whole connection, from its first message to its last."""
    hello = yield from heard(w, "client", "START", ClientHello)
    _note_hello(w, hello)
    hear_early_data(w, hello)
    answer = yield from heard(w, "server", "WAIT_SH", ServerHello, HelloRetryRequest, hashed=False)
    version = _chosen_version(w, answer)
    if isinstance(answer, HelloRetryRequest):
        answer = yield from _retry(w, answer)
    elif version is ProtocolVersion.TLSv1_2:
        _tell_suite(w, answer)
        w.transcript.add(answer.raw)
        return (yield from flow12(w, hello, answer))
    elif version is not ProtocolVersion.TLSv1_3:
        return (yield from _stay_outside(w, answer))
    suite = _suite13(w, answer)
    if suite is None:
        return None
    w.transcript.start(suite.hash_name)
    w.transcript.add(answer.raw)
    return (yield from flow13(w, suite, answer))


def _note_hello(w: Watched, hello: ClientHello) -> None:
    w.hello = hello
    names = hello.extensions.find(ext.ServerNameList)
    hosts = [each.host_name for each in names.server_name_list] if names else []
    w.agreed["server_name"] = printable(hosts[0].decode("ascii", "replace")) if hosts else ""


def _retry(w: Watched, request: HelloRetryRequest) -> Flow[ServerHello]:
    """RFC 9846 4.2.4: the server asks for another ClientHello, which takes the place of the first."""
    suite = _suite13(w, request)
    if suite is not None:
        w.transcript.start(suite.hash_name)
        w.transcript.replace_with_message_hash()
    w.transcript.add(request.raw)
    hello = yield from heard(w, "client", "START", ClientHello)
    _note_hello(w, hello)
    answer = yield from heard(w, "server", "WAIT_SH", ServerHello, hashed=False)
    _chosen_version(w, answer)
    return answer


def _chosen_version(w: Watched, answer: ServerHello | HelloRetryRequest) -> ProtocolVersion | int:
    version = _note_version(w, answer)
    w.view("client").choice(
        what="version",
        ours=_offered_versions(w),
        chosen=w.agreed["protocol"],
        rule="the server chose it",
    )
    return version


def _note_version(w: Watched, answer: ServerHello | HelloRetryRequest) -> ProtocolVersion | int:
    """RFC 9846 4.3.1: supported_versions says it; without, it is 1.2 or older, and legacy_version does."""
    selected = answer.extensions.find(ext.SupportedVersionsServerHello)
    version = selected.selected_version if selected else answer.legacy_version
    w.agreed["protocol"] = name_of(version, ProtocolVersion)
    if isinstance(version, ProtocolVersion):
        w.version = version
    return version


def note_answer(w: Watched, raw: bytes) -> None:
    """A ServerHello whose ClientHello is not in the capture says the version and the suite all the same."""
    try:
        answer = ServerHello.decode(raw)
    except TLSError:
        return  # it is told with what can be read of it
    _note_version(w, answer)
    w.agreed["cipher_suite"] = name_of(answer.cipher_suite, CipherSuite)


def _offered_versions(w: Watched) -> list[str]:
    hello = w.hello
    assert hello is not None
    offered = hello.extensions.find(ext.SupportedVersionsClientHello)
    return names_of(offered.versions if offered else [hello.legacy_version], ProtocolVersion)


def _suite13(w: Watched, answer: ServerHello | HelloRetryRequest) -> Suite | None:
    """The suite of TLS 1.3 that was chosen; sealed where it is none that is known."""
    hello = w.hello
    assert hello is not None
    echo = answer.legacy_session_id_echo
    # RFC 9846 4.2.3: the echo tells a server of TLS 1.3 that the client's session ID is none of its own.
    w.view("client").check(
        what="session_id_echo",
        expected=hello.legacy_session_id,
        found=echo,
        ok=echo == hello.legacy_session_id,
    )
    name = _tell_suite(w, answer)
    suite = SUITES.get(answer.cipher_suite)
    if suite is None:
        w.seal_both(
            "unknown_cipher_suite", f"The server chose {name}, which is no suite of TLS 1.3 known here."
        )
    return suite


def _tell_suite(w: Watched, answer: ServerHello | HelloRetryRequest) -> str:
    hello = w.hello
    assert hello is not None
    name = name_of(answer.cipher_suite, CipherSuite)
    w.agreed["cipher_suite"] = name
    w.view("client").choice(
        what="cipher_suite",
        ours=names_of(hello.cipher_suites, CipherSuite),
        chosen=name,
        rule="the server chose it",
    )
    return name


def _stay_outside(w: Watched, answer: ServerHello) -> Flow[None]:
    """SSL 3.0, TLS 1.0 and 1.1, drafts of TLS 1.3, and what there never was."""
    _tell_suite(w, answer)
    detail = f"The server chose {w.agreed['protocol']}."
    if w.version is None:
        w.seal_both("unsupported_version", detail)
        return
    yield from hear_in_clear(w, "unsupported_version", detail, tls12_forms=False)
