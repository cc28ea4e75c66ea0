"""The key schedule: all values of RFC 8448's five traces, then what the RFC has no values for."""

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.crypto.suites import SUITES, Suite
from pellucid.errors import Misuse, Reason
from pellucid.keys import (
    KeySchedule,
    TrafficKeys,
    derive_secret,
    export_keying_material,
    finished_verify_data,
    hkdf_expand_label,
    next_traffic_secret,
    resumption_psk,
    traffic_keys,
)
from pellucid.keys.labels import hkdf_label

RFC8448 = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8448.json").read_text())
TRACES = {trace["name"]: trace for trace in RFC8448["traces"]}
AES_128_GCM = SUITES[0x1301]
AES_256_GCM = SUITES[0x1302]

each_trace = pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES.keys())
each_suite = pytest.mark.parametrize("suite", SUITES.values(), ids=str)
each_hash = pytest.mark.parametrize("hash_name", ["sha256", "sha384"])


def entries(key: str, **wanted: str) -> list[Any]:
    """The entries `key` of all traces whose values are those wanted, as parameters."""
    return [
        pytest.param(
            entry, id=f"{name}-{entry.get('name') or entry.get('sender', '')}-{entry.get('epoch', '')}"
        )
        for name, trace in TRACES.items()
        for entry in trace[key]
        if all(entry[k] == v for k, v in wanted.items())
    ]


class Secrets:
    """The secrets of one trace, by name, in bytes."""

    def __init__(self, trace: dict[str, Any]) -> None:
        self.entries = {entry["name"]: entry for entry in trace["secrets"]}

    def of(self, name: str, field: str = "value") -> bytes:
        return bytes.fromhex(self.entries[name][field])

    @property
    def psk(self) -> bytes | None:
        ikm = self.of("early_secret", "ikm")
        return ikm if any(ikm) else None

    def at_early(self) -> KeySchedule:
        schedule = KeySchedule(AES_128_GCM)
        schedule.early(self.psk)
        return schedule

    def at_handshake(self) -> KeySchedule:
        schedule = self.at_early()
        schedule.handshake(self.of("handshake_secret", "ikm"))
        return schedule

    def at_main(self) -> KeySchedule:
        schedule = self.at_handshake()
        schedule.main()
        return schedule


@pytest.mark.parametrize("entry", entries("secrets", operation="HKDF-Expand-Label"))
def test_hkdf_label_is_the_info_of_rfc_8448(entry: dict[str, str]) -> None:
    assert (
        hkdf_label(32, entry["label"].encode(), bytes.fromhex(entry["context"])).hex() == entry["hkdf_label"]
    )


@pytest.mark.parametrize("entry", entries("secrets", operation="HKDF-Expand-Label"))
def test_derive_secret_gives_the_values_of_rfc_8448(entry: dict[str, str]) -> None:
    secret, context = bytes.fromhex(entry["secret"]), bytes.fromhex(entry["context"])
    assert derive_secret("sha256", secret, entry["label"].encode(), context).hex() == entry["value"]


@each_trace
def test_the_handshake_traffic_secrets_are_those_of_rfc_8448(trace: dict[str, Any]) -> None:
    secrets = Secrets(trace)
    context = secrets.of("client_handshake_traffic_secret", "context")
    assert secrets.at_handshake().handshake_traffic_secrets(context) == (
        secrets.of("client_handshake_traffic_secret"),
        secrets.of("server_handshake_traffic_secret"),
    )


@each_trace
def test_the_application_traffic_secrets_are_those_of_rfc_8448(trace: dict[str, Any]) -> None:
    secrets = Secrets(trace)
    context = secrets.of("client_application_traffic_secret_0", "context")
    assert secrets.at_main().application_traffic_secrets(context) == (
        secrets.of("client_application_traffic_secret_0"),
        secrets.of("server_application_traffic_secret_0"),
    )


@each_trace
def test_the_exporter_secret_is_that_of_rfc_8448(trace: dict[str, Any]) -> None:
    secrets = Secrets(trace)
    context = secrets.of("exporter_secret", "context")
    assert secrets.at_main().exporter_secret(context) == secrets.of("exporter_secret")


