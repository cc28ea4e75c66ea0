"""Shorter records, both versions, both ways: record_size_limit (RFC 8449), max_fragment_length (RFC 6066)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config
from meeting import Meeting
from rogue import (
    client_refuses,
    connected_rogue,
    edit,
    refuses_data,
    rogue_client,
    rogue_server,
    run,
    sealed,
    server_refuses,
)

from pellucid import ClientConnection, DataReceived, Reason, ServerConnection, Trace
from pellucid.codes import AlertDescription, ContentType, ExtensionType, MaxFragmentLengthCode
from pellucid.connection import Connection
from pellucid.events import Event
from pellucid.handshake import offer
from pellucid.messages import ClientHello, EncryptedExtensions, ServerHello
from pellucid.messages import extensions as ext
from pellucid.trace.events import MessageEvent, RecordEvent

A, E = AlertDescription, ExtensionType
VERSIONS = ("TLSv1.3", "TLSv1.2")
every_version = pytest.mark.parametrize("version", VERSIONS)
BOTH = pytest.mark.parametrize("side", ["client", "server"])
HEADER = 5
#: What a record has beside its content: a tag, and in TLS 1.3 the type, in 1.2 the explicit nonce.
OVERHEAD = {"TLSv1.3": 17, "TLSv1.2": 24}
LIMITS = (64, 65, 100, 512, 4096, 2**14, 2**14 + 1)
FRAGMENTS = (512, 1024, 2048, 4096)
FULL = 2**14
DATA = bytes(range(251)) * 200


def most_content(version: str, limit: int) -> int:
    """RFC 8449 4: in TLS 1.3 the limit covers the content type as well."""
    return min(limit - (version == "TLSv1.3"), FULL)


def connect(
    version: str, client: dict[str, Any], server: dict[str, Any]
) -> tuple[Connection, Connection, Trace]:
    trace = Trace()
    both = {"protocols": [version], "trace": trace}
    pair = connect_pair(client_config(**both, **client), server_config(**both, **server))
    pump(*pair)
    assert pair[0].handshake_complete
    assert pair[1].handshake_complete
    return (*pair, trace)


def said(speaker: Connection, listener: Connection, data: bytes = DATA) -> list[int]:
    """The lengths of the records that ``data`` takes; all of it arrives."""
    speaker.send_data(data)
    lengths: list[int] = []
    events: list[Event] = []
    while out := speaker.data_to_send():
        events += listener.receive_data(out)
        while out:
            lengths.append(int.from_bytes(out[3:HEADER], "big"))
            out = out[HEADER + lengths[-1] :]
    assert b"".join(event.data for event in events if isinstance(event, DataReceived)) == data
    return lengths


def full_records(version: str, content: int) -> list[int]:
    """How DATA is cut."""
    whole, rest = divmod(len(DATA), content)
    return [content + OVERHEAD[version]] * whole + [rest + OVERHEAD[version]] * bool(rest)


# -- record_size_limit


@every_version
@pytest.mark.parametrize("limit", LIMITS)
def test_each_side_keeps_to_the_limit_of_the_other(version: str, limit: int) -> None:
    """RFC 8449 4: they are two, one for each direction."""
    client, server, _ = connect(version, {"record_size_limit": limit}, {"record_size_limit": 1000})
    assert said(server, client) == full_records(version, most_content(version, limit))
    assert said(client, server) == full_records(version, most_content(version, 1000))


@every_version
def test_a_server_that_wants_nothing_takes_full_records(version: str) -> None:
    client, server, _ = connect(version, {"record_size_limit": 100}, {})
    assert said(server, client) == full_records(version, most_content(version, 100))
    assert said(client, server) == full_records(version, FULL)


@every_version
def test_a_server_cannot_ask_by_itself(version: str) -> None:
    """The client has to know the extension."""
    client, server, _ = connect(version, {}, {"record_size_limit": 100})
    for speaker, listener in ((client, server), (server, client)):
        assert said(speaker, listener) == full_records(version, FULL)


@every_version
def test_what_is_protected_of_the_handshake_keeps_to_it_too(version: str) -> None:
    """And nothing else: RFC 8449 4: "Unprotected messages are not subject to this limit"."""
    _, _, trace = connect(version, {"record_size_limit": 64}, {"record_size_limit": 64})
    records = [event for event in trace.events if isinstance(event, RecordEvent)]
    protected = [event.length for event in records if event.encrypted]
    assert max(protected) <= most_content(version, 64) + OVERHEAD[version]
    assert any(event.length > 500 for event in records if not event.encrypted)
    if version == "TLSv1.3":
        assert len(protected) > 10


@every_version
def test_a_resumed_connection_has_limits_of_its_own(version: str) -> None:
    config = server_config(protocols=[version])
    sessions = client_config().sessions
    for limit in (64, 200, None):
        client = client_config(protocols=[version], sessions=sessions, record_size_limit=limit)
        pair = connect_pair(client, config)
        pump(*pair)
        content = FULL if limit is None else most_content(version, limit)
        assert said(pair[1], pair[0]) == full_records(version, content)
    assert pair[0].negotiated is not None
    assert pair[0].negotiated.resumed


def test_padding_counts_in_tls_1_3() -> None:
    padded = {"record_size_limit": 300, "padding": lambda _kind, _length: 10_000}
    client, server, _ = connect("TLSv1.3", padded, padded)
    lengths = said(client, server)
    assert set(lengths) == {299 + OVERHEAD["TLSv1.3"]}


@every_version
@BOTH
def test_more_than_was_asked_for_is_refused(version: str, side: str) -> None:
    """RFC 8449 4: "MUST generate a fatal "record_overflow" alert"."""
    both = {"protocols": [version], "record_size_limit": 200}
    victim, rogue = connected_rogue(side, client=client_config(**both), server=server_config(**both))
    content = bytes(most_content(version, 200))
    assert victim.receive_data(sealed(rogue, ContentType.application_data, content)) == [
        DataReceived(content)
    ]
    data = sealed(rogue, ContentType.application_data, content + b"\x00")
    refuses_data(victim, rogue, data, Reason.RECORD_OVERFLOW, A.record_overflow)


@every_version
@BOTH
def test_more_is_refused_in_a_long_run_too(version: str, side: str) -> None:
    both = {"protocols": [version], "record_size_limit": 200}
    victim, rogue = connected_rogue(side, client=client_config(**both), server=server_config(**both))
    fine = bytes(most_content(version, 200))
    data = b"".join(sealed(rogue, ContentType.application_data, fine) for _ in range(5))
    data += sealed(rogue, ContentType.application_data, fine + b"\x00")
    refuses_data(victim, rogue, data, Reason.RECORD_OVERFLOW, A.record_overflow)


def limit_in(value: int) -> Callable[[Any], None]:
    return lambda message: message.extensions.add(ext.RecordSizeLimit(value))


def answers(version: str) -> type:
    """The message with a server's answers."""
    return EncryptedExtensions if version == "TLSv1.3" else ServerHello


