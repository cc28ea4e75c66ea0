"""What a ClientHello may cost us, and what of it may reach people: sizes, times and texts have bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loopback import client_config, connect_pair, pump, server_config, shake_hands
from rogue import edit, rogue_client, rogue_server, run, server_refuses
from tampering import lying

from pellucid import ExternalPsk, Reason, TLSError, Trace
from pellucid.codes import AlertDescription as A
from pellucid.codes import ExtensionType, NameType, PskKeyExchangeMode
from pellucid.connection import Connection
from pellucid.handshake.client import MAX_COOKIE_BYTES
from pellucid.messages import ClientHello, EncryptedExtensions, HelloRetryRequest
from pellucid.messages import extensions as ext
from pellucid.trace.json import to_json

SHARES, GROUPS = 6_400, 16_000
FIRST_UNKNOWN = 0x8000

#: Process time for a hello of 64 KiB, which takes some 20 ms: a step that looks through one list for each
#: member of another takes seconds.
MOST_SECONDS = 1.0

#: Of an error's text, in characters.
MOST_TEXT = 8 * 1024


def unknown(count: int) -> list[int]:
    return list(range(FIRST_UNKNOWN, FIRST_UNKNOWN + count))


def add_shares(hello: ClientHello) -> None:
    shares = hello.extensions.find(ext.KeyShareClientHello)
    assert shares is not None
    # Of the groups that come last: who looks for them one by one is late to find them.
    shares.client_shares += [ext.KeyShareEntry(group, b"\x01") for group in unknown(GROUPS)[-SHARES:]]


def groups_of(hello: ClientHello) -> ext.NamedGroupList:
    groups = hello.extensions.find(ext.NamedGroupList)
    assert groups is not None
    return groups


def maximal(hello: ClientHello) -> None:
    """Shares and groups until the message is nearly 64 KiB long; those of ours come last."""
    add_shares(hello)
    groups = groups_of(hello)
    groups.named_group_list = unknown(GROUPS) + groups.named_group_list


def nothing_shared(hello: ClientHello) -> None:
    maximal(hello)
    groups_of(hello).named_group_list = unknown(GROUPS)
    shares = hello.extensions.find(ext.KeyShareClientHello)
    assert shares is not None
    shares.client_shares = [share for share in shares.client_shares if share.group >= FIRST_UNKNOWN]


def seconds_to_take(victim: Connection, rogue: Connection) -> float:
    """Process time that ``victim`` needs for all that ``rogue`` has to say, and for its answer."""
    heard = b"".join(iter(rogue.data_to_send, b""))
    assert len(heard) > 64_000
    start = time.process_time()
    try:
        victim.receive_data(heard)
    except TLSError as error:
        assert error.reason is Reason.NO_SHARED_GROUP  # noqa: PT017 - the other hello raises nothing
    victim.data_to_send()
    return time.process_time() - start


@pytest.mark.parametrize("trace", [False, True], ids=["untraced", "traced"])
@pytest.mark.parametrize("change", [maximal, nothing_shared])
def test_a_maximal_hello_costs_linear_time(change: Callable[[ClientHello], None], trace: bool) -> None:
    client = client_config(groups=["x25519"])
    _, victim = connect_pair(server=server_config(trace=trace))
    rogue = rogue_client(edit(ClientHello, change), client)
    assert seconds_to_take(victim, rogue) < MOST_SECONDS
    assert victim.state == ("FAILED" if change is nothing_shared else "WAIT_FINISHED")


def test_the_second_of_two_maximal_hellos_costs_linear_time() -> None:
    """They are compared with each other (RFC 9846 4.2.2)."""

    def many_groups(hello: ClientHello) -> None:
        groups_of(hello).named_group_list += unknown(2 * GROUPS - 100)

    client = client_config(groups=["x25519", "secp256r1"], key_shares=["x25519"])
    _, victim = connect_pair(server=server_config(groups=["secp256r1"]))
    rogue = rogue_client(edit(ClientHello, many_groups), client)
    victim.receive_data(b"".join(iter(rogue.data_to_send, b"")))
    rogue.receive_data(victim.data_to_send())
    assert seconds_to_take(victim, rogue) < MOST_SECONDS
    assert victim.state == "WAIT_FINISHED"


# -- texts of errors


def only_unknown_suites(hello: ClientHello) -> None:
    hello.cipher_suites = unknown(32_000)


def only_unknown_groups(hello: ClientHello) -> None:
    groups_of(hello).named_group_list = unknown(32_000)
    hello.extensions.add(ext.KeyShareClientHello([]))


def only_unknown_versions(hello: ClientHello) -> None:
    versions = hello.extensions.find(ext.SupportedVersionsClientHello)
    assert versions is not None
    versions.versions = unknown(127)


def only_unknown_schemes(hello: ClientHello) -> None:
    hello.extensions.add(ext.SignatureSchemeList(unknown(32_000)))


def many_protocols(hello: ClientHello) -> None:
    hello.extensions.add(ext.ProtocolNameList([b"x"] * 32_000))


def long_protocols(hello: ClientHello) -> None:
    hello.extensions.add(ext.ProtocolNameList([b"\x1b" * 255] * 250))


BOUNDED: dict[str, tuple[Callable[[ClientHello], None], Reason, A]] = {
    "suites": (only_unknown_suites, Reason.NO_SHARED_CIPHER_SUITE, A.handshake_failure),
    "groups": (only_unknown_groups, Reason.NO_SHARED_GROUP, A.handshake_failure),
    "versions": (only_unknown_versions, Reason.NO_SHARED_VERSION, A.protocol_version),
    "signature schemes": (only_unknown_schemes, Reason.NO_SHARED_SIGNATURE_SCHEME, A.handshake_failure),
    "many protocols": (
        many_protocols, Reason.NO_SHARED_APPLICATION_PROTOCOL, A.no_application_protocol
    ),
    "long protocols": (
        long_protocols, Reason.NO_SHARED_APPLICATION_PROTOCOL, A.no_application_protocol
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BOUNDED)
def test_an_error_does_not_repeat_all_that_the_peer_offers(what: str) -> None:
    change, reason, alert = BOUNDED[what]
    trace = Trace()
    # Without sessions no other extension is in the way of 64 KB of one.
    client = client_config(groups=["x25519"], sessions=None)
    server = server_config(alpn_protocols=["h2"], trace=trace)
    error = server_refuses(edit(ClientHello, change), reason, alert, client=client, server=server)
    assert len(str(error)) < MOST_TEXT
    choices = [event for event in to_json(trace)["events"] if event["kind"] == "choice"]
    assert all(sum(map(len, texts(choice))) < MOST_TEXT for choice in choices)


# -- text of the peer's

CONTROL = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))}


def texts(value: Any) -> Iterator[str]:
    """Every text within a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


