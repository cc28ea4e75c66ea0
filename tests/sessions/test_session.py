"""What a client keeps of a session, and external PSKs."""

from typing import Any

import pytest

from pellucid.codes import CipherSuite, ProtocolVersion
from pellucid.errors import Misuse, Reason
from pellucid.sessions import MAX_LIFETIME_SECONDS, MAX_SESSION_ID_SECONDS, ExternalPsk, Session

NOW = 1_800_000_000.0
SECRET = b"hidden key material, 32 bytes..."


def make(**changes: Any) -> Session:
    values: dict[str, Any] = {
        "protocol": ProtocolVersion.TLSv1_3,
        "cipher_suite": CipherSuite.TLS_AES_128_GCM_SHA256,
        "hash_name": "sha256",
        "secret": SECRET,
        "ticket": b"ticket",
        "ticket_age_add": 0xFFFF_FFF0,
        "lifetime_seconds": 7200,
        "received_at": NOW,
        "server_name": "example.com",
    }
    return Session(**(values | changes))


@pytest.mark.parametrize("after,expired", [(0, False), (7199.9, False), (7200, True), (-0.1, True)])
def test_a_session_expires_after_its_lifetime_and_where_the_clock_was_set_back(
    after: float, expired: bool
) -> None:
    assert make().expired(NOW + after) is expired


def test_no_session_lives_longer_than_seven_days_whatever_the_server_says() -> None:
    session = make(lifetime_seconds=0xFFFF_FFFF)
    assert not session.expired(NOW + MAX_LIFETIME_SECONDS - 1)
    assert session.expired(NOW + MAX_LIFETIME_SECONDS)


def test_a_session_of_tls_1_2_may_have_an_id_and_no_ticket() -> None:
    session = Session(
        protocol=ProtocolVersion.TLSv1_2,
        cipher_suite=CipherSuite.TLS_RSA_WITH_AES_128_CBC_SHA,
        hash_name="sha256",
        secret=SECRET,
        session_id=b"id",
        extended_master_secret=False,
        lifetime_seconds=MAX_SESSION_ID_SECONDS,
        received_at=NOW,
        server_name="example.com",
    )
    assert (session.ticket, session.expired(NOW + MAX_SESSION_ID_SECONDS - 1)) == (b"", False)
    assert session.expired(NOW + MAX_SESSION_ID_SECONDS)


def test_a_lifetime_of_zero_is_over_at_once() -> None:
    assert make(lifetime_seconds=0).expired(NOW)


@pytest.mark.parametrize("after,milliseconds", [(0, 0), (1.5, 1500), (-5, 0)])
def test_the_age_is_in_whole_milliseconds_and_never_negative(after: float, milliseconds: int) -> None:
    assert make().age_milliseconds(NOW + after) == milliseconds


def test_the_age_is_sent_plus_age_add_modulo_2_to_the_32() -> None:
    assert make().obfuscated_ticket_age(NOW + 1) == (1000 + 0xFFFF_FFF0) % 2**32


def test_repr_of_a_session_shows_no_secret() -> None:
    text = repr(make())
    assert "hidden" not in text
    assert " secret=" not in text
    assert "ticket" not in text


def test_repr_of_an_external_psk_shows_its_identity_and_not_its_key() -> None:
    text = repr(ExternalPsk(b"device 7", SECRET))
    assert "device 7" in text
    assert "hidden" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        (b"", SECRET),
        (bytes(65_536), SECRET),
        (b"id", bytes(15)),
        (b"id", SECRET, "sha512"),
        (b"id", SECRET, "md5"),
    ],
)
def test_an_external_psk_that_cannot_be_used_or_can_be_guessed_is_misuse(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(Misuse) as error:
        ExternalPsk(*arguments)
    assert error.value.reason is Reason.BAD_CONFIGURATION
