"""Streams out of segments: what is given when, what is missing, and how connections end."""

from __future__ import annotations

import pytest
from captures import ACK, FIN, RST, SYN, segment

from pellucid.capture import (
    Bytes,
    Closed,
    Conflict,
    Endpoint,
    HalfClosed,
    How,
    Missing,
    Opened,
    Segment,
    StreamEvent,
    Streams,
)
from pellucid.capture import tcp as tcp_module

C, S = 1000, 9000  # the first sequence numbers


def fed(*segments: Segment, streams: Streams | None = None) -> list[StreamEvent]:
    streams = streams or Streams()
    return [event for one in segments for event in streams.feed(one)]


def whole(*segments: Segment) -> list[StreamEvent]:
    streams = Streams()
    return [*fed(*segments, streams=streams), *streams.finish()]


def told(events: list[StreamEvent]) -> list[tuple[object, ...]]:
    """Events as short as they can be compared; those of opening left out."""
    short: list[tuple[object, ...]] = []
    for event in events:
        match event:
            case Bytes():
                short.append((event.direction, event.data))
            case Missing():
                short.append((event.direction, event.length))
            case Conflict():
                short.append((event.direction, "conflict"))
            case HalfClosed():
                short.append((event.direction, "fin"))
            case Closed():
                short.append((event.how, event.side))
            case Opened():
                pass
    return short


def client(payload: bytes = b"", at: int = 0, *, flags: int = ACK, seen: int = 0, **more: int) -> Segment:
    """From the client: the bytes at this place of its stream, having seen so many of the server's."""
    return segment(payload, sequence=C + 1 + at, acknowledgment=S + 1 + seen, flags=flags, **more)


def server(payload: bytes = b"", at: int = 0, *, flags: int = ACK, seen: int = 0, **more: int) -> Segment:
    return segment(payload, sequence=S + 1 + at, acknowledgment=C + 1 + seen, flags=flags, reply=True, **more)


OPEN = (
    segment(sequence=C, acknowledgment=0, flags=SYN),
    segment(sequence=S, acknowledgment=C + 1, flags=SYN | ACK, reply=True),
    client(),
)
ENDED = (How.CAPTURE_ENDED, None)


# -- in order


def test_a_connection_is_told_from_its_first_packet_to_its_last() -> None:
    events = fed(
        *OPEN,
        client(b"hello", number=4),
        server(b"hi", seen=5, number=5),
        client(flags=FIN | ACK, at=5, seen=2, number=6),
        server(flags=FIN | ACK, at=2, seen=6, number=7),
        client(at=6, seen=3, number=8),
    )
    connection = events[0].connection
    assert events == [
        Opened(connection, 1, 1),
        Bytes(connection, "client", b"hello", 4, 4),
        Bytes(connection, "server", b"hi", 5, 5),
        HalfClosed(connection, "client", 6, 6),
        HalfClosed(connection, "server", 7, 7),
        Closed(connection, How.FIN, "server", 7, 7),
    ]
    assert connection.number == 1
    assert connection.client == Endpoint("192.0.2.1", 50_000)
    assert str(connection.server) == "192.0.2.2:443"
    assert connection.syn_seen


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    one = client(b"x")._replace(source=bytes(15) + b"\1", destination=bytes(15) + b"\2")
    connection = fed(one)[0].connection
    assert (str(connection.client), str(connection.server)) == ("[::1]:50000", "[::2]:443")


def test_connections_are_kept_apart() -> None:
    events = fed(
        client(b"a", ports=(1111, 443)),
        client(b"b", ports=(2222, 443)),
        client(b"c", at=1, ports=(1111, 443)),
        server(b"d", ports=(2222, 443)),
    )
    assert [(each.connection.number, each.data) for each in events if isinstance(each, Bytes)] == [
        (1, b"a"),
        (2, b"b"),
        (1, b"c"),
        (2, b"d"),
    ]


def test_data_may_come_with_the_syn_and_the_fin() -> None:
    events = fed(
        segment(b"fast", sequence=C, flags=SYN),
        OPEN[1],
        client(b" open", 4, flags=FIN | ACK),
    )
    assert told(events) == [("client", b"fast"), ("client", b" open"), ("client", "fin")]


def test_sequence_numbers_wrap() -> None:
    start = 2**32 - 3
    events = fed(
        segment(sequence=start - 1, flags=SYN),
        segment(b"abc", sequence=start),
        segment(b"def", sequence=start + 3),
        segment(b"jkl", sequence=start + 9),
        segment(b"ghi", sequence=start + 6),
        segment(sequence=start + 12, flags=FIN | ACK),
    )
    assert told(events) == [
        *(("client", part) for part in (b"abc", b"def", b"ghi", b"jkl")),
        ("client", "fin"),
    ]


