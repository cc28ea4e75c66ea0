"""Exporters and the key log: what both sides can compute, and what is told to whom asks for it."""

from __future__ import annotations

import re

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config, shake_hands

from pellucid import Misuse
from pellucid.connection import Connection
from pellucid.errors import Reason
from pellucid.keys.key_log import key_log_line
from pellucid.messages import ClientHello, decode_handshake
from pellucid.policy import SUPPORTED_GROUPS
from pellucid.trace import SecretEvent, Trace
from pellucid.trace.html.exchanges import exchange_program

LABEL = b"EXPORTER-pellucid-test"


def exports(connection: Connection) -> list[bytes]:
    asked = [(LABEL, None, 32), (LABEL, b"context", 32), (b"EXPORTER-other", None, 32), (LABEL, None, 33)]
    return [connection.export_keying_material(*one) for one in asked]


def test_both_sides_export_the_same() -> None:
    client, server = shake_hands()
    assert exports(client) == exports(server)


def test_every_label_context_and_length_exports_something_else() -> None:
    client, _ = shake_hands()
    found = exports(client)
    assert len({value[:32] for value in found}) == len(found)


def test_no_context_is_the_empty_context() -> None:
    """RFC 9846 7.5, unlike TLS 1.2."""
    client, server = shake_hands()
    assert client.export_keying_material(LABEL, None, 32) == server.export_keying_material(LABEL, b"", 32)


def test_every_connection_exports_something_else() -> None:
    configs = client_config(), server_config()
    found = [exports(shake_hands(*configs)[0])[0] for _ in range(3)]  # two of them resumed
    assert len(set(found)) == 3


def test_a_key_update_changes_no_exporter() -> None:
    client, server = shake_hands()
    before = exports(client)
    client.key_update()
    pump(client, server)
    assert exports(client) == exports(server) == before


def test_nothing_is_exported_before_the_handshake() -> None:
    with pytest.raises(Misuse) as caught:
        exports(connect_pair()[0])
    assert caught.value.reason is Reason.HANDSHAKE_NOT_COMPLETE


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, label: str, client_random: bytes, secret: bytes) -> None:
        self.lines.append(key_log_line(label, client_random, secret))


LABELS = [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
]


@pytest.mark.parametrize("suite, digits", [("TLS_AES_128_GCM_SHA256", 64), ("TLS_AES_256_GCM_SHA384", 96)])
@pytest.mark.parametrize("retried", [False, True], ids=["at once", "retried"])
def test_both_sides_log_the_same_lines(suite: str, digits: int, retried: bool) -> None:
    """RFC 9850: label, the client's random, the secret. A HelloRetryRequest does not change the random."""
    logs = Log(), Log()
    client = client_config(key_log=logs[0], cipher_suites=[suite], groups=["x25519", "secp256r1"])
    server = server_config(key_log=logs[1], groups=["secp256r1" if retried else "x25519"])
    first, other = connect_pair(client, server)
    hello_record = first.data_to_send()
    hello = decode_handshake(hello_record[5:])
    assert isinstance(hello, ClientHello)
    other.receive_data(hello_record)
    pump(first, other)
    assert logs[0].lines == logs[1].lines
    assert [line.split()[0] for line in logs[0].lines] == LABELS
    for line in logs[0].lines:
        assert re.fullmatch(rf"[A-Z_0-9]+ {hello.random.hex()} [0-9a-f]{{{digits}}}\n?", line)


def test_nothing_is_logged_unasked() -> None:
    client, server = shake_hands(client_config(credentials=[credential("ecdsa", "client")]))
    assert client._hs.config.key_log is None
    assert server._hs.config.key_log is None


def test_no_secret_is_in_any_repr() -> None:
    log: list[bytes] = []
    client, server = connect_pair(client_config(key_log=lambda _label, _random, secret: log.append(secret)))
    events = pump(client, server)
    shown = repr((client, server, events, client.negotiated, client._hs, server._hs))
    assert log
    for secret in log:
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


# -- the private key of the key exchange


def shared_secret_traced(group: str, *, reveal_secrets: bool) -> SecretEvent:
    trace = Trace(reveal_secrets=reveal_secrets)
    shake_hands(client_config(groups=[group], trace=trace.view("client")), server_config(groups=[group]))
    return next(e for e in trace.events if isinstance(e, SecretEvent) and e.name == "shared_secret")


@pytest.mark.parametrize("group", [str(group) for group in SUPPORTED_GROUPS])
def test_a_trace_that_shows_everything_has_what_makes_the_shared_secret_again(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    event = shared_secret_traced(group, reveal_secrets=True)
    assert isinstance(event.value, bytes)
    program = exchange_program(event.formula, dict(event.inputs), len(event.value))
    exec(program, {})  # noqa: S102 - ours, and run to see what it prints
    assert capsys.readouterr().out.strip() == event.value.hex()


def test_no_other_trace_has_a_private_key() -> None:
    event = shared_secret_traced("x25519", reveal_secrets=False)
    assert [name for name, _ in event.inputs] == ["our_share", "peer_share"]


def test_the_secrets_of_a_key_update_are_named_by_sender_and_number() -> None:
    trace = Trace()
    client, server = shake_hands(client_config(trace=trace.view("client")))
    for _ in range(2):
        client.key_update()  # asks for the server's, too
        pump(client, server)
    names = [e.name for e in trace.events if isinstance(e, SecretEvent)]
    assert [name for name in names if re.search(r"application_traffic_secret_[1-9]", name)] == [
        "client_application_traffic_secret_1",
        "server_application_traffic_secret_1",
        "client_application_traffic_secret_2",
        "server_application_traffic_secret_2",
    ]
