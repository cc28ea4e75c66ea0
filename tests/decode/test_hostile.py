"""Whatever is in a capture: a story comes of it, or a CaptureError, and in little time."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from random import Random

import pytest
from captures import pcap
from conversations import KINDS, Conversation, converse
from hypothesis import given, settings
from hypothesis import strategies as st
from watched import Turns, Wire, turns_of

from pellucid.capture import CaptureError
from pellucid.crypto.suites import SUITES
from pellucid.decode import Decoder, KeyMaterial
from pellucid.keys import traffic_keys
from pellucid.record import Sealer
from pellucid.trace.carried import carried
from pellucid.trace.json import dumps
from pellucid.trace.narration import narrate
from pellucid.trace.summary import summarise

#: Of TLS 1.3; test_hostile12 has the others.
NAMES = [name for name in KINDS if not name.startswith("1.2")]
MOST_TURNS = 60


@cache
def talk(kind: str) -> Conversation:
    return converse(kind)


@cache
def turns(kind: str) -> tuple[tuple[str, bytes], ...]:
    return tuple(turns_of(talk(kind))[:MOST_TURNS])


def read(capture: bytes, key_log: list[str]) -> int:
    """Decode, and use what comes of it as the commands do; how many connections there were."""
    keys = KeyMaterial()
    keys.add_key_log("\n".join([*key_log, ""]))
    count = 0
    try:
        for found in Decoder(
            BytesIO(capture), keys=keys, wanted=lambda number: number % 4 != 3
        ).connections():
            count += 1
            if found.trace is not None:
                narrate(found.trace.events)
                carried(found.trace.events)
                summarise(found.trace.events)
                assert dumps(found.trace)
    except CaptureError:
        pass
    return count


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(NAMES), seed=st.integers(0, 2**32), keys=st.booleans())
def test_records_that_were_changed_cut_doubled_or_exchanged(kind: str, seed: int, keys: bool) -> None:
    random, said = Random(seed), list(turns(kind))
    for _ in range(random.randrange(1, 4)):
        place, other = random.randrange(len(said)), random.randrange(len(said))
        side, raw = said[place]
        match random.randrange(4):
            case 0:
                changed = bytearray(raw + b"\0")
                changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
                said[place] = (side, bytes(changed))
            case 1:
                said[place] = (side, raw[: random.randrange(len(raw) + 1)])
            case 2:
                said.insert(other, said[place])
            case 3:
                said[place], said[other] = said[other], said[place]
    wire = Wire().say(*said, most=random.choice((100, 1460, 60_000))).close()
    if random.random() < 0.3:
        del wire.packets[random.randrange(len(wire.packets))]
    assert read(wire.capture, talk(kind).key_log if keys else []) >= 1


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(NAMES), seed=st.integers(0, 2**32))
def test_files_in_which_bytes_were_changed(kind: str, seed: int) -> None:
    random = Random(seed)
    capture = bytearray(Wire().say(*turns(kind)).close().capture)
    for _ in range(random.randrange(1, 30)):
        capture[random.randrange(len(capture))] = random.randrange(256)
    read(bytes(capture), talk(kind).key_log)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), st.binary(max_size=200)), max_size=8))
def test_streams_of_any_bytes(said: Turns) -> None:
    assert read(Wire().say(*said).close().capture, []) == 1


# -- what only who has the keys can send

_SECRETS = {
    label: bytes((number,)) * 32
    for number, label in enumerate(
        (
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
        )
    )
}


def key_log_of_ours() -> list[str]:
    client_random = turns("full")[0][1][11:43].hex()
    return [f"{label} {client_random} {secret.hex()}" for label, secret in _SECRETS.items()]


def sealer(label: str) -> Sealer:
    suite = SUITES[0x1301]
    return Sealer(suite, traffic_keys(suite, _SECRETS[label]))


#: A handshake message of any type, whose body may be of that type or not; any other content.
_MESSAGES = st.builds(
    lambda kind, body: bytes((kind,)) + len(body).to_bytes(3, "big") + body,
    st.sampled_from((0, 1, 2, 4, 5, 8, 11, 12, 13, 15, 20, 22, 24, 25, 254)),
    st.one_of(
        st.binary(max_size=80), st.sampled_from((b"", b"\0\0", b"\0\0\0\0", b"\1", bytes(32), b"\0" * 40))
    ),
)
_CONTENTS = st.one_of(
    st.tuples(
        st.just(22),
        st.one_of(_MESSAGES, st.lists(_MESSAGES, max_size=3).map(b"".join), st.binary(max_size=9)),
    ),
    st.tuples(st.just(21), st.binary(max_size=3)),
    st.tuples(st.sampled_from((20, 23, 24, 99)), st.binary(max_size=20)),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["client", "server"]), st.sampled_from(["HANDSHAKE_", ""]), _CONTENTS),
        max_size=12,
    )
)
def test_a_conspiracy_of_both_sides(said: list[tuple[str, str, tuple[int, bytes]]]) -> None:
    sealers = {label: sealer(label) for label in _SECRETS}
    wire = Wire().say(*turns("full")[:2])
    for side, epoch, (content_type, content) in said:
        label = f"{side.upper()}_{epoch}TRAFFIC_SECRET{'' if epoch else '_0'}"
        wire.say((side, sealers[label].seal(content_type, content)))
    assert read(wire.close().capture, key_log_of_ours()) == 1


def test_a_conspiracy_that_shows_a_flight_of_its_own() -> None:
    """The sealed records of the test above are opened: without that, it would hold nothing."""
    server = sealer("SERVER_HANDSHAKE_TRAFFIC_SECRET")
    wire = Wire().say(*turns("full")[:2], ("server", server.seal(22, bytes.fromhex("08000002 0000"))))
    keys = KeyMaterial()
    keys.add_key_log("\n".join([*key_log_of_ours(), ""]))
    (found,) = Decoder(BytesIO(wire.capture), keys=keys).connections()
    assert found.trace is not None
    assert [e.name for e in found.trace.events if e.kind == "message"][-1] == "EncryptedExtensions"


@pytest.mark.parametrize("kind", NAMES)
def test_every_start_of_a_capture_gives_what_it_shows(kind: str) -> None:
    packets = Wire().say(*turns(kind)).close().packets
    for count in range(0, len(packets), 7):
        assert read(pcap(packets[:count]), talk(kind).key_log) == (1 if count else 0)
        assert read(pcap(packets[count:]), talk(kind).key_log) <= 1
