"""The glossary: everything has an entry, says what is so, and is found by whatever people call it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import crypto
from pellucid.cli.standings import standings
from pellucid.codes import (
    AlertDescription,
    CipherSuite,
    ContentType,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    ProtocolVersion,
    Registry,
    SignatureScheme,
)
from pellucid.crypto import groups as exchanges
from pellucid.crypto.suites12 import SUITES12
from pellucid.policy import SUPPORTED_CIPHER_SUITES, SUPPORTED_GROUPS, SUPPORTED_SIGNATURE_SCHEMES
from pellucid.trace.explanations import explanations
from pellucid.trace.glossary import Entry, glossary
from pellucid.trace.texts import texts

GLOSSARY = glossary(standings())
BY_ID = {entry.id: entry for entry in GLOSSARY.entries}
NAMED: dict[type[Registry], str] = {
    AlertDescription: "alert",
    CipherSuite: "cipher suite",
    NamedGroup: "group",
    SignatureScheme: "signature scheme",
    ExtensionType: "extension",
}
NUMBERED: dict[type[Registry], str] = NAMED | {
    HandshakeType: "message",
    ContentType: "record of type",
    ProtocolVersion: "version",
}


def rows(entry: Entry) -> dict[str, str]:
    return {row.label: row.value for row in entry.rows}


def found(asked: str) -> list[str]:
    return [entry.id for entry in GLOSSARY.find(asked).entries]


# -- all that there is


@pytest.mark.parametrize(
    "kind, code", [(kind, code) for registry, kind in NAMED.items() for code in registry], ids=str
)
def test_every_code_point_is_found_by_its_name(kind: str, code: Registry) -> None:
    entries = GLOSSARY.find(code.name).entries
    assert (kind, code) in [(entry.kind, entry.code) for entry in entries]


@pytest.mark.parametrize(
    "kind, code", [(kind, code) for registry, kind in NUMBERED.items() for code in registry], ids=str
)
@pytest.mark.parametrize("written", ["{}", "0x{:02x}"])
def test_every_code_point_is_found_by_its_number(kind: str, code: Registry, written: str) -> None:
    entries = GLOSSARY.find(written.format(int(code))).entries
    assert (kind, code) in [(entry.kind, entry.code) for entry in entries]


@pytest.mark.parametrize(
    "identifier",
    [
        key
        for key in explanations()
        if key.count(":") == 1
        and key.partition(":")[0] in ("message", "secret", "choice", "check", "keys", "state", "alert")
        and not key.endswith(":unknown")
    ],
)
def test_every_word_of_the_narration_has_an_entry(identifier: str) -> None:
    assert BY_ID[identifier].text == explanations()[identifier].text
    assert found(identifier) == [identifier]


@pytest.mark.parametrize("name", texts("failures.toml"))
def test_every_failure_has_an_entry(name: str) -> None:
    assert found(f"failure:{name}") == [f"failure:{name}"]


def test_no_two_entries_have_the_same_id() -> None:
    assert len(BY_ID) == len(GLOSSARY.entries)


@pytest.mark.parametrize(
    "file, known",
    [
        ("alerts", [alert.name for alert in AlertDescription]),
        ("extensions", [extension.name for extension in ExtensionType]),
        ("groups", [*(group.name for group in NamedGroup), "family:sect", "family:secp"]),
        ("additions", [*explanations(), *(f"failure:{name}" for name in texts("failures.toml"))]),
    ],
)
def test_no_text_is_for_what_does_not_exist(file: str, known: Iterable[str]) -> None:
    assert set(texts(f"glossary/{file}.toml")) <= set(known)


def test_what_the_page_says_of_an_extension_is_not_said_twice() -> None:
    own = {name for name, entry in texts("glossary/extensions.toml").items() if "text" in entry}
    assert own.isdisjoint(texts("html/fields.toml"))


# -- what is said


def test_an_entry_is_a_few_sentences() -> None:
    said = [(e.id, text) for e in GLOSSARY.entries for text in (e.text, e.textbook, e.why) if text]
    assert [both for both in said if not re.fullmatch(r"\S.*[.?]", both[1]) or len(both[1]) > 330] == []


def test_what_would_go_wrong_goes_on_from_without_it() -> None:
    said = [(e.id, e.without) for e in GLOSSARY.entries if e.without]
    assert [both for both in said if not re.fullmatch(r"([a-z]|HTTP/2|TLS).*\.", both[1])] == []


def test_an_entry_says_where_to_read_on() -> None:
    one = r"(RFC \d+( [A-G\d][.\d]*)?|draft-[a-z-]+)"
    # The page says of some fields only what they are.
    said = [(e.id, e.rfc) for e in GLOSSARY.entries if e.rfc or e.kind != "field"]
    assert [both for both in said if not re.fullmatch(f"{one}(, {one})*", both[1])] == []


def test_the_names_to_go_on_with_are_names() -> None:
    wrong = [
        (e.id, name) for e in GLOSSARY.entries for name in e.related if GLOSSARY.find(name).how != "name"
    ]
    assert wrong == []


@pytest.mark.parametrize("alert", AlertDescription, ids=str)
def test_an_alert_says_who_sends_it_and_what_to_do(alert: AlertDescription) -> None:
    told = rows(BY_ID[f"alert:{alert}"])
    assert told.keys() >= {"who sends it", "level", "usual cause", "what to do"}
    assert not any("{" in value for value in told.values())


@pytest.mark.parametrize("group", SUPPORTED_GROUPS, ids=str)
def test_the_shares_of_a_group_are_as_long_as_it_says(group: NamedGroup) -> None:
    share = exchanges.generate(group).share
    answer, _ = exchanges.respond(group, share)
    both = (
        f"{len(share):,} bytes from each side"
        if len(share) == len(answer) and "MLKEM" not in group.name
        else f"{len(share):,} bytes, the server's {len(answer):,}"
    )
    assert rows(BY_ID[f"group:{group}"])["share"] == both


@pytest.mark.parametrize(
    "kind, codes",
    [
        ("suite", SUPPORTED_CIPHER_SUITES),
        ("group", SUPPORTED_GROUPS),
        ("scheme", SUPPORTED_SIGNATURE_SCHEMES),
    ],
)
def test_what_is_never_offered_is_what_is_not_supported(kind: str, codes: Iterable[Registry]) -> None:
    entries = [entry for entry in GLOSSARY.entries if entry.id.startswith(f"{kind}:")]
    spoken = {entry.name for entry in entries if not rows(entry).get("offered", "never").startswith("never")}
    assert spoken == {code.name for code in codes}


@pytest.mark.parametrize("suite", SUITES12.values(), ids=str)
def test_a_suite_is_judged_as_the_engine_judges_it(suite: crypto.suites12.Suite12) -> None:
    told = rows(BY_ID[f"suite:{suite.name}"])
    assert told["forward secrecy"].startswith("yes" if suite.forward_secrecy else "no")
    lacks = re.findall(r"(forward secrecy|authenticated encryption|a full tag) \(", told["verdict"])
    assert [what.replace("a full tag", "a tag of full length") for what in lacks] == list(suite.lacks)
    assert told["verdict"].startswith("old") == bool(suite.lacks)
    assert ("MAC" in told) == (not suite.aead)


@pytest.mark.parametrize("suite", CipherSuite, ids=str)
def test_a_suite_has_a_verdict_and_all_its_parts(suite: CipherSuite) -> None:
    entry = BY_ID[f"suite:{suite.name}"]
    told = rows(entry)
    if suite.name.endswith("_SCSV") or suite == 0:
        assert not told
        return
    assert told.keys() >= {"key exchange", "server's proof", "encryption", "forward secrecy", "verdict"}
    assert told.keys() & {"MAC", "hash"}
    refused = suite not in SUPPORTED_CIPHER_SUITES
    assert told["verdict"].startswith("refused") == refused


@pytest.mark.parametrize(
    "suite, words",
    [
        ("TLS_RSA_WITH_RC4_128_SHA", "RFC 7465"),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "Sweet32"),
        ("TLS_DH_anon_WITH_AES_128_GCM_SHA256", "in the middle"),
        ("TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", "40 bits"),
        ("TLS_ECDHE_RSA_WITH_NULL_SHA", "nothing is encrypted"),
        ("TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", "one leak"),
        ("TLS_DHE_DSS_WITH_AES_128_CBC_SHA", "DSA"),
        ("TLS_PSK_WITH_AES_128_GCM_SHA256", "TLS 1.3 alone"),
    ],
)
def test_a_refused_suite_says_why(suite: str, words: str) -> None:
    assert words in rows(BY_ID[f"suite:{suite}"])["verdict"]


# -- how it is found


@pytest.mark.parametrize(
    "asked, identifiers",
    [
        ("ecdhe", ["term:ECDHE"]),
        ("master secret", ["secret:master_secret"]),
        ("pre-master secret", ["secret:premaster_secret"]),
        ("0xc02f", ["suite:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]),
        ("0xC0,0x2F", ["suite:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]),
        ("C02F", ["suite:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]),
        ("{0x13,0x01}", ["suite:TLS_AES_128_GCM_SHA256"]),
        ("1301", ["suite:TLS_AES_128_GCM_SHA256"]),
        ("ECDHE-RSA-AES128-GCM-SHA256", ["suite:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]),
        ("aes256-sha", ["suite:TLS_RSA_WITH_AES_256_CBC_SHA"]),
        ("tls_rsa_with_aes_128_cbc_sha", ["suite:TLS_RSA_WITH_AES_128_CBC_SHA"]),
        ("bad_record_mac", ["alert:bad_record_mac"]),
        ("bad record MAC", ["alert:bad_record_mac"]),
        ("40", ["alert:handshake_failure"]),
        ("0x28", ["alert:handshake_failure"]),
        ("server_name", ["extension:server_name"]),
        ("SNI", ["term:SNI"]),
        ("x25519", ["group:x25519"]),
        ("P-256", ["group:secp256r1"]),
        ("hello retry", ["message:HelloRetryRequest"]),
        ("HRR", ["message:HelloRetryRequest"]),
        ("rsa_pss_rsae_sha256", ["scheme:rsa_pss_rsae_sha256"]),
        ("certificate_expired", ["alert:certificate_expired"]),
        ("missing_intermediate", ["failure:missing_intermediate"]),
        ("early data", ["term:0-RTT"]),
        ("early_data", ["extension:early_data"]),
        ("session key", ["term:session key"]),
        ("0x1a1a", ["term:GREASE"]),
        ("0x0304", ["term:TLS 1.3"]),
        ("tlsv1.2", ["term:TLS 1.2"]),
        ("certificate", ["term:X.509 certificate", "message:Certificate"]),
        ("Finished", ["message:Finished"]),
        ("check:finished", ["check:finished"]),
        ("subjectAltName", ["field:subjectAltName"]),
        ("wait_fin", ["state:WAIT_FINISHED"]),
        ("no_secrets", ["sealed:no_secrets"]),
    ],
)
def test_a_name_is_found_as_people_write_it(asked: str, identifiers: list[str]) -> None:
    assert found(asked) == identifiers


def test_several_meanings_of_a_number_are_all_there() -> None:
    assert found("20") == [
        "alert:bad_record_mac",
        "suite:TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
        "group:secp224k1",
        "extension:server_certificate_type",
        "message:Finished",
        "record:change_cipher_spec",
    ]


@pytest.mark.parametrize(
    "asked, identifier",
    [
        ("alert 40", "alert:handshake_failure"),
        ("Extension 43", "extension:supported_versions"),
        ("curve 23", "group:secp256r1"),
        ("Cipher Suite: 0x1301", "suite:TLS_AES_128_GCM_SHA256"),
        ("handshake message 11", "message:Certificate"),
    ],
)
def test_a_number_may_come_with_what_it_is_of(asked: str, identifier: str) -> None:
    assert found(asked) == [identifier]


def test_a_number_that_no_such_thing_has_is_not_found_among_others() -> None:
    assert "extension:supported_versions" not in found("alert 43")


@pytest.mark.parametrize(
    "asked, kind, count",
    [
        ("alerts", "alert", len(AlertDescription)),
        ("cipher suites", "cipher suite", len(CipherSuite)),
        ("groups", "group", len(NamedGroup)),
        ("signature schemes", "signature scheme", len(SignatureScheme)),
        ("extensions", "extension", len(ExtensionType)),
    ],
)
def test_a_plural_is_all_of_a_kind(asked: str, kind: str, count: int) -> None:
    result = GLOSSARY.find(asked)
    assert result.how == "kind"
    assert {entry.kind for entry in result.entries} == {kind}
    assert len(result.entries) == count


def test_words_of_a_name_find_all_that_have_them() -> None:
    assert GLOSSARY.find("handshake traffic").how == "part"
    assert found("handshake traffic") == [
        "secret:client_handshake_traffic_secret",
        "secret:server_handshake_traffic_secret",
    ]


@pytest.mark.parametrize(
    "asked, meant",
    [
        ("finshed", "message:Finished"),
        ("bad_recrd_mac", "alert:bad_record_mac"),
        ("x25591", "group:x25519"),
        ("handshake_faliure", "alert:handshake_failure"),
        ("premastre secret", "secret:premaster_secret"),
        ("sever_name", "extension:server_name"),
    ],
)
def test_a_typo_is_seen_through(asked: str, meant: str) -> None:
    assert GLOSSARY.find(asked).how == "alike"
    assert meant in found(asked)


@pytest.mark.parametrize(
    "said, meant",
    [
        ("error:0A000410:SSL routines::sslv3 alert handshake failure", ["alert:handshake_failure"]),
        ("tlsv1 alert unknown ca", ["alert:unknown_ca"]),
        ("tlsv13 alert certificate required", ["alert:certificate_required"]),
        (
            "curl: (60) SSL certificate problem: unable to get local issuer certificate",
            ["failure:missing_intermediate", "failure:unknown_root"],
        ),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)", ["failure:not_tls"]),
        ("NET::ERR_CERT_COMMON_NAME_INVALID", ["failure:hostname_mismatch"]),
        ("x509: certificate signed by unknown authority", ["failure:unknown_root"]),
        ("read: connection reset by peer", ["failure:reset_after_client_hello"]),
        ("OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection", ["failure:closed_after_client_hello"]),
    ],
)
def test_an_error_message_is_understood(said: str, meant: list[str]) -> None:
    assert GLOSSARY.find(said).how == "inside"
    assert found(said) == meant


def test_what_looks_only_a_little_alike_is_suggested() -> None:
    result = GLOSSARY.find("cert_exprd")
    assert (result.how, result.entries) == ("nothing", ())
    assert "certificate_expired" in result.instead


@pytest.mark.parametrize("asked", ["", " ", "--", "qqqqq", "0xffffff", "65000", "999999"])
def test_what_is_nothing_finds_nothing(asked: str) -> None:
    assert GLOSSARY.find(asked).entries == ()


@given(st.text(max_size=40))
def test_whatever_is_asked_there_is_an_answer(asked: str) -> None:
    result = GLOSSARY.find(asked)
    assert bool(result.entries) == (result.how != "nothing")


@pytest.fixture(name="without_policies")
def _without_policies() -> Callable[[str], dict[str, str]]:
    entries = {entry.id: entry for entry in glossary({}).entries}
    return lambda identifier: rows(entries[identifier])


def test_what_is_offered_comes_from_the_policies(without_policies: Callable[[str], dict[str, str]]) -> None:
    assert without_policies("group:x25519")["offered"].startswith("never")
    assert rows(BY_ID["group:x25519"])["offered"].startswith("by default")
    assert rows(BY_ID["group:x448"])["offered"] == "only when asked for by name (--group x448)"
    assert rows(BY_ID["group:ffdhe2048"])["offered"].startswith("by the policy compatible")
