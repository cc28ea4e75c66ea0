"""TLS 1.2 from outside: what `decode` tells of a capture is what those told who took part."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from conversations import KINDS, converse
from watching12 import (
    CBC,
    DHE,
    ECDHE,
    MUTUAL_CLIENT,
    MUTUAL_SERVER,
    RSA,
    RSA_CBC,
    Talk,
    checks,
    decode,
    events_of,
    messages,
    rsa_key,
    sealed,
    secrets,
    talk12,
)

from pellucid.decode import Decoded
from pellucid.trace import Trace
from pellucid.trace.carried import Content, carried
from pellucid.trace.events import (
    ChoiceEvent,
    DataEvent,
    KeysEvent,
    MessageEvent,
    OutcomeEvent,
    RecordEvent,
    SecretEvent,
)
from pellucid.trace.pcapng import write_pcapng

TLS13, BOTH = "TLS_AES_128_GCM_SHA256", ["TLSv1.3", "TLSv1.2"]

#: By name: suite, and how client and server differ from the usual.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "rsa": (RSA, {}),
    "rsa, cbc": (RSA_CBC, {}),
    "dhe": (DHE, {}),
    "ecdhe": (ECDHE, {}),
    "encrypt then mac": (CBC, {}),
    "mac then encrypt": (CBC, {"client": {"encrypt_then_mac": False}}),
    "no extended secret": (RSA, {"client": {"extended_master_secret": "never"}}),
    "mutual": (ECDHE, {"client": MUTUAL_CLIENT, "server": MUTUAL_SERVER}),
    "mutual, rsa": (RSA, {"client": MUTUAL_CLIENT, "server": MUTUAL_SERVER}),
    "asked in vain": (ECDHE, {"server": MUTUAL_SERVER | {"client_authentication": "optional"}}),
    "by ticket": (ECDHE, {"times": 2}),
    "mutual, by ticket": (DHE, {"times": 2, "client": MUTUAL_CLIENT, "server": MUTUAL_SERVER}),
    "by session ID": (RSA, {"times": 3, "server": {"tickets": False}}),
    "not resumed": (ECDHE, {"times": 2, "server": {"tickets": True}}),
    "session ID unknown": (DHE, {"times": 2, "server": {"tickets": False, "session_cache": True}}),
    "both versions offered": (ECDHE, {"client": {"protocols": BOTH, "cipher_suites": [TLS13, ECDHE]}}),
    "small records": (ECDHE, {"client": {"record_size_limit": 100}}),
    "small fragments": (CBC, {"client": {"max_fragment_length": 512}}),
    "protocol": (ECDHE, {"client": {"alpn_protocols": ["h2", "x"]}, "server": {"alpn_protocols": ["x"]}}),
}
RSA_CASES = [name for name, (suite, _) in CASES.items() if suite.startswith("TLS_RSA_")]


@cache
def talk(case: str) -> Talk:
    suite, options = CASES[case]
    return talk12(suite, **options)


@cache
def by_key_log(case: str) -> list[Decoded]:
    return decode(talk(case).capture())


@cache
def by_private_key(case: str) -> list[Decoded]:
    return decode(talk(case).capture(with_keys=False), private_key=rsa_key())


def pairs(case: str) -> list[tuple[Trace, Decoded]]:
    return list(zip(talk(case).traces, by_key_log(case), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_the_messages_are_those_that_were_told_live(case: str) -> None:
    for trace, decoded in pairs(case):
        assert messages(events_of(decoded)) == messages(trace.events)
        assert sealed(decoded) == []


@pytest.mark.parametrize("case", CASES)
def test_each_message_is_read_as_what_it_is(case: str) -> None:
    for trace, decoded in pairs(case):
        live = [(e.fields, e.encrypted, e.epoch) for e in trace.events if isinstance(e, MessageEvent)]
        seen = [(e.fields, e.encrypted, e.epoch) for e in events_of(decoded) if isinstance(e, MessageEvent)]
        assert seen == live


@pytest.mark.parametrize("case", CASES)
def test_the_secrets_are_those_that_both_sides_had(case: str) -> None:
    for trace, decoded in pairs(case):
        live, seen = secrets(trace.events), secrets(events_of(decoded))
        assert set(live) - set(seen) <= {("client", "premaster_secret"), ("server", "premaster_secret")}
        assert {name: live[name] for name in seen if name in live} == {
            name: value for name, value in seen.items() if name in live
        }
        assert {name for _, name in set(seen) - set(live)} <= {"master_secret"}


@pytest.mark.parametrize("case", CASES)
def test_the_keys_are_taken_into_use_as_they_were(case: str) -> None:
    def keys(events: list[Any]) -> list[tuple[Any, ...]]:
        found = (event for event in events if isinstance(event, KeysEvent))
        return sorted((e.side, e.direction, e.epoch, e.cipher_suite, e.key, e.iv, e.mac_key) for e in found)

    for trace, decoded in pairs(case):
        assert keys(events_of(decoded)) == keys(trace.events)


@pytest.mark.parametrize("case", CASES)
def test_all_that_can_be_checked_is_checked_and_holds(case: str) -> None:
    great = {"finished", "server_key_exchange", "certificate_verify", "certificate_chain", "dh_group"}
    for trace, decoded in pairs(case):
        seen = checks(events_of(decoded))
        assert [check for check in seen if not check.ok] == []
        resumed = any(outcome.resumed for outcome in trace.events if isinstance(outcome, OutcomeEvent))
        live = {(e.side, e.what, e.expected, e.found) for e in checks(trace.events) if e.what in great}
        if resumed:  # the server looks at the chain in its ticket, which nobody else sees
            live = {each for each in live if each[1] != "certificate_chain"}
        assert {(e.side, e.what, e.expected, e.found) for e in seen if e.what in great} == live


@pytest.mark.parametrize("case", CASES)
def test_the_outcome_is_the_same_on_both_sides(case: str) -> None:
    for trace, decoded in pairs(case):
        live = {e.side: e for e in trace.events if isinstance(e, OutcomeEvent)}
        seen = {e.side: e for e in events_of(decoded) if isinstance(e, OutcomeEvent)}
        for side, outcome in live.items():
            for name in ("status", "protocol", "cipher_suite", "group", "signature_scheme", "alpn"):
                assert getattr(seen[side], name) == getattr(outcome, name), name
            for name in ("resumed", "server_name", "mutual"):
                assert getattr(seen[side], name) == getattr(outcome, name), name


@pytest.mark.parametrize("case", CASES)
def test_each_record_has_what_it_carried(case: str) -> None:
    def records(events: list[Any]) -> list[tuple[Any, ...]]:
        inside = carried(events)
        return sorted(
            (e.side, e.direction, e.content_type, e.raw, e.encrypted, e.content_length, names(inside[e.n]))
            for e in events
            if isinstance(e, RecordEvent)
        )

    def names(contents: tuple[Content, ...]) -> list[str]:
        return [getattr(one, "name", one.kind) for one in contents]

    for trace, decoded in pairs(case):
        assert records(events_of(decoded)) == records(trace.events)


@pytest.mark.parametrize("case", CASES)
def test_the_data_is_counted(case: str) -> None:
    def data(events: list[Any]) -> list[tuple[str, str, int]]:
        return [(e.side, e.direction, e.length) for e in events if isinstance(e, DataEvent)]

    for trace, decoded in pairs(case):
        assert data(events_of(decoded)) == data(trace.events)


@pytest.mark.parametrize("case", RSA_CASES)
def test_with_the_servers_private_key_rsa_key_exchange_needs_no_key_log(case: str) -> None:
    for trace, decoded in zip(talk(case).traces, by_private_key(case), strict=True):
        assert sealed(decoded) == []
        assert messages(events_of(decoded)) == messages(trace.events)
        assert secrets(events_of(decoded)) == secrets(trace.events)
        assert all(check.ok for check in checks(events_of(decoded)))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("1.2")])
def test_whole_conversations_are_told_alike(kind: str) -> None:
    live = converse(kind)
    [decoded] = decode(b"".join(write_pcapng([live.trace], live.key_log)))
    assert sealed(decoded) == []
    assert messages(events_of(decoded)) == messages(live.trace.events)


@pytest.mark.parametrize("case", ["by ticket", "by session ID", "not resumed", "ecdhe"])
def test_what_becomes_of_an_offered_session_is_told_as_the_client_sees_it(case: str) -> None:
    def choices(events: list[Any]) -> list[tuple[str, str]]:
        found = (e for e in events if isinstance(e, ChoiceEvent) and e.side == "client")
        return [(e.chosen, e.rule) for e in found if e.what == "session"]

    for trace, decoded in pairs(case):
        assert choices(events_of(decoded)) == choices(trace.events)


def test_a_given_secret_says_where_it_is_from() -> None:
    [decoded] = by_key_log("ecdhe")
    given = [e for e in events_of(decoded) if isinstance(e, SecretEvent) and e.name == "master_secret"]
    assert [e.side for e in given] == ["client", "server"]
    assert {e.formula for e in given} == {"given: CLIENT_RANDOM of the key log"}


def test_the_line_of_nss_gives_the_premaster_secret() -> None:
    [trace] = talk("rsa").traces
    [exchange] = {
        e.raw for e in trace.events if isinstance(e, MessageEvent) and e.name == "ClientKeyExchange"
    }
    premaster = secrets(trace.events)["client", "premaster_secret"]
    assert isinstance(premaster, bytes)
    line = f"RSA {exchange[6:14].hex()} {premaster.hex()}"
    [decoded] = decode(talk("rsa").capture(with_keys=False), key_log=line)
    assert sealed(decoded) == []
    assert secrets(events_of(decoded)) == secrets(trace.events)


def test_a_resumed_connection_alone_is_opened_by_a_line_of_its_own() -> None:
    whole = talk("by ticket")
    later = Talk(whole.traces[1:], whole.key_log)
    [decoded] = decode(later.capture())
    assert sealed(decoded) == []
    assert messages(events_of(decoded)) == messages(whole.traces[1].events)
    assert decoded.outcome is not None
    assert decoded.outcome.resumed


def test_a_session_seen_earlier_opens_the_connection_that_resumes_it() -> None:
    whole = talk("by ticket")
    first = [line for line in whole.key_log if line != whole.key_log[-1]]
    assert len(first) == 1
    decoded = decode(whole.capture(with_keys=False), key_log="\n".join(first))
    assert [sealed(one) for one in decoded] == [[], []]


def test_secrets_are_kept_back_unless_asked_for() -> None:
    [decoded] = decode(talk("rsa").capture(), reveal_secrets=False)
    assert not any(isinstance(value, bytes) for value in secrets(events_of(decoded)).values())
