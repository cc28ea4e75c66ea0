"""Tickets: sealed, bound to their key, rotated, and opened to None for anything else."""

import hashlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.codes import CipherSuite, ProtocolVersion
from pellucid.errors import Misuse, Reason
from pellucid.sessions import MAX_LIFETIME_SECONDS, TicketKeys, TicketState
from pellucid.sessions.tickets import decode_state, encode_state

NOW = 1_800_000_000.0
SECRET = b"hidden key material, 32 bytes..."
HOUR = 3_600


def counting_entropy() -> Callable[[int], bytes]:
    """The same bytes in every run, and never the same twice."""
    calls = itertools.count()
    return lambda length: hashlib.shake_256(b"%d" % next(calls)).digest(length)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(clock: Clock) -> TicketKeys:
    return TicketKeys(counting_entropy(), clock)


def state(**changes: Any) -> TicketState:
    values: dict[str, Any] = {
        "suite": CipherSuite.TLS_AES_256_GCM_SHA384,
        "secret": SECRET,
        "age_add": 0x1234_5678,
        "created_at": NOW,
        "lifetime_seconds": 2 * HOUR,
        "server_name": "example.com",
        "alpn": "h2",
        "client_chain": (b"leaf" * 200, b"intermediate"),
        "server_identity": b"digest",
        "authenticated_at": NOW - 60.25,
    }
    return TicketState(**(values | changes))


def test_what_is_sealed_opens_to_the_same(keys: TicketKeys) -> None:
    assert keys.open(keys.seal(state()), NOW) == state()


@pytest.mark.parametrize(
    "changes",
    [
        {"server_name": None, "alpn": None, "client_chain": (), "server_identity": b""},
        {"server_name": "", "alpn": ""},
        {"alpn": "h\u00e9"},
        {"client_chain": (b"", b"")},
        {"client_chain": (), "client_key": b"a SubjectPublicKeyInfo"},
        {"client_chain": (), "client_key": b"\x30" * 300, "extended_master_secret": False},
    ],
)
def test_what_is_absent_stays_absent_and_what_is_empty_stays_empty(
    keys: TicketKeys, changes: dict[str, Any]
) -> None:
    assert keys.open(keys.seal(state(**changes)), NOW) == state(**changes)


def test_without_an_own_time_of_authentication_it_is_the_time_of_creation(keys: TicketKeys) -> None:
    opened = keys.open(keys.seal(state(authenticated_at=0.0)), NOW)
    assert opened is not None
    assert opened.authenticated_at == NOW


@settings(derandomize=True)
@given(
    secret=st.binary(max_size=64),
    age_add=st.integers(0, 2**32 - 1),
    created_at=st.integers(1, 2**53),
    name=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    chain=st.lists(st.binary(max_size=300), max_size=4),
)
def test_every_state_survives_its_encoding(
    secret: bytes, age_add: int, created_at: int, name: str | None, chain: list[bytes]
) -> None:
    whole = state(
        secret=secret, age_add=age_add, created_at=created_at / 1024, authenticated_at=created_at / 1024,
        server_name=name, client_chain=tuple(chain),
    )  # fmt: skip
    decoded = decode_state(encode_state(whole))
    assert decoded is not None
    assert abs(decoded.created_at - whole.created_at) < 1e-3
    assert (decoded.secret, decoded.age_add, decoded.server_name, decoded.client_chain) == (
        secret, age_add, name, tuple(chain),
    )  # fmt: skip


def test_a_layout_of_another_version_or_an_unknown_suite_is_none() -> None:
    encoded = encode_state(state())
    assert decode_state(b"\x01" + encoded[1:]) is None
    assert decode_state(encoded[:1] + b"\x7f\x7f" + encoded[3:]) is None
    assert decode_state(encoded[:3] + b"\x7f\x7f" + encoded[5:]) is None
    assert decode_state(b"") is None


TLS12 = {
    "protocol": ProtocolVersion.TLSv1_2,
    "suite": CipherSuite.TLS_RSA_WITH_AES_128_CBC_SHA,
    "secret": b"hidden master secret, which has 48 bytes........",
    "age_add": 0,
}


@pytest.mark.parametrize("extended", [True, False])
def test_a_session_of_tls_1_2_survives_its_ticket(keys: TicketKeys, extended: bool) -> None:
    sealed = state(**TLS12, extended_master_secret=extended)
    assert keys.open(keys.seal(sealed), NOW, ProtocolVersion.TLSv1_2) == sealed


def test_a_ticket_opens_for_its_own_version_only(keys: TicketKeys) -> None:
    old, new = keys.seal(state(**TLS12)), keys.seal(state())
    assert keys.open(old, NOW) is None
    assert keys.open(old, NOW, ProtocolVersion.TLSv1_3) is None
    assert keys.open(new, NOW, ProtocolVersion.TLSv1_2) is None
    assert old[:16] == new[:16]  # one key has sealed both


def test_every_altered_bit_of_a_ticket_makes_it_open_to_none(keys: TicketKeys) -> None:
    ticket = keys.seal(state(client_chain=()))
    for position in range(len(ticket)):
        for bit in range(8):
            altered = bytearray(ticket)
            altered[position] ^= 1 << bit
            assert keys.open(bytes(altered), NOW) is None


def test_every_truncation_and_an_extension_open_to_none(keys: TicketKeys) -> None:
    ticket = keys.seal(state(client_chain=()))
    for length in range(len(ticket)):
        assert keys.open(ticket[:length], NOW) is None
    assert keys.open(ticket + b"\x00", NOW) is None


@settings(derandomize=True)
@given(st.binary(max_size=100))
def test_foreign_bytes_open_to_none(data: bytes) -> None:
    keys = TicketKeys(counting_entropy(), Clock())
    name = keys.seal(state())[:16]
    assert keys.open(data, NOW) is None
    assert keys.open(name + data, NOW) is None


