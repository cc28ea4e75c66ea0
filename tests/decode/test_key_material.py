"""Key logs and private keys as they come: what is taken, what is counted, and that there is an end to it."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import laboratory
from strategies import SOME_BYTES

from pellucid.decode import key_material
from pellucid.decode.key_material import KeyMaterial
from pellucid.keys import KEY_LOG_LABELS, key_log_line

RANDOM, OTHER = bytes(range(32)), bytes(range(1, 33))
MASTER = bytes(48)


def line(label: str = "CLIENT_RANDOM", random: bytes = RANDOM, secret: bytes = MASTER) -> str:
    return key_log_line(label, random, secret)


def test_a_secret_is_found_by_label_and_client_random() -> None:
    keys = KeyMaterial()
    assert keys.add_key_log(line()) == 1
    assert keys.secret("CLIENT_RANDOM", RANDOM) == MASTER
    assert keys.secret("CLIENT_RANDOM", OTHER) is None
    assert keys.secret("EXPORTER_SECRET", RANDOM) is None


@pytest.mark.parametrize("label", sorted(KEY_LOG_LABELS.values()))
def test_each_label_of_the_rfc_is_taken(label: str) -> None:
    keys = KeyMaterial()
    assert keys.add_key_log(line(label, secret=MASTER)) == 1
    assert dict(keys.secrets_of(RANDOM)) == {label: MASTER}


def test_a_secret_of_tls_13_is_as_long_as_either_hash() -> None:
    keys = KeyMaterial()
    text = "\n".join(line("SERVER_TRAFFIC_SECRET_0", bytes([size]) * 32, bytes(size)) for size in (32, 48))
    assert keys.add_key_log(text) == 2


def test_has_says_whether_there_is_any_line_for_a_connection() -> None:
    keys = KeyMaterial()
    keys.add_key_log(line())
    assert keys.has(RANDOM)
    assert not keys.has(OTHER)
    assert keys.connections == 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comments_and_empty_lines_say_nothing(end: str) -> None:
    keys = KeyMaterial()
    text = end.join(["# SSL/TLS secrets log file", "", "   ", line(), ""])
    assert keys.add_key_log(text.encode()) == 1
    assert keys.ignored == 0


@pytest.mark.parametrize(
    "broken",
    [
        "CLIENT_RANDOM",
        f"CLIENT_RANDOM {RANDOM.hex()}",
        f"{line()} more",
        f"CLIENT_RANDOM {RANDOM.hex()[:-2]} {MASTER.hex()}",
        f"CLIENT_RANDOM {RANDOM.hex()} {MASTER.hex()[:-2]}",
        f"CLIENT_RANDOM {RANDOM.hex()} {'zz' * 48}",
        f"CLIENT_RANDOM {RANDOM.hex()} {MASTER.hex()[:-1]}",
        f"SERVER_TRAFFIC_SECRET_0 {RANDOM.hex()} {'00' * 47}",
        f"NO_SUCH_LABEL {RANDOM.hex()} {MASTER.hex()}",
        f"RSA {'00' * 7} {MASTER.hex()}",
        f"RSA {'00' * 8} {'00' * 32}",
        "\N{SNOWMAN} is no ASCII",
    ],
)
def test_a_broken_or_unknown_line_is_counted_and_costs_nothing_else(broken: str) -> None:
    keys = KeyMaterial()
    assert keys.add_key_log(f"{broken}\n{line()}") == 1
    assert keys.ignored == 1
    assert keys.secret("CLIENT_RANDOM", RANDOM) == MASTER


def test_hex_may_be_of_upper_case() -> None:
    keys = KeyMaterial()
    keys.add_key_log(f"CLIENT_RANDOM {RANDOM.hex().upper()} {'AB' * 48}")
    assert keys.secret("CLIENT_RANDOM", RANDOM) == b"\xab" * 48


def test_the_later_of_two_lines_counts() -> None:
    keys = KeyMaterial()
    keys.add_key_log(line(secret=MASTER))
    keys.add_key_log(line(secret=b"\1" * 48))
    assert keys.secret("CLIENT_RANDOM", RANDOM) == b"\1" * 48


def test_the_old_line_of_nss_gives_a_premaster_secret_by_how_it_looks_encrypted() -> None:
    keys = KeyMaterial()
    encrypted = bytes(range(200, 256)) * 4
    assert keys.add_key_log(f"RSA {encrypted[:8].hex()} {'03' * 48}") == 1
    assert keys.premaster_secret(encrypted) == b"\3" * 48
    assert keys.premaster_secret(encrypted[1:]) is None
    assert keys.connections == 1


def test_there_is_an_end_to_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_material, "MAX_SECRETS", 2)
    keys = KeyMaterial()
    text = "\n".join(line(random=bytes([number]) * 32) for number in range(5))
    assert keys.add_key_log(text) == 2
    assert (keys.connections, keys.ignored) == (2, 3)


def test_a_private_key_is_found_by_the_public_key_of_its_certificate() -> None:
    ours, other = (laboratory().issue(kind, ("localhost",)).private_key for kind in ("rsa", "ecdsa"))
    keys = KeyMaterial()
    keys.add_private_key(other)
    assert keys.private_key_for(ours.public_key()) is None
    keys.add_private_key(ours)
    assert keys.private_key_for(ours.public_key()) is ours
    assert keys.private_keys == 2


def test_secrets_stay_out_of_the_repr() -> None:
    keys = KeyMaterial()
    keys.add_key_log(line(secret=b"\xaa" * 48))
    assert repr(keys) == "<KeyMaterial for 1 connections, 0 private keys>"


@given(st.binary(max_size=8 * SOME_BYTES) | st.text(max_size=8 * SOME_BYTES))
def test_whatever_is_called_a_key_log_is_read(text: bytes | str) -> None:
    keys = KeyMaterial()
    taken = keys.add_key_log(text)
    assert taken == 0 or keys.connections


def test_lines_are_not_all_split_before_they_are_looked_at() -> None:
    text = b"\n" * 2**20
    keys = KeyMaterial()
    tracemalloc.start()
    try:
        keys.add_key_log(text)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(text)
    finally:
        tracemalloc.stop()


def test_a_secret_takes_as_much_memory_as_is_said() -> None:
    lines = [line("CLIENT_TRAFFIC_SECRET_0", n.to_bytes(32), n.to_bytes(32)) for n in range(5_000)]
    keys = KeyMaterial()
    tracemalloc.start()
    try:
        for each in lines:
            keys.add_key_log(each)
        assert tracemalloc.get_traced_memory()[0] < 260 * len(lines) + 300_000  # a dict grows in steps
    finally:
        tracemalloc.stop()
    assert keys.secret("CLIENT_TRAFFIC_SECRET_0", (4_999).to_bytes(32)) == (4_999).to_bytes(32)