def clean(text: str) -> bool:
    return CONTROL.isdisjoint(text)


NASTY = bytes([*range(0x21), *range(0x7F, 0xA1)])


@pytest.mark.parametrize("shared", [True, False], ids=["one is shared", "none is shared"])
def test_protocol_names_of_the_peers_are_escaped(monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    def change(hello: ClientHello) -> None:
        hello.extensions.add(ext.ProtocolNameList([NASTY, *([b"h2"] if shared else [])]))

    trace = Trace()
    client = client_config(alpn_protocols=["h2"])
    if shared:
        lying(monkeypatch, "client", {ClientHello: change})
        _, server = shake_hands(client, server_config(alpn_protocols=["h2"], trace=trace))
        assert server.negotiated is not None
        assert server.negotiated.alpn == "h2"
    else:
        error = server_refuses(
            edit(ClientHello, change),
            Reason.NO_SHARED_APPLICATION_PROTOCOL,
            A.no_application_protocol,
            client=client,
            server=server_config(alpn_protocols=["h2"], trace=trace),
        )
        assert clean(str(error))
    found = list(texts(to_json(trace)))
    assert any("\\x1b" in text for text in found)
    assert all(map(clean, found))


@pytest.mark.parametrize("nasty", [b"\x00", b"\n", b"\x1b", b"\x7f", b" ", b"\x9b"])
def test_a_server_name_that_is_none_is_refused(nasty: bytes) -> None:
    """It would go into logs, tickets and what was negotiated."""
    trace = Trace()
    tamper = edit(
        ClientHello,
        lambda hello: hello.extensions.add(
            ext.ServerNameList([ext.ServerName(NameType.host_name, b"local" + nasty + b"host")])
        ),
    )
    error = server_refuses(
        tamper, Reason.ILLEGAL_PARAMETER, A.illegal_parameter, server=server_config(trace=trace)
    )
    assert clean(str(error))
    assert all(map(clean, texts(to_json(trace))))


def test_a_protocol_that_a_server_makes_up_is_escaped() -> None:
    trace = Trace()
    victim, _ = connect_pair(client_config(alpn_protocols=["h2"], trace=trace))
    tamper = edit(EncryptedExtensions, lambda message: message.extensions.add(ext.ProtocolNameList([NASTY])))
    liar = rogue_server(tamper, server_config(alpn_protocols=["h2"]))
    error = run(victim, liar, victim)
    assert error.reason is Reason.ALPN_NOT_OFFERED
    assert clean(str(error))
    assert all(map(clean, texts(to_json(trace))))


@pytest.mark.parametrize("types", [[1], [1, 255], [7, 0x5A]])
def test_server_names_of_unknown_types_are_ignored(monkeypatch: pytest.MonkeyPatch, types: list[int]) -> None:
    """RFC 9846 9.3: what a server does not know it ignores; so the client names nobody."""

    def change(hello: ClientHello) -> None:
        names = [ext.ServerName(code, b"\x00anything\n") for code in types]
        hello.extensions.add(ext.ServerNameList(names))

    lying(monkeypatch, "client", {ClientHello: change})
    client, server = connect_pair(server=server_config(strict_server_name=True))
    pump(client, server)
    assert server.negotiated is not None
    assert server.negotiated.server_name is None


# -- HelloRetryRequest


def client_that_is_sent_a_cookie(monkeypatch: pytest.MonkeyPatch, length: int) -> Connection:
    lying(
        monkeypatch,
        "server",
        {HelloRetryRequest: lambda message: message.extensions.add(ext.Cookie(bytes(length)))},
    )
    client, server = connect_pair(
        client_config(groups=["x25519", "secp256r1"], key_shares=["x25519"]),
        server_config(groups=["secp256r1"]),
    )
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    return client


def test_a_cookie_that_fits_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_that_is_sent_a_cookie(monkeypatch, MAX_COOKIE_BYTES)
    assert len(client.data_to_send()) > MAX_COOKIE_BYTES


def test_a_cookie_that_fits_no_hello_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TLSError) as caught:
        client_that_is_sent_a_cookie(monkeypatch, MAX_COOKIE_BYTES + 1)
    assert caught.value.reason is Reason.ILLEGAL_PARAMETER


