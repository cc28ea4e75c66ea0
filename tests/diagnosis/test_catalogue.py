"""The 27 rows of the catalogue: each has its rule, its words, faults and tests that show it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pellucid.diagnosis.catalogue import CATALOGUE, Row
from pellucid.diagnosis.rules import RULES
from pellucid.errors import Reason
from pellucid.faults import FAULTS
from pellucid.trace.texts import texts

ROOT = Path(__file__).parents[2]
EACH_ROW = pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: f"{row.number}-{row.id}")

#: The contract.
IDS = [
    *("missing_intermediate", "unknown_root", "self_signed", "hostname_mismatch"),
    *("no_subject_alternative_name", "certificate_expired", "certificate_not_yet_valid", "wrong_purpose"),
    *("weak_key", "strict_profile_only", "no_shared_version", "no_shared_cipher_suite", "no_shared_group"),
    *("no_shared_signature_scheme", "client_certificate_missing", "client_certificate_missing"),
    *("client_certificate_untrusted", "alpn_mismatch", "unrecognized_name", "not_tls"),
    *("closed_after_client_hello", "reset_after_client_hello", "silent_after_client_hello"),
    *("stalled_mid_flight", "no_secure_renegotiation", "key_does_not_match_certificate"),
    "certificate_revoked",
]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py, which makes the page."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rows_are_those_of_the_contract() -> None:
    assert [row.id for row in CATALOGUE] == IDS
    assert [row.number for row in CATALOGUE] == [*range(1, 28)]


@EACH_ROW
def test_it_has_a_rule_and_words(row: Row) -> None:
    assert row.id in {rule.id for rule in RULES}
    assert {"inferred", "fix", "rfc"} <= texts("failures.toml")[row.id].keys()


@EACH_ROW
def test_a_fault_shows_it(row: Row, generate: ModuleType) -> None:
    faults = generate.faults_of(row)
    assert faults
    # A fault of this cause whose alert is none of the row's would stand nowhere.
    rows = [each for each in CATALOGUE if each.id == row.id]
    shown = {fault.id for each in rows for fault in generate.faults_of(each)}
    assert shown == {fault.id for fault in FAULTS.values() if fault.cause == row.id}


@EACH_ROW
def test_a_test_besides_shows_it(row: Row, generate: ModuleType) -> None:
    assert generate.tests_by_id().get(row.id)


def test_what_is_shown_is_known(generate: ModuleType) -> None:
    assert generate.tests_by_id().keys() <= set(texts("failures.toml"))


def test_every_rule_is_one_of_a_text_or_a_reason() -> None:
    assert {rule.id for rule in RULES} <= set(texts("failures.toml")) | {str(reason) for reason in Reason}
