"""The summary at the end of a story, as the server alone tells it: it judges no certificate of a server."""

from __future__ import annotations

import io

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config
from rich.console import Console

from pellucid import Trace
from pellucid.cli.render import Storyteller
from pellucid.cli.report import show_summary
from pellucid.trace.summary import summarise


@pytest.mark.parametrize(
    "suite, words",
    [
        ("TLS_RSA_WITH_AES_128_GCM_SHA256", "as it claims: it could decrypt the secret"),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "as it claims\n"),
        ("TLS_AES_128_GCM_SHA256", "as it claims\n"),
    ],
)
def test_a_server_tells_how_it_proved_itself(suite: str, words: str) -> None:
    trace = Trace()
    server = server_config(credentials=[credential("rsa")], cipher_suites=[suite], trace=trace)
    pump(*connect_pair(client_config(cipher_suites=[suite]), server))
    written = io.StringIO()
    show_summary(Storyteller(Console(file=written, width=100), 0), summarise(trace.events))
    assert words in written.getvalue().replace(" \n", "\n")