# -- what must be there


PSK = ExternalPsk(b"an identity", b"sixteen bytes or more")


def without(*types: ExtensionType) -> Callable[[ClientHello], None]:
    def change(hello: ClientHello) -> None:
        for code in types:
            del hello.extensions[code]
        modes = hello.extensions.find(ext.PskKeyExchangeModes)
        assert modes is not None
        modes.ke_modes = [PskKeyExchangeMode.psk_ke]

    return change


def test_a_client_that_wants_no_diffie_hellman_is_incompatible() -> None:
    """RFC 9846 9.2 lets it leave out both, where it offers a PSK."""
    server_refuses(
        edit(ClientHello, without(ExtensionType.supported_groups, ExtensionType.key_share)),
        Reason.NO_SHARED_GROUP,
        A.handshake_failure,
        client=client_config(psks=[PSK]),
        server=server_config(psks=[PSK]),
    )


@pytest.mark.parametrize("missing", [ExtensionType.supported_groups, ExtensionType.key_share])
def test_groups_and_shares_come_together(missing: ExtensionType) -> None:
    """RFC 9846 9.2: with one of them the other has to be there, with a PSK too."""
    error = server_refuses(
        edit(ClientHello, without(missing)),
        Reason.MISSING_EXTENSION,
        A.missing_extension,
        client=client_config(psks=[PSK]),
        server=server_config(psks=[PSK]),
    )
    assert str(missing) in str(error)