def test_data_after_the_fin_is_none() -> None:
    events = fed(*OPEN, client(b"abc", flags=FIN | ACK), client(b"cde", 2), client(b"later", 4))
    assert told(events) == [("client", b"abc"), ("client", "fin")]


def test_bytes_that_tcp_had_put_in_order_need_no_numbers() -> None:
    first, second = (client(part)._replace(sequence=None) for part in (b"abc", b"abc"))
    assert told(whole(first, second, server(b"x")._replace(sequence=None))) == [
        ("client", b"abc"),
        ("client", b"abc"),
        ("server", b"x"),
        ENDED,
    ]


# -- out of order, again, overlapping


def test_what_comes_early_waits() -> None:
    assert told(fed(*OPEN, client(b"ghi", 6), client(b"def", 3))) == []
    events = fed(*OPEN, client(b"ghi", 6, number=7), client(b"def", 3, number=8), client(b"abc", number=9))
    assert told(events) == [("client", b"abc"), ("client", b"def"), ("client", b"ghi")]
    assert [event.packet_number for event in events[1:]] == [9, 8, 7]


def test_what_comes_again_is_given_once() -> None:
    events = fed(*OPEN, *OPEN, client(b"abc"), client(b"abc"), client(b"bcdef", 1), client(b"abcdefg"))
    assert told(events) == [("client", b"abc"), ("client", b"def"), ("client", b"g")]


def test_what_comes_again_while_it_waits_is_given_once() -> None:
    early = [client(b"def", 3), client(b"efgh", 4), client(b"def", 3), client(b"cdefghi", 2)]
    events = fed(*OPEN, *early, client(b"ab"))
    assert b"".join(event.data for event in events if isinstance(event, Bytes)) == b"abcdefghi"
    assert not [event for event in events if isinstance(event, Conflict)]


@pytest.mark.parametrize(
    "segments, stream",
    [
        ([client(b"abcd"), client(b"aXcd")], b"abcd"),
        ([client(b"abcd"), client(b"XYe", 3)], b"abcdYe"),
        ([client(b"cd", 2), client(b"cX", 2), client(b"ab")], b"abcd"),
        ([client(b"cd", 2), client(b"abXdef")], b"abcdef"),
        ([client(b"bc", 1), client(b"ef", 4), client(b"aXXdXXg")], b"abcdefg"),
        ([client(b"bc", 1), client(b"ef", 4), client(b"aXXdefg")], b"abcdefg"),
    ],
    ids=[
        "again",
        "overlapping",
        "again while it waits",
        "around what waits",
        "around two that wait",
        "around two of which the first differs",
    ],
)
def test_where_packets_differ_the_first_wins_and_it_is_told(segments: list[Segment], stream: bytes) -> None:
    events = fed(*OPEN, *segments)
    assert b"".join(event.data for event in events if isinstance(event, Bytes)) == stream
    assert [event.direction for event in events if isinstance(event, Conflict)] == ["client"]


def test_a_probe_whether_the_peer_is_alive_is_no_conflict() -> None:
    assert told(fed(*OPEN, client(b"abc"), client(b"\0", 2), client(b"", 2))) == [("client", b"abc")]


def test_what_differs_from_bytes_given_long_ago_is_dropped_without_a_word() -> None:
    many = [client(b"x", place) for place in range(1, 300)]
    events = fed(*OPEN, client(b"a"), *many, client(b"bx"))
    assert not [event for event in events if isinstance(event, Conflict)]


# -- missing bytes


def test_bytes_are_missing_once_what_follows_them_was_answered() -> None:
    lost = [client(b"abc"), client(b"ghi", 6)]
    assert told(fed(*OPEN, *lost, server(seen=9))) == [("client", b"abc")]
    events = fed(*OPEN, *lost, server(seen=9), server(b"answer", seen=9, number=6))
    assert told(events) == [("client", b"abc"), ("client", 3), ("client", b"ghi"), ("server", b"answer")]
    assert events[2].packet_number == 6


def test_an_acknowledgment_may_be_captured_before_what_it_is_for() -> None:
    events = fed(*OPEN, server(b"answer", seen=6), client(b"abc"), client(b"def", 3))
    assert told(events) == [("server", b"answer"), ("client", b"abc"), ("client", b"def")]


def test_bytes_that_were_answered_already_are_missed_with_what_follows_them() -> None:
    events = fed(*OPEN, server(b"answer", seen=9), client(b"ghi", 6))
    assert told(events) == [("server", b"answer"), ("client", 6), ("client", b"ghi")]