@each_trace
def test_the_resumption_secret_is_that_of_rfc_8448(trace: dict[str, Any]) -> None:
    secrets = Secrets(trace)
    context = secrets.of("resumption_secret", "context")
    assert secrets.at_main().resumption_secret(context) == secrets.of("resumption_secret")


def test_the_early_secrets_are_those_of_rfc_8448() -> None:
    secrets = Secrets(TRACES["resumed_0rtt"])
    schedule, context = secrets.at_early(), secrets.of("client_early_traffic_secret", "context")
    assert schedule.client_early_traffic_secret(context) == secrets.of("client_early_traffic_secret")
    assert schedule.early_exporter_secret(context) == secrets.of("early_exporter_secret")


def test_the_binder_key_and_the_binder_are_those_of_rfc_8448() -> None:
    [binder] = TRACES["resumed_0rtt"]["binders"]
    key = Secrets(TRACES["resumed_0rtt"]).at_early().binder_key(external=False)
    assert key.hex() == binder["binder_key"]
    made = finished_verify_data("sha256", key, bytes.fromhex(binder["transcript_hash"]))
    assert made.hex() == binder["binder"]


def test_the_psk_of_a_ticket_is_that_of_rfc_8448() -> None:
    secrets = Secrets(TRACES["simple_1rtt"])
    nonce = secrets.of("resumption_psk", "context")
    assert resumption_psk("sha256", secrets.of("resumption_secret"), nonce) == secrets.of("resumption_psk")


@pytest.mark.parametrize("entry", entries("traffic_keys"))
def test_traffic_keys_are_those_of_rfc_8448(entry: dict[str, str]) -> None:
    keys = traffic_keys(AES_128_GCM, bytes.fromhex(entry["secret"]))
    assert (keys.key.hex(), keys.iv.hex()) == (entry["key"], entry["iv"])


@each_trace
@pytest.mark.parametrize("sender", ["client", "server"])
def test_the_finished_messages_are_those_of_rfc_8448(trace: dict[str, Any], sender: str) -> None:
    [finished] = [entry for entry in trace["finished"] if entry["sender"] == sender]
    messages = [(m["sender"], m["name"], bytes.fromhex(m["raw"])) for m in trace["messages"]]
    end = next(i for i, (who, name, _) in enumerate(messages) if (who, name) == (sender, "Finished"))
    transcript = b"".join(raw for _, _, raw in messages[:end])
    if trace["name"] == "hello_retry_request":
        first = messages[0][2]
        transcript = b"\xfe\0\0\x20" + hashlib.sha256(first).digest() + transcript[len(first) :]
    made = finished_verify_data(
        "sha256", bytes.fromhex(finished["secret"]), hashlib.sha256(transcript).digest()
    )
    assert made.hex() == finished["verify_data"]


# RFC 8448 has SHA-256 alone. For the other hash: HKDF once more, from RFC 5869, by the standard library.
def reference_expand_label(hash_name: str, secret: bytes, label: str, context: bytes, length: int) -> bytes:
    full = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    output, block, counter = b"", b"", 0
    while len(output) < length:
        counter += 1
        block = hmac.new(secret, block + info + bytes([counter]), hash_name).digest()
        output += block
    return output[:length]


def reference(hash_name: str, psk: bytes | None, shared: bytes, transcript_hash: bytes) -> dict[str, bytes]:
    """All secrets below one another, from the formulas of RFC 9846 7.1."""
    length = hashlib.new(hash_name).digest_size
    zeros, empty = bytes(length), hashlib.new(hash_name).digest()

    def derive(secret: bytes, label: str, context: bytes) -> bytes:
        return reference_expand_label(hash_name, secret, label, context, length)

    early = hmac.new(zeros, zeros if psk is None else psk, hash_name).digest()
    handshake = hmac.new(derive(early, "derived", empty), shared, hash_name).digest()
    main = hmac.new(derive(handshake, "derived", empty), zeros, hash_name).digest()
    return {
        "external binder": derive(early, "ext binder", empty),
        "resumption binder": derive(early, "res binder", empty),
        "client early": derive(early, "c e traffic", transcript_hash),
        "early exporter": derive(early, "e exp master", transcript_hash),
        "client handshake": derive(handshake, "c hs traffic", transcript_hash),
        "server handshake": derive(handshake, "s hs traffic", transcript_hash),
        "client application": derive(main, "c ap traffic", transcript_hash),
        "server application": derive(main, "s ap traffic", transcript_hash),
        "exporter": derive(main, "exp master", transcript_hash),
        "resumption": derive(main, "res master", transcript_hash),
    }