def test_another_server_s_ticket_opens_to_none(keys: TicketKeys, clock: Clock) -> None:
    other = TicketKeys(lambda length: b"\x55" * length, clock)
    keys.seal(state())
    assert keys.open(other.seal(state()), NOW) is None


def test_keys_that_have_sealed_nothing_open_nothing_and_draw_no_entropy(clock: Clock) -> None:
    def no_entropy(length: int) -> bytes:
        raise AssertionError(length)

    assert TicketKeys(no_entropy, clock).open(bytes(100), NOW) is None


@pytest.mark.parametrize(
    "after,opens", [(-10, True), (-11, False), (2 * HOUR - 0.1, True), (2 * HOUR, False)]
)
def test_a_ticket_opens_for_its_lifetime(keys: TicketKeys, after: float, opens: bool) -> None:
    ticket = keys.seal(state())
    assert (keys.open(ticket, NOW + after) is not None) is opens


def test_a_ticket_that_claims_more_than_seven_days_does_not_get_them(clock: Clock) -> None:
    week = MAX_LIFETIME_SECONDS
    keys = TicketKeys(counting_entropy(), clock, rotate_seconds=week, lifetime_seconds=week)
    ticket = keys.seal(state(lifetime_seconds=2**31, authenticated_at=0.0))
    assert keys.open(ticket, NOW + MAX_LIFETIME_SECONDS - 1) is not None
    assert keys.open(ticket, NOW + MAX_LIFETIME_SECONDS) is None


def test_resumption_upon_resumption_ends_seven_days_after_the_last_full_handshake(keys: TicketKeys) -> None:
    ticket = keys.seal(state(authenticated_at=NOW - MAX_LIFETIME_SECONDS + 60))
    assert keys.open(ticket, NOW + 59) is not None
    assert keys.open(ticket, NOW + 60) is None


def test_the_same_state_is_sealed_differently_each_time(keys: TicketKeys) -> None:
    one, two = keys.seal(state()), keys.seal(state())
    assert one[:16] == two[:16]
    assert one[16:28] != two[16:28]
    assert one[28:] != two[28:]


def test_a_ticket_shows_nothing_of_what_is_in_it(keys: TicketKeys) -> None:
    ticket = keys.seal(state())
    assert not any(word in ticket for word in (SECRET, b"example.com", b"h2\x00", b"leaf"))


def test_a_key_seals_for_one_period_and_then_another_does(keys: TicketKeys, clock: Clock) -> None:
    names = []
    for after in (0, HOUR - 1, HOUR, 2 * HOUR - 1):
        clock.now = NOW + after
        names.append(keys.seal(state())[:16])
    assert [names.index(name) for name in names] == [0, 0, 2, 2]


def test_a_ticket_sealed_just_before_a_rotation_opens_for_its_whole_lifetime(
    keys: TicketKeys, clock: Clock
) -> None:
    keys.seal(state())
    clock.now = NOW + HOUR - 1
    ticket = keys.seal(state(created_at=clock.now, authenticated_at=0.0))
    last = clock.now + 2 * HOUR - 1
    while clock.now + HOUR <= last:
        clock.now += HOUR
        keys.seal(state(created_at=clock.now))
    assert keys.open(ticket, last) is not None


def test_a_key_is_forgotten_when_its_last_ticket_has_expired(keys: TicketKeys) -> None:
    ticket = keys.seal(state())
    assert repr(keys) == "TicketKeys(1 keys, a new one every 3600 s)"
    assert keys.open(ticket, NOW + 3 * HOUR + 10) is None
    assert repr(keys) == "TicketKeys(0 keys, a new one every 3600 s)"


def test_keep_bounds_the_former_keys(clock: Clock) -> None:
    keys = TicketKeys(counting_entropy(), clock, keep=0)
    ticket = keys.seal(state())
    clock.now += HOUR
    keys.seal(state(created_at=clock.now))
    assert keys.open(ticket, clock.now) is None


def test_a_clock_set_back_makes_a_fresh_key_and_not_one_that_lasts(keys: TicketKeys, clock: Clock) -> None:
    first = keys.seal(state())[:16]
    clock.now = NOW - 10 * HOUR
    second = keys.seal(state(created_at=clock.now))[:16]
    assert first != second


def test_a_worn_key_is_replaced_before_its_time(keys: TicketKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.sessions.tickets._MAX_SEALS", 2)
    names = [keys.seal(state())[:16] for _ in range(3)]
    assert [names.index(name) for name in names] == [0, 0, 2]


def test_a_state_too_long_for_a_ticket_is_misuse(keys: TicketKeys) -> None:
    with pytest.raises(Misuse, match="a ticket of"):
        keys.seal(state(client_chain=(bytes(65_536),)))


@pytest.mark.parametrize(
    "options",
    [
        {"lifetime_seconds": 0},
        {"lifetime_seconds": MAX_LIFETIME_SECONDS + 1},
        {"rotate_seconds": 0},
        {"keep": -1},
    ],
)
def test_impossible_periods_are_misuse(clock: Clock, options: dict[str, int]) -> None:
    with pytest.raises(Misuse) as error:
        TicketKeys(counting_entropy(), clock, **options)  # type: ignore[arg-type]
    assert error.value.reason is Reason.BAD_CONFIGURATION


def test_the_age_of_a_ticket_is_in_milliseconds() -> None:
    assert state().age_milliseconds(NOW + 1.5) == 1500


def test_reprs_show_no_secret(keys: TicketKeys) -> None:
    keys.seal(state())
    text = repr(state()) + repr(state(**TLS12)) + repr(keys)
    assert "hidden" not in text
    assert " secret=" not in text