def test_an_answer_to_less_than_what_is_missing_decides_nothing() -> None:
    assert told(fed(*OPEN, server(b"answer", seen=5), client(b"ghi", 6))) == [("server", b"answer")]


def test_an_answer_that_is_captured_late_takes_nothing_back() -> None:
    answers = [server(b"second", 5, seen=9), server(b"first", seen=3)]
    assert told(fed(*OPEN, *answers, client(b"ghi", 6)))[-2:] == [("client", 6), ("client", b"ghi")]


def test_an_answer_to_less_than_a_fin_decides_nothing() -> None:
    events = fed(*OPEN, client(b"abc"), client(at=5, flags=FIN | ACK), server(b"x", seen=4))
    assert told(events) == [("client", b"abc"), ("server", b"x")]


def test_a_fin_shows_what_is_missing_before_it() -> None:
    fin = client(at=5, flags=FIN | ACK)
    assert told(fed(*OPEN, client(b"abc"), fin)) == [("client", b"abc")]
    events = fed(*OPEN, client(b"abc"), fin, server(seen=6))
    assert told(events) == [("client", b"abc"), ("client", 2), ("client", "fin")]


def test_bytes_that_were_captured_in_part_are_missing_in_part() -> None:
    events = whole(*OPEN, client(b"abc", length=10), client(b"next", 10), server(b"answer", seen=14))
    assert told(events) == [
        ("client", b"abc"),
        ("client", 7),
        ("client", b"next"),
        ("server", b"answer"),
        ENDED,
    ]


def test_at_the_end_what_waits_is_given_with_what_is_missing() -> None:
    events = whole(*OPEN, client(b"abc", 10), server(b"x", 5))
    assert told(events) == [("client", 10), ("client", b"abc"), ("server", 5), ("server", b"x"), ENDED]


def test_too_much_that_waits_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_module, "MAX_WAITING", 10_000)
    streams = Streams()
    fed(*OPEN, streams=streams)
    events: list[StreamEvent] = []
    place = 1
    while not events:
        events = streams.feed(client(bytes(1000), place))
        place += 1000
    assert place < 10_000
    assert told(events)[0] == ("client", 1)
    assert sum(len(event.data) for event in events if isinstance(event, Bytes)) == place - 1


def test_small_pieces_that_wait_cost_what_they_take() -> None:
    streams = Streams()
    fed(*OPEN, streams=streams)
    place = 0
    while not (events := streams.feed(client(b"x", 2 * place + 1))):
        place += 1
    assert place < tcp_module.MAX_WAITING / 250
    assert told(events) == [("client", 1), ("client", b"x")]


def test_where_all_connections_hold_too_much_the_one_that_began_first_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tcp_module, "MAX_WAITING_IN_ALL", 5000)
    streams = Streams()
    events = [
        event
        for port in range(1, 8)
        for event in fed(
            segment(sequence=C, flags=SYN, ports=(port, 443)),
            client(bytes(1000), 10, ports=(port, 443)),
            streams=streams,
        )
    ]
    missing = [event.connection.number for event in events if isinstance(event, Missing)]
    assert missing == [1, 2, 3, 4]


def test_a_connection_that_gives_up_may_be_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_module, "MAX_WAITING_IN_ALL", 1500)
    first = [
        *OPEN,
        server(flags=FIN | ACK),
        client(bytes(1000), 10),
        client(at=1010, flags=FIN | ACK),
    ]
    second = [client(b"a", ports=(2, 443)), client(bytes(1000), 9, ports=(2, 443))]
    assert told(fed(*first, *second))[:4] == [
        ("server", "fin"),
        ("client", b"a"),
        ("client", 10),
        ("client", bytes(1000)),
    ]
    assert (How.FIN, "client") in told(fed(*first, *second))


def test_a_connection_may_give_up_and_be_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_module, "MAX_WAITING_IN_ALL", 500)
    fins = [server(flags=FIN | ACK), client(at=1010, flags=FIN | ACK)]
    assert told(fed(*OPEN, *fins, client(bytes(1000), 10))) == [
        ("server", "fin"),
        ("client", 10),
        ("client", bytes(1000)),
        ("client", "fin"),
        (How.FIN, "client"),
    ]


def test_what_was_given_does_not_count_as_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_module, "MAX_WAITING_IN_ALL", 1500)
    answered = [*OPEN, client(bytes(1000), 10), server(b"answer", seen=1010)]
    other = [client(b"a", ports=(2, 443)), client(bytes(1000), 9, ports=(2, 443))]
    assert told(fed(*answered, *other))[-1] == ("client", b"a")