def walked(suite: Suite, psk: bytes | None, shared: bytes, transcript_hash: bytes) -> dict[str, bytes]:
    schedule, found = KeySchedule(suite), {}
    schedule.early(psk)
    found["external binder"] = schedule.binder_key(external=True)
    found["resumption binder"] = schedule.binder_key(external=False)
    found["client early"] = schedule.client_early_traffic_secret(transcript_hash)
    found["early exporter"] = schedule.early_exporter_secret(transcript_hash)
    schedule.handshake(shared)
    found["client handshake"], found["server handshake"] = schedule.handshake_traffic_secrets(transcript_hash)
    schedule.main()
    found["client application"], found["server application"] = schedule.application_traffic_secrets(
        transcript_hash
    )
    found["exporter"] = schedule.exporter_secret(transcript_hash)
    found["resumption"] = schedule.resumption_secret(transcript_hash)
    return found


@each_suite
@pytest.mark.parametrize(
    "psk", [None, b"p" * 32, b"longer than any hash's block" * 8], ids=["none", "psk", "long"]
)
def test_the_whole_schedule_follows_the_formulas(suite: Suite, psk: bytes | None) -> None:
    transcript_hash = bytes(range(suite.hash_length))
    shared = b"s" * 66
    assert walked(suite, psk, shared, transcript_hash) == reference(
        suite.hash_name, psk, shared, transcript_hash
    )


@each_hash
def test_a_psk_without_key_exchange_puts_zeros_in_the_place_of_the_shared_secret(hash_name: str) -> None:
    suite = AES_128_GCM if hash_name == "sha256" else AES_256_GCM
    schedules = KeySchedule(suite), KeySchedule(suite)
    for schedule, shared in zip(schedules, (None, bytes(suite.hash_length)), strict=True):
        schedule.early(b"p" * 32)
        schedule.handshake(shared)
    first, second = (s.handshake_traffic_secrets(bytes(suite.hash_length)) for s in schedules)
    assert first == second


def test_starting_over_forgets_the_psk() -> None:
    schedule, fresh = KeySchedule(AES_128_GCM), KeySchedule(AES_128_GCM)
    schedule.early(b"p" * 32)
    schedule.binder_key(external=False)
    for each in (schedule, fresh):
        each.early(None)
        each.handshake(b"s" * 32)
    assert schedule.handshake_traffic_secrets(bytes(32)) == fresh.handshake_traffic_secrets(bytes(32))


@each_suite
def test_traffic_keys_follow_the_formulas(suite: Suite) -> None:
    secret = bytes(range(suite.hash_length))
    keys = traffic_keys(suite, secret)
    assert (keys.key, keys.iv) == (
        reference_expand_label(suite.hash_name, secret, "key", b"", suite.key_length),
        reference_expand_label(suite.hash_name, secret, "iv", b"", 12),
    )


@each_hash
def test_verify_data_follows_the_formulas(hash_name: str) -> None:
    length = hashlib.new(hash_name).digest_size
    finished_key = reference_expand_label(hash_name, b"b" * length, "finished", b"", length)
    expected = hmac.new(finished_key, b"t" * length, hash_name).digest()
    assert finished_verify_data(hash_name, b"b" * length, b"t" * length) == expected


@each_hash
def test_a_key_update_follows_the_formula(hash_name: str) -> None:
    length = hashlib.new(hash_name).digest_size
    expected = reference_expand_label(hash_name, b"s" * length, "traffic upd", b"", length)
    assert next_traffic_secret(hash_name, b"s" * length) == expected


