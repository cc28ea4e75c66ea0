"""The page as a file: what is in it, what is not, and that nothing in it can act."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import asdict
from typing import Any

import pytest
from loopback import client_config, connect_pair, credential, pump, server_config
from pages import configs12, configs13, content, content_of, converse, messages_of

from pellucid import ClientConfig, ClientConnection, ServerConfig, TLSError
from pellucid.codes import CipherSuite, NamedGroup
from pellucid.sessions import SessionStore, TicketKeys
from pellucid.trace import KeysEvent, MessageEvent, Redacted, SecretEvent, Trace
from pellucid.trace.fingerprints import fingerprints
from pellucid.trace.html import page, policy
from pellucid.trace.json import dumps
from pellucid.trace.narration import narrate
from pellucid.trace.redacting import redacted
from pellucid.trace.texts import Place

EVIL = "</script><script>alert(1)</script><!--\"'&"
SUITE, GROUP = CipherSuite.TLS_AES_128_GCM_SHA256, NamedGroup.X25519MLKEM768


def resuming() -> tuple[ClientConfig, ServerConfig]:
    """Of two connections with these the second resumes the first."""
    tickets = TicketKeys(lambda count: bytes(range(count)), lambda: 1_800_000_000.0)
    client = client_config(sessions=SessionStore(), protocols=["TLSv1.3"])
    return client, server_config(tickets=tickets)


KINDS = {
    "resumed": resuming(),
    "mutual": configs13(SUITE, GROUP, "ecdsa", mutual=True, retried=False),
    "retried": configs13(SUITE, NamedGroup.secp384r1, "ecdsa", mutual=False, retried=True),
    "rsa": configs12(CipherSuite.TLS_RSA_WITH_AES_128_CBC_SHA, mutual=False),
    "dhe": configs12(CipherSuite.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, mutual=True),
    "ecdhe": configs12(CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, mutual=False),
}


@pytest.fixture(scope="module")
def mutual() -> Trace:
    return converse(*configs13(SUITE, GROUP, "ecdsa", mutual=True, retried=False))


@pytest.fixture(scope="module")
def shown(mutual: Trace) -> dict[str, Any]:
    """Its one connection, as the page has it."""
    connection: dict[str, Any] = content(mutual)["connections"][0]
    return connection


def secrets_in(trace: Trace) -> list[bytes]:
    """All that an observer must not see. What is cut from a key block is in that."""
    found: list[object] = []
    for event in trace.events:
        # A verify_data travels.
        if isinstance(event, SecretEvent) and not event.name.endswith("verify_data"):
            found += [event.value, *(value for name, value in event.inputs if name == "our_private_key")]
        if isinstance(event, KeysEvent):
            found += [event.key, event.iv, event.mac_key]
    return [value for value in found if isinstance(value, bytes) and len(value) >= 12]


def test_the_steps_are_those_of_the_narration(mutual: Trace, shown: dict[str, Any]) -> None:
    told = [(step.number, step.side, step.title, step.purpose) for step in narrate(mutual.events)]
    assert [(s["number"], s["side"], s["title"], s["purpose"]) for s in shown["steps"]] == told


def test_every_message_says_what_would_go_wrong_without_it(shown: dict[str, Any]) -> None:
    without = {
        step["title"] for step in shown["steps"] if step["kind"] == "message" and "without" not in step
    }
    assert without == {"application data"}


def test_time_begins_with_the_first_step_and_never_goes_back(shown: dict[str, Any]) -> None:
    times = [step["time"] for step in shown["steps"]]
    assert times == sorted(times)
    assert times[0] == 0
    assert len(set(times)) > 10


def test_an_encrypted_record_knows_the_messages_in_it(shown: dict[str, Any]) -> None:
    flight = next(r for r in shown["records"] if r["encrypted"] and r["side"] == "server")
    assert (flight["outside"], flight["inside"]) == ("application_data", "handshake")
    inside = [m["name"] for m in messages_of(shown) if flight["number"] in m["records"]]
    names = ["EncryptedExtensions", "CertificateRequest", "Certificate", "CertificateVerify", "Finished"]
    assert inside == names
    assert (flight["protection"], flight["sequence"]) == ("server's handshake key", 0)
    sizes = [len(m["raw"]) // 2 for m in messages_of(shown) if flight["number"] in m["records"]]
    assert flight["content"] == sum(sizes)


def test_records_of_one_key_are_counted_from_zero(shown: dict[str, Any]) -> None:
    counts: dict[str, list[int]] = {}
    for record in shown["records"]:
        if record["encrypted"]:
            counts.setdefault(record["protection"], []).append(record["sequence"])
    assert all(count == [*range(len(count))] for count in counts.values())
    assert len(counts) == 4


def test_each_secret_stands_once_though_both_sides_made_it(shown: dict[str, Any]) -> None:
    names = [key["name"] for key in shown["keys"]]
    twice = {name for name in names if names.count(name) > 1}
    assert twice == {"finished_key"}  # one for each side's Finished
    assert all(key["sides"] in (["server", "client"], ["client", "server"]) for key in shown["keys"])
    assert len({key["id"] for key in shown["keys"]}) == len(names)


def test_the_graph_is_that_of_the_rfc(shown: dict[str, Any]) -> None:
    """RFC 9846 7.1: what each secret is made from."""
    by_id = {key["id"]: key for key in shown["keys"]}
    made_from = {
        key["name"]: {by_id[i["from"]["key"]]["name"] for i in key["inputs"] if "key" in i.get("from", {})}
        for key in shown["keys"]
    }
    assert made_from["derived_early_secret"] == {"early_secret"}
    assert made_from["handshake_secret"] == {"derived_early_secret", "shared_secret"}
    assert made_from["main_secret"] == {"derived_handshake_secret"}
    assert made_from["client_application_traffic_secret_0"] == {"main_secret"}
    assert made_from["server's handshake key"] == {"server_handshake_traffic_secret"}
    assert made_from["client_verify_data"] == {"finished_key"}
    for key in shown["keys"]:
        for source in key["inputs"]:
            if "key" in source.get("from", {}):
                assert by_id[source["from"]["key"]]["rank"] < key["rank"]
                assert key["id"] in by_id[source["from"]["key"]]["used_by"]


def test_an_input_names_the_bytes_that_it_is(shown: dict[str, Any]) -> None:
    exchange = next(key for key in shown["keys"] if key["name"] == "shared_secret")
    *shares, private_key = exchange["inputs"]
    assert private_key["name"] == "our_private_key"
    assert "from" not in private_key  # it never travels
    for each in shares:
        origin = each["from"]
        step = shown["steps"][origin["step"] - 1]
        raw = [part for part in step["parts"] if part["kind"] == "message"][origin["part"]]["raw"]
        assert raw[2 * origin["at"] : 2 * origin["to"] + 2] == each["hex"]


def test_the_version_in_a_premaster_secret_is_that_of_the_client_hello() -> None:
    connection = content(converse(*KINDS["rsa"]))["connections"][0]
    premaster = next(key for key in connection["keys"] if key["name"] == "premaster_secret")
    assert [each["from"] for each in premaster["inputs"]] == [{"step": 1, "part": 0, "at": 4, "to": 5}]


def test_a_transcript_hash_names_the_messages_that_it_is_of(shown: dict[str, Any]) -> None:
    secret = next(key for key in shown["keys"] if key["name"] == "client_handshake_traffic_secret")
    origin = secret["inputs"][-1]["from"]
    titles = [shown["steps"][number - 1]["title"] for number in origin["hash_of"]]
    assert (origin["messages"], titles) == (2, ["ClientHello", "ServerHello"])


def test_after_a_retry_the_first_hello_goes_in_as_its_hash() -> None:
    trace = converse(*configs13(SUITE, NamedGroup.x25519, "ecdsa", mutual=False, retried=True))
    connection = content(trace)["connections"][0]
    secret = next(key for key in connection["keys"] if key["name"] == "client_handshake_traffic_secret")
    origin = secret["inputs"][-1]["from"]
    titles = [connection["steps"][number - 1]["title"] for number in origin["hash_of"]]
    assert titles == ["ClientHello", "HelloRetryRequest", "ClientHello, again", "ServerHello"]


def test_what_a_resumption_starts_from_is_linked_to_the_connection_before() -> None:
    configs = resuming()
    first, second = (converse(*configs) for _ in range(2))
    early = next(
        key for key in content(first, second)["connections"][1]["keys"] if key["name"] == "early_secret"
    )
    assert [each["from"] for each in early["inputs"] if "from" in each] == [
        {"connection": 1, "key": "resumption-psk"}
    ]


@pytest.mark.parametrize("configs", KINDS.values(), ids=KINDS.keys())
def test_hidden_secrets_are_nowhere_in_page_and_json(configs: tuple[ClientConfig, ServerConfig]) -> None:
    traces = [converse(*configs), converse(*configs)]
    hidden = [redacted(trace) for trace in traces]
    told = page(hidden, heading="A test") + dumps(hidden[1], hidden[:1])
    secrets = {value for trace in traces for value in secrets_in(trace)} - everybodys()
    assert len(secrets) > 8
    assert [value.hex() for value in secrets if value.hex() in told] == []
    assert (content(*hidden)["banner"], content(*hidden)["revealed"]) == ("", False)


def everybodys() -> set[object]:
    """The early secrets without a PSK, which are the same for all connections."""
    events = converse(client_config(), server_config()).events
    return {e.value for e in events if isinstance(e, SecretEvent) and "early" in e.name}


def test_shown_secrets_come_with_a_banner(mutual: Trace) -> None:
    assert "Keep it to yourself" in content(mutual)["banner"]
    assert content(mutual, banner="A laboratory's.")["banner"] == "A laboratory's."


def test_redacting_leaves_what_is_public(mutual: Trace) -> None:
    copy = redacted(mutual)
    assert redacted(copy) is copy
    assert len(copy.events) == len(mutual.events)
    for before, after in zip(mutual.events, copy.events, strict=True):
        if isinstance(before, SecretEvent):
            assert isinstance(after, SecretEvent)
            assert isinstance(before.value, bytes)
            assert after.value == Redacted.of(before.value)
            public = [name for name, _ in before.inputs if name != "our_private_key"]
            assert [name for name, _ in after.inputs] == public
        elif not isinstance(before, KeysEvent):
            assert after is before


def test_what_peers_say_cannot_leave_the_data() -> None:
    trace = converse(client_config(alpn_protocols=["http/1.1", EVIL]), server_config())
    text = page([trace], heading=EVIL, note=EVIL)
    assert text.count("<script") == 2
    assert text.count("</script") == 2
    assert "<!--" not in text
    assert content_of(text)["heading"] == EVIL
    assert html.escape(EVIL, quote=False).replace('"', "&#34;").replace("'", "&#39;") in text


def test_the_policy_lets_nothing_run_but_what_stands_there(mutual: Trace) -> None:
    text = page([mutual], heading="A test")
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert found
    assert html.unescape(found[1]) == policy()
    assert policy().startswith("default-src 'none';")
    assert "unsafe" not in policy()
    for tag in ("style", "script"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert body
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy()


def test_nothing_is_loaded_and_nothing_is_read_as_html(mutual: Trace) -> None:
    text = page([mutual], heading="A test")
    assert re.findall(r"<(?:img|iframe|object|embed|form|base)\b", text) == []
    assert re.findall(r"\s(?:src|srcset|on\w+)=", text.split('<script id="data"')[0]) == []
    script = text.rpartition("<script>")[2]
    unsafe = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function")
    network = (
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "sendBeacon",
        "import(",
        "EventSource",
        "localStorage",
    )
    assert [word for word in unsafe + network if word in script] == []
    assert re.findall(r"url\(|@import", text.partition("</style>")[0]) == []


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "mldsa87"])
def test_a_normal_handshake_makes_a_page_under_a_megabyte_and_a_half(kind: str) -> None:
    trace = converse(*configs13(SUITE, GROUP, kind, mutual=True, retried=False))
    assert len(page([trace], heading="A test").encode()) < 1_500_000


def test_a_long_download_does_not_make_a_long_page() -> None:
    trace = Trace(reveal_secrets=True)
    client, server = connect_pair(client_config(trace=trace), server_config(trace=trace))
    pump(client, server)
    server.send_data(bytes(4_000_000))
    while out := server.data_to_send():
        client.receive_data(out)
    text = page([trace], heading="A test")
    assert len(text.encode()) < 1_500_000
    connection = content_of(text)["connections"][0]
    assert len(connection["records"]) > 200
    assert len(connection["records"][-1]["raw"]) == 10  # the header alone
    assert connection["steps"][-1]["parts"] == [
        {"kind": "data", "size": 4_000_000, "records": [r["number"] for r in connection["records"][-245:]]}
    ]


def test_a_failure_comes_with_all_that_is_known_of_it() -> None:
    trace = converse(client_config(), server_config(credentials=[credential(names=("example.org",))]))
    trace.place = Place("localhost", 8443)
    outcome = content(trace)["connections"][0]["outcome"]
    failure = outcome["failure"]
    assert (outcome["status"], failure["id"], failure["alert"]) == (
        "failed",
        "hostname_mismatch",
        "bad_certificate",
    )
    assert {"observed", "inferred", "possible", "fix", "confirm", "rfc"} <= failure.keys()
    assert "localhost:8443" in failure["confirm"]
    assert "{" not in failure["confirm"]


def test_bytes_that_were_no_tls_are_shown() -> None:
    trace = Trace()
    client = ClientConnection(client_config(trace=trace), "localhost")
    client.data_to_send()
    with pytest.raises(TLSError):
        client.receive_data(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert content(trace)["connections"][0]["unread"] == [b"HTTP/1.1 400 Bad Request\r\n\r\n".hex()]


def test_an_empty_trace_makes_a_page() -> None:
    connection = content(Trace())["connections"][0]
    assert (connection["steps"], connection["outcome"]) == ([], {"status": "unknown"})


def test_a_client_hello_has_its_fingerprints(mutual: Trace, shown: dict[str, Any]) -> None:
    hello = next(messages_of(shown))
    raw = next(event.raw for event in mutual.events if isinstance(event, MessageEvent))
    found = fingerprints(raw)
    assert found
    assert hello["fingerprints"] == asdict(found)
    assert [part["name"] for part in messages_of(shown) if "fingerprints" in part] == ["ClientHello"]