# -- beginnings that were not captured


def test_without_a_syn_a_connection_begins_with_its_first_bytes() -> None:
    events = fed(client(b"abc"), client(b"def", 3), server(b"x"))
    assert not events[0].connection.syn_seen
    assert told(events) == [("client", b"abc"), ("client", b"def"), ("server", b"x")]


def test_an_acknowledgment_tells_where_the_other_side_begins() -> None:
    events = fed(client(b"abc"), server(b"late", 6), server(b"first ", 0))
    assert told(events) == [("client", b"abc"), ("server", b"first "), ("server", b"late")]


@pytest.mark.parametrize(
    "first", [client(), client(flags=FIN | ACK), client(flags=RST), client(b"x", flags=RST)]
)
def test_what_says_nothing_begins_nothing(first: Segment) -> None:
    assert whole(first) == []


@pytest.mark.parametrize(
    "ports, from_client",
    [((50_000, 443), True), ((443, 50_000), False), ((5000, 6000), True), ((22, 443), True)],
)
def test_without_a_syn_who_speaks_first_is_the_client_unless_it_has_a_port_of_services(
    ports: tuple[int, int], from_client: bool
) -> None:
    opened, said = fed(segment(b"x", ports=ports))
    assert isinstance(said, Bytes)
    assert said.direction == ("client" if from_client else "server")
    assert opened.connection.client.port == (ports[0] if from_client else ports[1])


def test_a_syn_of_the_server_tells_who_is_who() -> None:
    events = fed(OPEN[1], client(b"x"))
    assert events[0].connection.client.port == 50_000
    assert told(events) == [("client", b"x")]


def test_a_syn_that_is_captured_late_changes_nothing() -> None:
    assert told(fed(client(b"abc"), *OPEN, client(b"def", 3))) == [("client", b"abc"), ("client", b"def")]


def test_the_servers_syn_corrects_a_guess() -> None:
    wrong = client(b"abc")._replace(acknowledgment=77)
    assert told(fed(OPEN[0], wrong, OPEN[1], server(b"x"))) == [("client", b"abc"), ("server", b"x")]


def test_two_ends_that_are_the_same_are_one_direction() -> None:
    one = client(b"abc")._replace(
        source=b"", destination=b"", source_port=0, destination_port=0, sequence=None
    )
    assert told(whole(one, one)) == [("client", b"abc"), ("client", b"abc"), ENDED]


# -- endings


@pytest.mark.parametrize(
    "reset, side",
    [
        (server(flags=RST | ACK, seen=3), "server"),
        (client(flags=RST, at=3), "client"),
        (client(flags=RST, at=-100), "client"),
    ],
)
def test_a_reset_says_by_whom(reset: Segment, side: str) -> None:
    assert told(fed(*OPEN, client(b"abc"), reset)) == [("client", b"abc"), (How.RESET, side)]


def test_a_reset_gives_what_waits() -> None:
    events = fed(*OPEN, client(b"abc", 3), server(flags=RST))
    assert told(events) == [("client", 3), ("client", b"abc"), (How.RESET, "server")]


def test_a_refused_connection_is_a_reset() -> None:
    refusal = segment(sequence=0, acknowledgment=C + 1, flags=RST | ACK, reply=True)
    assert told(fed(OPEN[0], refusal)) == [(How.RESET, "server")]


@pytest.mark.parametrize("at", [2**25, -(2**25), 2**31])
def test_a_reset_that_no_receiver_takes_ends_nothing(at: int) -> None:
    assert told(fed(*OPEN, client(b"abc"), client(flags=RST, at=at), client(b"def", 3))) == [
        ("client", b"abc"),
        ("client", b"def"),
    ]


def test_one_side_may_close_long_before_the_other() -> None:
    events = whole(*OPEN, client(flags=FIN | ACK), server(b"still"), server(b" here", 5))
    assert told(events) == [("client", "fin"), ("server", b"still"), ("server", b" here"), ENDED]


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_after_the_end_only_a_syn_begins_anew(how: str) -> None:
    streams = Streams()
    if how == "fin":
        fed(*OPEN, client(flags=FIN | ACK), server(flags=FIN | ACK, seen=1), streams=streams)
    else:
        fed(*OPEN, server(flags=RST), streams=streams)
    stray = [client(b"late", 1), server(b"late"), client(), OPEN[1], client(flags=RST)]
    assert fed(*stray, streams=streams) == []
    events = fed(segment(sequence=70, flags=SYN), segment(b"new", sequence=71), streams=streams)
    assert [event.connection.number for event in events] == [2, 2]


