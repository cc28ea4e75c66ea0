"""Whatever a peer has sent, who asks why it failed is told, and not with a flood."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import client_config, connect_pair, server_config

from pellucid.codes import AlertDescription
from pellucid.diagnosis import Evidence, diagnosis_of
from pellucid.diagnosis.compose import MOST_CHARACTERS, MOST_FACTS
from pellucid.diagnosis.evidence import ALERT, Choice, Spoken
from pellucid.errors import AlertReceived, CertificateRejected, PeerMisbehaved, Reason, TLSError
from pellucid.identity.der import name_text

NAMES = ("ClientHello", "ServerHello", "HelloRetryRequest", "CertificateRequest", ALERT)
MESSAGES = st.builds(
    Spoken, st.sampled_from(("sent", "received")), st.sampled_from(NAMES), st.binary(max_size=80)
)
ERRORS = st.one_of(
    st.builds(CertificateRejected, st.sampled_from(Reason), st.text(max_size=20)),
    st.builds(PeerMisbehaved, st.sampled_from(Reason), st.text(max_size=20)),
    st.builds(
        AlertReceived, st.sampled_from(list(AlertDescription)) | st.integers(0, 255), st.just("it ended")
    ),
)


@given(
    ERRORS,
    st.lists(MESSAGES, max_size=5),
    st.binary(max_size=64),
    st.booleans(),
    st.sampled_from(("client", "server")),
)
def test_any_evidence_comes_to_a_diagnosis(
    error: TLSError, messages: list[Spoken], unread: bytes, began: bool, side: str
) -> None:
    evidence = Evidence(side=side, messages=tuple(messages), unread=unread, began=began)  # type: ignore[arg-type]  # one of the two
    found = diagnosis_of(error, evidence)
    assert found.inferred
    assert len(found.evidence) <= MOST_FACTS


@cache
def refused() -> CertificateRejected:
    client, server = connect_pair(client_config(), server_config(), "other.example")
    server.receive_data(client.data_to_send())
    with pytest.raises(CertificateRejected) as caught:
        client.receive_data(server.data_to_send())
    return caught.value


@given(st.sampled_from(Reason), st.integers(0, 2000), st.integers(1, 255))
def test_a_certificate_with_a_wrong_byte_is_told_as_far_as_it_can_be_read(
    reason: Reason, place: int, turned: int
) -> None:
    evidence = refused().evidence
    assert evidence is not None
    spoiled = bytearray(evidence.chain[0])
    spoiled[place % len(spoiled)] ^= turned
    found = diagnosis_of(
        CertificateRejected(reason), replace(evidence, chain=(bytes(spoiled), *evidence.chain[1:]))
    )
    assert found.step.startswith("In the handshake")


@given(st.binary(max_size=60))
def test_a_name_of_any_bytes_is_shown_in_a_line(name: bytes) -> None:
    assert name_text(name).isprintable()


def test_what_is_long_is_cut() -> None:
    names = tuple(f"CN={'long' * 40} {number}" for number in range(300))
    evidence = Evidence(
        began=True,
        credentials=names,
        issuers=frozenset(number.to_bytes(4, "big") for number in range(300)),
        messages=(Spoken("received", "CertificateRequest"), Spoken("sent", "Certificate")),
        choices=(Choice("client_certificate", names[:1], (), names[0]),),
    )
    found = diagnosis_of(AlertReceived(AlertDescription.unknown_ca, "it ended"), evidence)
    assert found.id == "client_certificate_untrusted"
    assert len(found.evidence) <= MOST_FACTS
    assert all(len(fact.found) <= MOST_CHARACTERS + len("...") for fact in found.evidence)