@every_version
@pytest.mark.parametrize("value", [0, 1, 63])
def test_less_than_64_bytes_are_too_few(version: str, value: int) -> None:
    """RFC 8449 4: "MUST treat receipt of a smaller value as a fatal error and generate an "illegal_parameter"
    alert"."""
    client = client_config(protocols=[version], record_size_limit=1000)
    server = server_config(protocols=[version])
    server_refuses(
        edit(ClientHello, limit_in(value)),
        Reason.ILLEGAL_PARAMETER,
        A.illegal_parameter,
        client=client,
        server=server,
    )
    client_refuses(
        edit(answers(version), limit_in(value)),
        Reason.ILLEGAL_PARAMETER,
        A.illegal_parameter,
        client=client,
        server=server,
    )


@every_version
def test_a_limit_of_the_future_is_a_full_record(version: str) -> None:
    """RFC 8449 4: a server "MUST NOT enforce" that it is no more than the version's own limit."""
    config = client_config(protocols=[version], record_size_limit=1000)
    rogue, victim = (
        rogue_client(edit(ClientHello, limit_in(0xFFFF)), config),
        ServerConnection(server_config(protocols=[version])),
    )
    pump(rogue, victim)
    assert victim.handshake_complete
    victim.send_data(DATA)
    first = victim.data_to_send()
    assert int.from_bytes(first[3:HEADER], "big") == FULL + OVERHEAD[version]