def test_a_syn_with_another_number_replaces_a_connection() -> None:
    events = fed(*OPEN, client(b"old"), segment(sequence=70, flags=SYN), segment(b"new", sequence=71))
    assert told(events) == [("client", b"old"), (How.REPLACED, "client"), ("client", b"new")]
    assert [event.connection.number for event in events] == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("flags", [SYN | ACK, SYN | RST])
def test_no_other_syn_does(flags: int) -> None:
    odd = segment(sequence=70, flags=flags, reply=True)
    assert How.REPLACED not in {how for how, *_ in told(fed(*OPEN, server(b"old"), odd, server(b"!", 3)))}


def test_a_fin_that_contradicts_the_bytes_is_none() -> None:
    events = fed(*OPEN, client(b"abcdef"), client(at=2, flags=FIN | ACK), client(b"ghi", 6))
    assert told(events) == [("client", b"abcdef"), ("client", b"ghi")]


def test_connections_are_bounded_and_the_idle_one_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_module, "MAX_CONNECTIONS", 3)
    streams = Streams()
    fed(*(client(b"x", ports=(port, 443)) for port in (1, 2, 3)), streams=streams)
    fed(client(b"y", 1, ports=(1, 443)), streams=streams)
    events = fed(client(b"x", ports=(4, 443)), streams=streams)
    assert told(events) == [(How.CROWDED_OUT, None), ("client", b"x")]
    assert [event.connection.number for event in events] == [2, 4, 4]
    assert fed(client(b"z", 1, ports=(2, 443)), streams=streams) == []


def test_ends_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_module, "MAX_CONNECTIONS", 2)
    streams = Streams()
    for port in range(10):
        fed(client(b"x", ports=(port, 443)), server(flags=RST, ports=(port, 443)), streams=streams)
    assert told(fed(client(b"x", ports=(9, 443)), streams=streams)) == []
    assert told(fed(client(b"x", ports=(0, 443)), streams=streams)) == [("client", b"x")]


def test_an_end_is_remembered_from_when_it_came_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_module, "MAX_CONNECTIONS", 2)
    streams = Streams()
    for port in (1, 2, 1, 3):
        syn = segment(sequence=C, flags=SYN, ports=(port, 443))
        fed(syn, server(flags=RST, ports=(port, 443)), streams=streams)
    assert fed(client(b"x", ports=(1, 443)), streams=streams) == []


# -- connections that nobody wants


def test_of_a_connection_that_is_not_wanted_only_the_end_is_told() -> None:
    streams = Streams()
    first = fed(*OPEN, client(b"SSH-2.0"), client(b"waits", 100), streams=streams)
    first[0].connection.wanted = False
    rest = fed(
        client(b"more", 7),
        OPEN[0],
        server(b"x"),
        client(flags=FIN | ACK, at=11),
        server(flags=FIN | ACK),
        streams=streams,
    )
    assert told(rest) == [(How.FIN, "server")]
    assert list(streams.finish()) == []


@pytest.mark.parametrize("end", [RST, 0])
def test_a_connection_that_is_not_wanted_may_be_reset_or_stay_open(end: int) -> None:
    streams = Streams()
    fed(client(b"x"), client(b"waits", 9), streams=streams)[0].connection.wanted = False
    events = [*fed(*([server(flags=RST)] if end else []), streams=streams), *streams.finish()]
    assert told(events) == [(How.RESET, "server") if end else ENDED]


# -- what was said, and is not in the capture


@pytest.mark.parametrize(
    "last, lost",
    [
        ((client(flags=FIN | ACK), server(flags=FIN | ACK, seen=1), client(at=1, seen=1)), ()),
        ((client(flags=FIN | ACK, seen=2),), ("server",)),  # acknowledged, and not there
        ((server(flags=FIN | ACK, seen=1),), ("client",)),  # be it a FIN
        ((server(flags=RST | ACK, seen=4),), ("client",)),
        ((server(flags=RST | ACK, at=3),), ("server",)),  # it comes behind what it sent
        ((server(flags=RST | ACK),), ()),
        ((server(flags=RST),), ()),  # without ACK, that field says nothing
        ((server(flags=RST | ACK, seen=2**30),), ()),  # nobody has so much under way
    ],
)
def test_it_is_told_who_has_said_more_than_is_there(last: tuple[Segment, ...], lost: tuple[str, ...]) -> None:
    closed = whole(*OPEN, *last)[-1]
    assert isinstance(closed, Closed)
    assert closed.lost == lost