@each_hash
@pytest.mark.parametrize("length", [1, 32, 100, 255 * 32])
def test_an_exporter_follows_the_formula(hash_name: str, length: int) -> None:
    size = hashlib.new(hash_name).digest_size
    empty, context = hashlib.new(hash_name).digest(), hashlib.new(hash_name, b"context").digest()
    derived = reference_expand_label(hash_name, b"e" * size, "EXPORTER-test", empty, size)
    expected = reference_expand_label(hash_name, derived, "exporter", context, length)
    assert export_keying_material(hash_name, b"e" * size, b"EXPORTER-test", b"context", length) == expected


def test_an_exporter_without_context_gives_what_an_empty_context_gives() -> None:
    without = export_keying_material("sha256", b"e" * 32, b"EXPORTER-test", None, 32)
    assert without == export_keying_material("sha256", b"e" * 32, b"EXPORTER-test", b"", 32)


@pytest.mark.parametrize("label", [b"", b"x" * 250])
def test_an_exporter_s_label_has_to_fit(label: bytes) -> None:
    with pytest.raises(Misuse, match="1 to 249 bytes") as caught:
        export_keying_material("sha256", b"e" * 32, label, None, 32)
    assert caught.value.reason is Reason.BAD_CONFIGURATION


@pytest.mark.parametrize("length", [0, -1, 255 * 32 + 1])
def test_an_exporter_s_length_has_to_fit(length: int) -> None:
    with pytest.raises(Misuse, match="1 to 8160 bytes") as caught:
        export_keying_material("sha256", b"e" * 32, b"label", None, length)
    assert caught.value.reason is Reason.BAD_CONFIGURATION


@pytest.mark.parametrize("label, context", [(b"x" * 250, b""), (b"x", bytes(256))], ids=["label", "context"])
def test_hkdf_expand_label_refuses_what_its_struct_cannot_hold(label: bytes, context: bytes) -> None:
    with pytest.raises(ValueError, match="range"):
        hkdf_expand_label("sha256", bytes(32), label, context, 32)


OUT_OF_ORDER: dict[str, tuple[list[str], Callable[[KeySchedule], object]]] = {
    "binder key at the start": ([], lambda s: s.binder_key(external=False)),
    "handshake at the start": ([], lambda s: s.handshake(bytes(32))),
    "main at the start": ([], lambda s: s.main()),
    "main after early": (["early"], lambda s: s.main()),
    "handshake secrets after early": (["early"], lambda s: s.handshake_traffic_secrets(bytes(32))),
    "handshake twice": (["early", "handshake"], lambda s: s.handshake(bytes(32))),
    "early secret after handshake": (
        ["early", "handshake"],
        lambda s: s.client_early_traffic_secret(bytes(32)),
    ),
    "exporter after handshake": (["early", "handshake"], lambda s: s.exporter_secret(bytes(32))),
    "handshake secrets after main": (
        ["early", "handshake", "main"],
        lambda s: s.handshake_traffic_secrets(bytes(32)),
    ),
    "main twice": (["early", "handshake", "main"], lambda s: s.main()),
}


@pytest.mark.parametrize("steps, call", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER.keys())
@pytest.mark.parametrize("psk", [None, b"p" * 32], ids=["no psk", "psk"])
def test_a_call_out_of_order_is_our_fault(
    steps: list[str], call: Callable[[KeySchedule], object], psk: bytes | None
) -> None:
    schedule = KeySchedule(AES_128_GCM)
    walk = {
        "early": lambda: schedule.early(psk),
        "handshake": lambda: schedule.handshake(bytes(32)),
        "main": schedule.main,
    }
    for step in steps:
        walk[step]()
    with pytest.raises(Misuse, match="the key schedule is at") as caught:
        call(schedule)
    assert caught.value.reason is Reason.INTERNAL_ERROR


def test_no_repr_shows_a_secret() -> None:
    schedule = KeySchedule(AES_128_GCM)
    schedule.early(b"p" * 32)
    assert repr(schedule) == "<KeySchedule of TLS_AES_128_GCM_SHA256, stage early>"
    assert repr(TrafficKeys(b"k" * 16, b"i" * 12)) == "<TrafficKeys, key of 16 bytes, iv of 12>"
