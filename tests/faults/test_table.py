"""What the table of faults promises as a whole."""

from __future__ import annotations

import pytest

from pellucid.cli.exits import Exit
from pellucid.codes import AlertDescription
from pellucid.errors import Misuse, Reason
from pellucid.faults import FAULTS, Bench, find
from pellucid.trace.texts import texts

# Of the ids by which failures are told, those that no server of ours can cause, and why.
NOT_A_SERVERS = {
    "name_not_found": "there is no server",
    "connection_failed": "no TCP",
    "timeout": "no TCP in time",
    "bad_configuration": "our own options",
    "bad_certificate_file": "our own files",
    "bad_server_name": "our own option",
    "internal_error": "our own fault",
    "signing_failed": "our own key, or who signs with it",
    "key_not_pinned": "our own pins",
    "revocation_unknown": "what we ask for: revocation hard",
    "client_not_allowed": "what a server finds",
    "our_certificate_refused": "what a server is told",
    "server_certificate_refused": "what who reads a capture says of it",
    "client_rejected_certificate": "what who reads a capture says of it",
    "no_suitable_certificate": "what a server finds",
    "inappropriate_fallback": "needs a client that falls back",
    "extended_master_secret_changed": "needs a session to resume",
    "session_mismatch": "needs a session to resume",
    "bad_renegotiation_info": "somebody in the middle",
    "too_many_renegotiations": "comes after the handshake",
    "renegotiation_refused": "comes after the handshake",
    "certificate_chain_too_long": "what wants to be costly: bounds are tested with it, and not clients",
    "certificate_rejected": "the rest of what a verifier says",
    "protocol": "a text for several ids",
    "no_shared_certificate_type": "needs a client that takes nothing but raw public keys",
    "raw_key_not_trusted": "likewise",
    "not_a_proxy": "before TLS",
    "proxy_authentication_failed": "before TLS",
    "proxy_cannot_connect": "before TLS",
    "proxy_refused": "before TLS",
    "starttls_injection": "before TLS",
    "starttls_not_offered": "before TLS",
    "starttls_refused": "before TLS",
    "starttls_wrong_protocol": "before TLS",
}


def test_every_failure_that_a_server_can_cause_has_a_fault() -> None:
    covered = {name for fault in FAULTS.values() for name in (fault.cause, fault.diagnosis)}
    # Behind a colon stands what is told of one case of it.
    known = {name.partition(":")[0] for name in texts("failures.toml")}
    assert known - covered == set(NOT_A_SERVERS)


def test_what_it_says_exists() -> None:
    known = set(texts("failures.toml")) | {str(reason) for reason in Reason}
    for fault in FAULTS.values():
        assert {fault.cause, fault.diagnosis} <= known
        assert fault.alert is None or fault.alert in AlertDescription.__members__
        assert (fault.alert is None) == (fault.direction is None)
        assert Exit(fault.exit_code)


def test_the_id_begins_with_the_cause_unless_it_is_a_way_of_its_own() -> None:
    own = {fault.id for fault in FAULTS.values() if not fault.id.startswith(fault.cause)}
    assert own == {"silent_to_large_client_hello", "reset_during_handshake"}


def test_a_fault_is_found_by_its_id_in_either_spelling() -> None:
    assert find("certificate_expired") is find("certificate-expired") is FAULTS["certificate_expired"]
    with pytest.raises(Misuse) as caught:
        find("nothing_of_the_kind")
    assert caught.value.reason is Reason.BAD_CONFIGURATION


def test_with_a_seed_the_certificates_repeat() -> None:
    one, other = (Bench(1_767_225_600, seed=b"a seed") for _ in range(2))
    assert one.issued.chain_pem == other.issued.chain_pem
    assert one.stranger.root_pem == other.stranger.root_pem
    assert one.stranger.root_pem != one.laboratory.root_pem