@pytest.mark.parametrize("limit", [2**14, 2**14 + 1])
def test_nobody_asks_for_more_than_a_full_record_of_the_version(limit: int) -> None:
    """RFC 8449 4: it "MUST NOT send a value higher than the protocol-defined maximum record size"."""
    both = {"record_size_limit": limit}
    for version, most in (("TLSv1.3", limit), ("TLSv1.2", 2**14)):
        _, _, trace = connect(version, both, both)
        for cls in (ClientHello, answers(version)):
            raw = next(e.raw for e in trace.events if isinstance(e, MessageEvent) and e.name == cls.__name__)
            found: Any = cls.decode(raw)
            assert found.extensions.find(ext.RecordSizeLimit).record_size_limit == most, (version, cls)


# -- max_fragment_length


@every_version
@pytest.mark.parametrize("length", FRAGMENTS)
def test_a_fragment_length_is_for_both_directions(version: str, length: int) -> None:
    client, server, _ = connect(version, {"max_fragment_length": length}, {})
    for speaker, listener in ((client, server), (server, client)):
        assert said(speaker, listener) == full_records(version, length)


@every_version
def test_it_is_for_the_handshake_too(version: str) -> None:
    """RFC 6066 4: "(including handshake messages)", and from the ServerHello on, protected or not."""
    credentials = {"credentials": [credential("rsa")]}
    shown = {"credentials": [credential("rsa", "client")]}
    server = credentials | {"client_authentication": "required"}
    _, _, trace = connect(version, shown | {"max_fragment_length": 512}, server)
    records = [event for event in trace.events if isinstance(event, RecordEvent)]
    # The ClientHello, sent and received, comes before anything is agreed on.
    lengths = [event.length - OVERHEAD[version] * event.encrypted for event in records[2:]]
    assert max(lengths) == 512


@pytest.mark.parametrize("kind", ["ticket", "session ID"])
def test_in_tls_1_2_it_is_the_sessions(kind: Any) -> None:
    """RFC 6066 4: it holds "for the duration of the session including session resumptions"."""
    protocols = {"protocols": ["TLSv1.2"]}
    meeting = Meeting(kind, protocols | {"max_fragment_length": 1024}, protocols)
    meeting.meet()
    client, server = meeting.meet()
    assert client.negotiated is not None
    assert client.negotiated.resumed
    # RFC 6066 1.1: of what is asked when a session is resumed nothing is answered.
    assert E.max_fragment_length not in meeting.hello("ServerHello").extensions
    for speaker, listener in ((client, server), (server, client)):
        assert said(speaker, listener) == full_records("TLSv1.2", 1024)


@pytest.mark.parametrize("now", [None, 512, 4096])
def test_in_tls_1_2_another_length_takes_another_session(now: int | None) -> None:
    protocols = {"protocols": ["TLSv1.2"]}
    meeting = Meeting("ticket", protocols, protocols)
    meeting.meet({"max_fragment_length": 1024})
    client, server = meeting.meet({"max_fragment_length": now})
    assert meeting.offered == ""
    assert said(server, client) == full_records("TLSv1.2", now or FULL)


def test_in_tls_1_3_it_is_the_connections() -> None:
    protocols = {"protocols": ["TLSv1.3"]}
    meeting = Meeting("ticket", protocols, protocols)
    meeting.meet({"max_fragment_length": 1024})
    client, server = meeting.meet({"max_fragment_length": 512})
    assert client.negotiated is not None
    assert client.negotiated.resumed
    assert said(server, client) == full_records("TLSv1.3", 512)


def test_who_answers_it_in_a_resumption_is_understood() -> None:
    """OpenSSL does; the answer is the same as ever, or refused."""
    protocols = {"protocols": ["TLSv1.2"]}
    for code, fine in ((MaxFragmentLengthCode.octets_1024, True), (MaxFragmentLengthCode.octets_512, False)):
        meeting = Meeting("ticket", protocols, protocols)
        meeting.meet({"max_fragment_length": 1024})
        client = ClientConnection(
            client_config(**meeting.client_knobs() | {"max_fragment_length": 1024}), "localhost"
        )
        server = rogue_server(edit(ServerHello, fragment_in(code)), server_config(**meeting.server_knobs()))
        if fine:
            pump(client, server)
            assert client.handshake_complete
        else:
            assert run(client, server, client).reason is Reason.ILLEGAL_PARAMETER


