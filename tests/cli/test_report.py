"""The summary at the end of a story, as one side alone tells it."""

from __future__ import annotations

import io

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config
from rich.console import Console

from pellucid import Trace
from pellucid.cli.render import Storyteller
from pellucid.cli.report import show_summary
from pellucid.trace.narration import Step
from pellucid.trace.summary import summarise


def told(trace: Trace) -> str:
    """The summary as the commands show it."""
    written = io.StringIO()
    show_summary(Storyteller(Console(file=written, width=100), 0), summarise(trace.events))
    return written.getvalue()


@pytest.mark.parametrize(
    "suite, words",
    [
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", "as it claims: it could decrypt the secret"),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "as it claims\n"),
        ("TLS_AES_128_GCM_SHA256", "as it claims\n"),
    ],
)
def test_a_server_tells_how_it_proved_itself(suite: str, words: str) -> None:
    """It judges no certificate of a server."""
    trace = Trace()
    server = server_config(credentials=[credential("rsa")], cipher_suites=[suite], trace=trace)
    pump(*connect_pair(client_config(cipher_suites=[suite]), server))
    assert words in told(trace).replace(" \n", "\n")


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize(
    "asking, words", [("none", "it was not asked who it is"), ("optional", "it was asked, and showed no")]
)
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_client_that_showed_nothing_was_asked_or_not(
    protocol: str, asking: str, words: str, side: str
) -> None:
    trace = Trace()
    client = client_config(protocols=[protocol], trace=trace if side == "client" else None)
    server = server_config(client_authentication=asking, trace=trace if side == "server" else None)
    pump(*connect_pair(client, server))
    assert f"anonymous: {words}" in told(trace)


def test_a_group_that_tls_has_no_name_for_is_described() -> None:
    trace = Trace()
    view = trace.view("client")
    view.choice(what="group", chosen="RFC 3526's group 14 (2048 bits)", rule="the server chose it")
    suite = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
    view.outcome(status="connected", protocol="TLSv1.2", cipher_suite=suite)
    assert "DHE, RFC 3526's group 14 (2048 bits)" in told(trace)


def sealed_and_connected(protocol: str, suite: str) -> Trace:
    """As a capture tells a connection for which there are no secrets."""
    trace = Trace()
    view = trace.view("client")
    view.sealed(reason="no_secrets", detail="There is none.")
    view.outcome(status="connected", protocol=protocol, cipher_suite=suite)
    return trace


def test_what_stays_closed_is_not_guessed() -> None:
    words = told(sealed_and_connected("TLSv1.3", "TLS_AES_128_GCM_SHA256"))
    assert words.count("not seen: it is in what stays closed") == 3
    assert "pre-shared key" not in words
    assert "anonymous" not in words


def test_a_client_of_tls12_shows_its_certificate_in_the_clear_or_has_none() -> None:
    words = told(sealed_and_connected("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"))
    assert "anonymous: it was not asked who it is" in words


def test_an_end_that_is_not_known_is_told_as_such() -> None:
    trace = Trace()
    trace.view("client").outcome(status="unknown")
    words = told(trace)
    assert words.startswith("? how it ended is not known\n")
    assert "The capture does not show how it ended" in words
    assert "connected" not in words


@pytest.mark.parametrize("width", [80, 60])
def test_what_carries_a_message_has_a_line_of_its_own_where_there_is_no_room(width: int) -> None:
    written = io.StringIO()
    step = Step(1, "message", "message:NewSessionTicket", "server", "NewSessionTicket (2 of them)", "",
                size=466, protection="server's application key")  # fmt: skip
    Storyteller(Console(file=written, width=width), 0).step(step)
    title, carried = written.getvalue().splitlines()
    assert title == "  1        ◀─── server  NewSessionTicket (2 of them)"
    assert carried == "466 bytes, server's application key".rjust(width)
