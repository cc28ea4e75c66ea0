"""Server names: what is one, and which certificates are for it."""

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import Misuse, Reason
from pellucid.identity.names import DnsName, IpAddress, NamePatterns, parse_server_name


@pytest.mark.parametrize(
    "text,expected",
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("\u4f8b\u3048.jp", "xn--r8jz45g.jp"),
        ("1.2.3.4.example", "1.2.3.4.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_name_becomes_lower_case_a_labels_without_a_trailing_dot(text: str, expected: str) -> None:
    assert parse_server_name(text) == DnsName(expected)


def test_a_host_name_is_sent_in_server_name_and_an_address_is_not() -> None:
    assert parse_server_name("example.com").server_name == b"example.com"
    assert parse_server_name("192.0.2.1").server_name is None


@pytest.mark.parametrize(
    "text,expected",
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_parsed_as_one_and_loses_its_zone(text: str, expected: str) -> None:
    assert parse_server_name(text) == IpAddress(ip_address(expected))


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "a..b", ".example", "-a.example", "a-.example", "a_b.example", "a b.example", "*.example",
        "a" * 64 + ".example", ".".join(["a" * 60] * 5), "[::1]", "example.com:443", "https://example.com",
        "127.1", "1.2.3", "0x7f.1", "1.2.3.4.", "256.1.1.1", "example.0", "example.0x1", "a\x00.example",
        "fa\u00df.example", "a\u200db.example", "\ud800.example", "\u2028.example", "example.com..",
        # Letters that came after Unicode 3.2, of which IDNA2003 knows no lower case: U+1E9E is a sharp s.
        "fa\u1e9e.example", "\u1c90.example", "\u2c7f.example",
    ],
)  # fmt: skip
def test_what_is_no_unambiguous_name_is_refused(text: str) -> None:
    with pytest.raises(Misuse) as error:
        parse_server_name(text)
    assert error.value.reason is Reason.BAD_SERVER_NAME


@settings(derandomize=True)
@given(st.text(max_size=80))
def test_any_text_is_a_name_or_misuse(text: str) -> None:
    try:
        name = parse_server_name(text)
    except Misuse:
        return
    assert parse_server_name(str(name)) == name


@pytest.mark.parametrize(
    "pattern,name,matches",
    [
        ("example.com", "example.com", True),
        ("Example.COM", "example.com", True),
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.b.example.com", False),
        ("*.com", "example.com", True),
        ("*", "localhost", False),
        ("*.", "localhost", False),
        ("w*.example.com", "www.example.com", False),
        ("*w.example.com", "www.example.com", False),
        ("www.*.com", "www.example.com", False),
        ("*.*.com", "www.example.com", False),
        ("example.com.", "example.com", False),
        (".example.com", "www.example.com", False),
        ("xn--*.example.com", "xn--a.example.com", False),
        ("example.org", "example.com", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("*.0.0.1", "127.0.0.1", False),
    ],
)
def test_a_dns_pattern_matches_a_whole_name_or_one_leftmost_label(
    pattern: str, name: str, matches: Any
) -> None:
    assert NamePatterns([pattern]).match(parse_server_name(name)) is matches


def test_an_address_matches_only_the_same_address() -> None:
    patterns = NamePatterns(addresses=[ip_address("192.0.2.1"), ip_address("::1")])
    assert patterns.match(parse_server_name("192.0.2.1"))
    assert patterns.match(parse_server_name("0::1"))
    assert not patterns.match(parse_server_name("::ffff:192.0.2.1"))
    assert not patterns.match(parse_server_name("192.0.2.2"))


@pytest.mark.parametrize(
    "pattern,name,words",
    [
        ("*.example.com", "a.b.example.com", "*.example.com stands for one label, and there are more"),
        ("*.example.com", "example.com", "stands for names below example.com, and not for that itself"),
        ("w*.example.com", "www.example.com", "has its wildcard where none counts"),
        ("www.*.com", "www.example.com", "has its wildcard where none counts"),
        ("example.com.", "example.com", "ends in a dot"),
        ("www.example.com", "ww.example.com", "the nearest is www.example.com"),
        ("192.0.2.1", "192.0.2.1", "stands there as a host name"),
        ("other.test", "www.example.com", ""),
        ("*.other.test", "www.example.com", ""),
        ("*******************************.com", "www.example.com", ""),
    ],
)
def test_a_near_miss_says_what_keeps_it_from_matching(pattern: str, name: str, words: str) -> None:
    patterns = NamePatterns([pattern])
    parsed = parse_server_name(name)
    assert not patterns.match(parsed)
    said = patterns.near_miss(parsed)
    assert words in said
    assert bool(words) is bool(said)


def test_a_near_miss_is_looked_for_among_a_bounded_number_of_names() -> None:
    patterns = NamePatterns([*(f"n{n}.test" for n in range(20_000)), "www.example.com"])
    assert patterns.near_miss(parse_server_name("ww.example.com")) == ""
    # As a regular expression it would take ages to fail.
    many_stars = NamePatterns(["*a" * 25 + "b.example"])
    assert many_stars.near_miss(parse_server_name("a" * 60 + ".example")) == ""