@every_version
def test_a_server_says_what_it_was_asked(version: str) -> None:
    _, _, trace = connect(version, {"max_fragment_length": 2048}, {})
    wanted = ext.MaxFragmentLength(MaxFragmentLengthCode.octets_2048)
    name = answers(version).__name__
    raw = next(e.raw for e in trace.events if isinstance(e, MessageEvent) and e.name == name)
    assert answers(version).decode(raw).extensions.find(ext.MaxFragmentLength) == wanted  # type: ignore[attr-defined]


@every_version
@BOTH
def test_a_fragment_that_is_longer_is_refused(version: str, side: str) -> None:
    client = client_config(protocols=[version], max_fragment_length=512)
    victim, rogue = connected_rogue(side, client=client, server=server_config(protocols=[version]))
    data = sealed(rogue, ContentType.application_data, bytes(513))
    refuses_data(victim, rogue, data, Reason.RECORD_OVERFLOW, A.record_overflow)


def fragment_in(code: int) -> Callable[[Any], None]:
    return lambda message: message.extensions.add(ext.MaxFragmentLength(code))


@every_version
@pytest.mark.parametrize("code", [0, 5, 255])
def test_a_fragment_length_that_there_is_not_is_refused(version: str, code: int) -> None:
    """RFC 6066 4: "it MUST abort the handshake with an "illegal_parameter" alert"."""
    server_refuses(
        edit(ClientHello, fragment_in(code)),
        Reason.ILLEGAL_PARAMETER,
        A.illegal_parameter,
        client=client_config(protocols=[version]),
        server=server_config(protocols=[version]),
    )


@every_version
@pytest.mark.parametrize("code", [0, MaxFragmentLengthCode.octets_1024, 5])
def test_another_answer_than_was_asked_for_is_refused(version: str, code: int) -> None:
    client_refuses(
        edit(answers(version), fragment_in(code)),
        Reason.ILLEGAL_PARAMETER,
        A.illegal_parameter,
        client=client_config(protocols=[version], max_fragment_length=512),
        server=server_config(protocols=[version]),
    )


@every_version
@pytest.mark.parametrize(
    "change", [limit_in(100), fragment_in(1)], ids=["record_size_limit", "max_fragment_length"]
)
def test_an_answer_to_what_nobody_asked_is_refused(version: str, change: Callable[[Any], None]) -> None:
    client_refuses(
        edit(answers(version), change),
        Reason.UNSOLICITED_EXTENSION,
        A.unsupported_extension,
        client=client_config(protocols=[version]),
        server=server_config(protocols=[version]),
    )


# -- both


@every_version
def test_where_a_client_asks_by_both_the_limit_counts(version: str) -> None:
    """RFC 8449 5: a server that knows it "MUST ignore" max_fragment_length then."""
    trace = Trace()
    config = client_config(protocols=[version], record_size_limit=700)
    rogue = rogue_client(edit(ClientHello, fragment_in(1)), config)
    victim = ServerConnection(server_config(protocols=[version], trace=trace))
    pump(rogue, victim)
    name = answers(version).__name__
    raw = next(e.raw for e in trace.events if isinstance(e, MessageEvent) and e.name == name)
    found: Any = answers(version).decode(raw)  # type: ignore[attr-defined]
    assert E.record_size_limit in found.extensions
    assert E.max_fragment_length not in found.extensions
    assert said(victim, rogue) == full_records(version, most_content(version, 700))


@every_version
def test_a_server_answers_one_of_them(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8449 5: a client "MUST treat receipt of both" as a fault."""
    ask = offer.ask_for_record_sizes

    def ask_by_both(hs: Any, extensions: Any) -> None:
        ask(hs, extensions)
        extensions.add(ext.MaxFragmentLength(MaxFragmentLengthCode.octets_512))

    monkeypatch.setattr(offer, "ask_for_record_sizes", ask_by_both)
    client_refuses(
        edit(answers(version), fragment_in(MaxFragmentLengthCode.octets_512)),
        Reason.ILLEGAL_PARAMETER,
        A.illegal_parameter,
        client=client_config(protocols=[version], record_size_limit=700),
        server=server_config(protocols=[version]),
    )
