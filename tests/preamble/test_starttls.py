"""STARTTLS: what is said, what is taken for a yes, and that everything else is told for what it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clear import LDAP_SUCCESS, XMPP_FEATURES, XMPP_PROCEED, XMPP_STREAM, mysql_greeting
from dialogues import Upgrade, run, upgraded
from hypothesis import given
from hypothesis import strategies as st

from pellucid.errors import Misuse, PeerMisbehaved, PreambleFailed, Reason, TLSError
from pellucid.preamble import STARTTLS
from pellucid.preamble.starttls import require_starttls, starttls, talk_with
from pellucid.preamble.talk import MAX_LINE_BYTES, MAX_RECEIVED_BYTES

XMPP = (XMPP_STREAM + XMPP_FEATURES).encode()

XMPP_OUR_STREAM = (
    b"<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)

# Of each protocol a server that agrees: what it says, and what it hears.
AGREED = {
    "smtp": (
        [b"220 mail.example ESMTP\r\n", b"250-mail.example\r\n250-starttls\r\n250 SIZE\r\n", b"220 go\r\n"],
        [b"EHLO [127.0.0.1]\r\n", b"STARTTLS\r\n"],
    ),
    "imap": (
        [b"* OK hello\r\n", b"* CAPABILITY IMAP4rev2 STARTTLS\r\na1 OK\r\n", b"* OK soon\r\na2 OK now\r\n"],
        [b"a1 CAPABILITY\r\n", b"a2 STARTTLS\r\n"],
    ),
    "pop3": (
        [b"+OK hello\r\n", b"+OK\r\nUIDL\r\nSTLS\r\n.\r\n", b"+OK begin\r\n"],
        [b"CAPA\r\n", b"STLS\r\n"],
    ),
    "ftp": ([b"120 wait\r\n", b"220-hello\r\n and\r\n220 ready\r\n", b"234 go\r\n"], [b"AUTH TLS\r\n"]),
    "ldap": ([LDAP_SUCCESS], [bytes.fromhex("301d 020101 7718 8016") + b"1.3.6.1.4.1.1466.20037"]),
    "postgres": ([b"S"], [bytes.fromhex("00000008 04d2162f")]),
    "mysql": (
        [mysql_greeting()],
        [bytes.fromhex("200000 01 008a0800 00000001 2d") + bytes(23)],
    ),
    "xmpp": (
        [XMPP, XMPP_PROCEED.encode()],
        [
            XMPP_OUR_STREAM,
            b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        ],
    ),
}


def refusal(upgrade: Upgrade, name: str, *said: bytes) -> PreambleFailed:
    with pytest.raises(PreambleFailed) as caught:
        upgrade(name, *said)
    return caught.value


def test_every_protocol_has_a_dialogue_here() -> None:
    assert AGREED.keys() == STARTTLS.keys()


@pytest.mark.parametrize("name", AGREED)
def test_a_server_that_agrees_hears_what_its_protocol_has(upgrade: Upgrade, name: str) -> None:
    said, heard = AGREED[name]
    assert upgrade(name, *said).sent == heard


@pytest.mark.parametrize("name", AGREED)
def test_what_was_said_can_be_told(upgrade: Upgrade, name: str) -> None:
    said = upgrade(name, *AGREED[name][0]).talk.said
    assert {each.direction for each in said} == {"sent", "received"}
    assert all(each.text.isprintable() and each.text for each in said)


@pytest.mark.parametrize("name", AGREED)
@pytest.mark.parametrize("extra", [b"250 injected\r\n", b"\x00", b"\x16\x03\x03\x00\x01\x02"])
def test_more_in_the_clear_than_the_protocol_has_is_refused(name: str, extra: bytes) -> None:
    *before, last = AGREED[name][0]
    with pytest.raises(PeerMisbehaved) as caught:
        upgraded(name, [*before, last + extra])
    assert caught.value.reason is Reason.STARTTLS_INJECTION
    assert f"sent {len(extra)} bytes more" in caught.value.detail


@pytest.mark.parametrize("name", AGREED)
@pytest.mark.parametrize("after", range(3))
def test_a_server_that_leaves_has_refused_or_said_something_else(
    upgrade: Upgrade, name: str, after: int
) -> None:
    said = AGREED[name][0][:after]
    if said == AGREED[name][0]:
        return  # all was said
    error = refusal(upgrade, name, *said)
    assert error.reason is Reason.STARTTLS_REFUSED
    assert "closed the connection" in error.detail


@pytest.mark.parametrize(
    "said, words",
    [
        ([], "without a word"),
        ([b"220 wai"], 'in the middle of an answer: "220 wai"'),
        ([b"220 hi\r\n"], 'without an answer to "EHLO [127.0.0.1]"'),
        ([b"220 hi\r\n", b"250-me\r\n"], 'after "250-me"'),
    ],
)
def test_how_a_server_leaves_is_told(upgrade: Upgrade, said: list[bytes], words: str) -> None:
    assert refusal(upgrade, "smtp", *said).detail == f"the SMTP server closed the connection {words}"


NOT_OFFERED = {
    "smtp without the keyword": ("smtp", [b"220 hi\r\n", b"250-me\r\n250-SIZE 9\r\n250 DSN\r\n"], "SIZE DSN"),
    "smtp without EHLO": ("smtp", [b"220 hi\r\n", b"502 what?\r\n"], "what?"),
    "imap": ("imap", [b"* OK hi\r\n", b"* CAPABILITY IMAP4rev1 IDLE\r\na1 OK\r\n"], "IMAP4REV1 IDLE"),
    "imap that has let somebody in": ("imap", [b"* PREAUTH hi\r\n"], "PREAUTH hi"),
    "pop3": ("pop3", [b"+OK\r\n", b"+OK\r\nUIDL\r\n.\r\n"], "UIDL"),
    "ftp": ("ftp", [b"220 hi\r\n", b"502 AUTH not understood\r\n"], "502 AUTH not understood"),
    "ldap": ("ldap", [bytes.fromhex("300f020101 780a 0a0102 0400 0403") + b"no!"], "protocolError (2): no!"),
    "postgres": ("postgres", [b"N"], "ssl is off"),
    "mysql": ("mysql", [mysql_greeting(0xF7FF)], "8.4.0-lab"),
    "xmpp": (
        "xmpp",
        [XMPP_STREAM.encode() + b"<stream:features><bind xmlns='b'/></stream:features>"],
        "its features are bind",
    ),
}


@pytest.mark.parametrize("case", NOT_OFFERED)
def test_a_server_without_tls_is_told_with_what_it_has(upgrade: Upgrade, case: str) -> None:
    name, said, words = NOT_OFFERED[case]
    error = refusal(upgrade, name, *said)
    assert error.reason is Reason.STARTTLS_NOT_OFFERED
    assert words in error.detail


REFUSED = {
    "smtp at the door": ("smtp", [b"554 go away\r\n"], "go away"),
    "smtp": ("smtp", [b"220 hi\r\n", b"250-me\r\n250 STARTTLS\r\n", b"454 no key\r\n"], "454 no key"),
    "imap at the door": ("imap", [b"* BYE too busy\r\n"], "BYE too busy"),
    "smtp that is busy": ("smtp", [b"220 hi\r\n", b"421 too busy\r\n"], 'EHLO: "421 too busy"'),
    "smtp that knows who asks": ("smtp", [b"220 hi\r\n", b"550 not you\r\n"], 'EHLO: "550 not you"'),
    "imap": ("imap", [b"* OK\r\n", b"* CAPABILITY STARTTLS\r\na1 OK\r\n", b"a2 BAD no\r\n"], "BAD no"),
    "imap that is busy": ("imap", [b"* OK\r\n", b"a1 NO later\r\n"], 'CAPABILITY: "NO later"'),
    "pop3": ("pop3", [b"+OK\r\n", b"-ERR what?\r\n", b"-ERR never\r\n"], "-ERR never"),
    "pop3 at the door": ("pop3", [b"-ERR locked\r\n"], "-ERR locked"),
    "ftp": ("ftp", [b"220 hi\r\n", b"534 not for you\r\n"], "534 not for you"),
    "ftp at the door": ("ftp", [b"421 too many\r\n"], "421 too many"),
    "ldap": ("ldap", [bytes.fromhex("300c020101 7807 0a0134 0400 0400")], "unavailable (52)"),
    "ldap that leaves": ("ldap", [bytes.fromhex("300c020100 7807 0a0100 0400 0400")], "(0)"),
    "postgres": ("postgres", [b"E\x00\x00\x00\x10SFATAL\0Mno\0\0"], "no"),
    "mysql": ("mysql", [b"\x10\0\0\0\xff\x6a\x04#HY000blocked"], "1130 blocked"),
    "xmpp": ("xmpp", [XMPP, b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"], "<failure>"),
    "xmpp at the door": (
        "xmpp",
        [XMPP_STREAM.encode() + b"<stream:error><host-unknown xmlns='s'/></stream:error>"],
        "host-unknown",
    ),
    "xmpp that leaves": ("xmpp", [XMPP, b"</stream:stream>"], "</stream>"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_told_in_the_servers_own_words(upgrade: Upgrade, case: str) -> None:
    name, said, words = REFUSED[case]
    error = refusal(upgrade, name, *said)
    assert error.reason is Reason.STARTTLS_REFUSED
    assert words in error.detail


OTHERS = {
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(64),
    "nothing but line ends": b"\r\n\r\n\r\n",
}


# An "S" is how PostgreSQL says yes, and what follows it then is too much; XMPP has white space between tags.
ALIKE = {("postgres", "SSH"), ("xmpp", "nothing but line ends")}


@pytest.mark.parametrize(
    "name, other",
    [(name, other) for name in AGREED for other in OTHERS if (name, other) not in ALIKE],
)
def test_a_server_of_another_protocol_is_found_out_by_its_first_bytes(name: str, other: str) -> None:
    with pytest.raises(PreambleFailed) as caught:
        upgraded(name, [OTHERS[other]])
    assert caught.value.reason is Reason.STARTTLS_WRONG_PROTOCOL


@pytest.mark.parametrize("name", AGREED)
def test_a_server_that_speaks_tls_already_is_told_as_such(upgrade: Upgrade, name: str) -> None:
    error = refusal(upgrade, name, b"\x15\x03\x01\x00\x02\x02\x46")
    assert error.reason is Reason.STARTTLS_WRONG_PROTOCOL
    assert "TLS from the start" in error.detail


@pytest.mark.parametrize(
    "name, first", [("smtp", "+OK pop"), ("pop3", "* OK imap"), ("imap", "220 ftp"), ("xmpp", "-ERR")]
)
def test_the_first_line_of_another_protocol_is_shown(name: str, first: str) -> None:
    with pytest.raises(PreambleFailed) as caught:
        upgraded(name, [f"{first}\r\n".encode()])
    assert f'"{first}"' in caught.value.detail


ENDLESS = {
    "smtp": b"220-more\r\n",
    "imap": b"* more\r\n",
    "pop3": b"more\r\n",
    "ftp": b"220-more\r\n",
    "xmpp": b"<more/>",
}
BEFORE = {
    "smtp": [],
    "imap": [b"* OK hi\r\n"],
    "pop3": [b"+OK\r\n+OK\r\n"],
    "ftp": [],
    "xmpp": [XMPP_STREAM.encode() + b"<stream:features>"],
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_server_that_never_comes_to_the_point_is_bounded(name: str) -> None:
    fed = 0

    def endless() -> Iterator[bytes]:
        nonlocal fed
        yield from BEFORE[name]
        while True:
            fed += len(ENDLESS[name])
            yield ENDLESS[name]

    with pytest.raises(PreambleFailed) as caught:
        upgraded(name, endless())
    assert caught.value.reason is Reason.STARTTLS_WRONG_PROTOCOL
    assert fed <= MAX_RECEIVED_BYTES


@pytest.mark.parametrize("name", ["smtp", "imap", "pop3", "ftp"])
def test_a_line_without_an_end_is_bounded(name: str) -> None:
    first = {"imap": b"*", "pop3": b"+"}.get(name, b"2")
    pieces = [first, *[b"x" * 1000] * 100]
    with pytest.raises(PreambleFailed, match=f"{MAX_LINE_BYTES:,} bytes without an end"):
        upgraded(name, pieces)


@pytest.mark.parametrize(
    "inside",
    [b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"<!-- no -->", b"<?php ?>", b"<a b=c>", b"< a>", b"text</a>"],
)
def test_xmpp_takes_no_xml_that_a_stream_may_not_hold(inside: bytes) -> None:
    with pytest.raises(PreambleFailed):
        upgraded("xmpp", [XMPP_STREAM.encode() + inside])


def test_a_tag_of_xmpp_may_have_its_end_in_an_attribute(upgrade: Upgrade) -> None:
    stream = XMPP_STREAM.replace("id='1'", "id='>\">'")
    assert upgrade("xmpp", (stream + XMPP_FEATURES).encode(), XMPP_PROCEED.encode())


def test_starttls_of_another_namespace_is_none(upgrade: Upgrade) -> None:
    features = XMPP_FEATURES.replace("xmpp-tls", "xmpp-other")
    error = refusal(upgrade, "xmpp", (XMPP_STREAM + features).encode())
    assert error.reason is Reason.STARTTLS_NOT_OFFERED


def test_the_name_cannot_break_out_of_its_attribute() -> None:
    ran = upgraded("xmpp", AGREED["xmpp"][0], "a\"'><b>&")
    assert b"to='a\"&apos;>&lt;b>&amp;' version" in ran.sent[0]


ESCAPES = b"\x1b[2J\x9b31m\x07\xe2\x80\xae"
ACTING = {
    "at the door": ("smtp", [b"554 %b\r\n"]),
    "smtp, an answer to EHLO": ("smtp", [b"220 hi\r\n", b"502 %b\r\n"]),
    "smtp, a keyword": ("smtp", [b"220 hi\r\n", b"250-me\r\n250 %b\r\n"]),
    "smtp, a refusal": ("smtp", [b"220 hi\r\n", b"250-me\r\n250 STARTTLS\r\n", b"454 %b\r\n"]),
    "imap, its greeting": ("imap", [b"* PREAUTH %b\r\n"]),
    "imap, a capability": ("imap", [b"* OK\r\n", b"* CAPABILITY %b\r\na1 OK\r\n"]),
    "imap, a tag": ("imap", [b"* OK\r\n", b"%b\r\n"]),
    "pop3, a capability": ("pop3", [b"+OK\r\n", b"+OK\r\n%b\r\n.\r\n"]),
    "ftp": ("ftp", [b"220 hi\r\n", b"500 %b\r\n"]),
    "ldap": ("ldap", [bytes.fromhex("3017020101 7812 0a0102 0400 040b") + b"%b"]),
    "postgres": ("postgres", [b"E\x00\x00\x00\x11M%b\0\0"]),
    "mysql": ("mysql", [b"\x0f\0\0\0\xff\x6a\x04%b"]),
    "xmpp, a feature": ("xmpp", [XMPP_STREAM.encode() + b"<stream:features><%b/></stream:features>"]),
    "xmpp, an error": ("xmpp", [XMPP_STREAM.encode() + b"<stream:error><%b/></stream:error>"]),
    "before it leaves": ("smtp", [b"220 hi\r\n", b"250-%b\r\n"]),
}


@pytest.mark.parametrize("case", ACTING)
def test_what_a_server_says_cannot_act_on_a_terminal(case: str) -> None:
    name, said = ACTING[case]
    talk = talk_with(name)
    with pytest.raises(PreambleFailed) as caught:
        run(talk, starttls(name, talk, "example.org"), [piece.replace(b"%b", ESCAPES) for piece in said])
    assert caught.value.detail.isprintable()
    assert all(each.text.isprintable() for each in talk.said)


@pytest.mark.parametrize("line", [b"2200 users online", b"220x", b"22", b"  220 no end"])
def test_lines_of_ftp_may_begin_with_anything_but_the_end(upgrade: Upgrade, line: bytes) -> None:
    said = [b"220-hello\r\n" + line + b"\r\n220 ready\r\n", b"234 go\r\n"]
    assert upgrade("ftp", *said).sent == [b"AUTH TLS\r\n"]


@pytest.mark.parametrize(
    "response",
    [
        "300c 020107 7807 0a0100 0400 0400",  # to a request that was not made
        "300c 0201ff 7807 0a0100 0400 0400",
        "300b 0200 7807 0a0100 0400 0400",
        "300b 020101 7806 0a00 0400 0400",  # no code at all, which is not 0
        "3010 020101 780b 0a050000000000 0400 0400",
    ],
)
def test_what_is_no_answer_to_our_request_is_no_yes_of_ldap(upgrade: Upgrade, response: str) -> None:
    error = refusal(upgrade, "ldap", bytes.fromhex(response))
    assert error.reason is Reason.STARTTLS_WRONG_PROTOCOL


def test_a_code_of_ldap_without_end_is_told_and_not_computed() -> None:
    body = bytes.fromhex("020101 78821005 0a820ffd") + b"\xff" * 4093 + bytes.fromhex("04000400")
    with pytest.raises(PreambleFailed, match="what is no LDAP response"):
        upgraded("ldap", [b"\x30\x82" + len(body).to_bytes(2, "big") + body])


def test_lengths_of_ldap_may_be_longer_than_they_need_to_be(upgrade: Upgrade) -> None:
    """RFC 4511 5.1 has no rule of the shortest form, and Active Directory makes use of that."""
    name = b"1.3.6.1.4.1.1466.20037"
    response = bytes.fromhex("308400000028 020101 78840000001f 0a0100 0400 0400 8a16") + name
    assert upgrade("ldap", response).talk.rest == b""


def test_an_unknown_protocol_is_named_with_those_that_there_are() -> None:
    with pytest.raises(
        Misuse, match="'nntp' is not one of smtp, imap, pop3, ftp, ldap, postgres, mysql, xmpp"
    ):
        require_starttls("nntp")


@pytest.mark.parametrize("name", AGREED)
@given(pieces=st.lists(st.binary(max_size=80), max_size=8), cut=st.integers(0, 200))
def test_whatever_a_server_says_ends_in_tls_or_in_an_error_of_ours(
    name: str, pieces: list[bytes], cut: int
) -> None:
    honest = b"".join(AGREED[name][0])[:cut]
    try:
        upgraded(name, [honest, *pieces] if honest else pieces)
    except TLSError as error:
        told = error.detail
    else:
        told = "agreed"
    assert told.isprintable()
