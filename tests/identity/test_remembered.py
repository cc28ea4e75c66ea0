"""What was accepted is not judged again, and nothing is accepted by it that would not be accepted without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pellucid.errors import CertificateRejected, Misuse, Reason
from pellucid.identity import TrustStore, verify_client, verify_server
from pellucid.identity.reasoning import decide
from pellucid.identity.remembered import MOST_REMEMBERED

NOW = 1_800_000_000.0
DAY = 86_400
NAME = "leaf.example"


@pytest.fixture(scope="module")
def root(forge: Any) -> Any:
    return forge.ca("Root")


@pytest.fixture(scope="module")
def leaf(forge: Any, root: Any) -> Any:
    return forge.leaf(root)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The names that paths were judged for."""
    names: list[object] = []
    judge = decide._pyca

    def counting(policy: Any, case: Any) -> Any:
        names.append(str(case.name))
        return judge(policy, case)

    monkeypatch.setattr(decide, "_pyca", counting)
    return names


def test_who_comes_back_is_not_judged_again(root: Any, leaf: Any, judged: list[object]) -> None:
    trust = root.trust
    first = verify_server([leaf.der], NAME, trust, NOW)
    assert verify_server([leaf.der], NAME, trust, NOW + DAY) is first
    assert judged == [NAME]


@pytest.mark.parametrize("when", ["before it begins", "after it has ended"])
def test_the_dates_are_looked_at_each_time(root: Any, leaf: Any, when: str) -> None:
    trust = root.trust
    identity = verify_server([leaf.der], NAME, trust, NOW)
    wrong = identity.begins_at - 2 if when == "before it begins" else identity.expires_at + 2
    with pytest.raises(CertificateRejected) as caught:
        verify_server([leaf.der], NAME, trust, wrong)
    expected = {Reason.CERTIFICATE_NOT_YET_VALID, Reason.CERTIFICATE_EXPIRED}
    assert caught.value.reason in expected
    # And it is as good as it was when the clock is right again.
    assert verify_server([leaf.der], NAME, trust, NOW) is identity


def test_the_shortest_life_of_the_path_counts(forge: Any, judged: list[object]) -> None:
    old = forge.ca("Old root", days=(-1, 1))
    leaf = forge.leaf(old)
    identity = verify_server([leaf.der], NAME, old.trust, NOW)
    assert identity.expires_at == old.certificate.not_valid_after_utc.timestamp()


def test_another_name_is_another_question(root: Any, leaf: Any) -> None:
    trust = root.trust
    verify_server([leaf.der], NAME, trust, NOW)
    with pytest.raises(CertificateRejected) as caught:
        verify_server([leaf.der], "other.example", trust, NOW)
    assert caught.value.reason is Reason.HOSTNAME_MISMATCH


def test_another_purpose_is_another_question(root: Any, leaf: Any) -> None:
    trust = root.trust
    verify_server([leaf.der], NAME, trust, NOW)
    with pytest.raises(CertificateRejected) as caught:
        verify_client([leaf.der], trust, NOW)
    assert caught.value.reason is Reason.WRONG_PURPOSE


def test_other_roots_know_nothing_of_it(forge: Any, root: Any, leaf: Any) -> None:
    verify_server([leaf.der], NAME, root.trust, NOW)
    with pytest.raises(CertificateRejected) as caught:
        verify_server([leaf.der], NAME, forge.ca("Another root").trust, NOW)
    assert caught.value.reason in {Reason.UNKNOWN_ROOT, Reason.BAD_CERTIFICATE, Reason.MISSING_INTERMEDIATE}


def test_a_chain_with_one_byte_changed_is_another(root: Any, leaf: Any) -> None:
    trust = root.trust
    verify_server([leaf.der], NAME, trust, NOW)
    for position in range(20, len(leaf.der), 40):
        forged = bytearray(leaf.der)
        forged[position] ^= 0x01
        try:
            identity = verify_server([bytes(forged)], NAME, trust, NOW)
        except (CertificateRejected, Misuse):
            continue
        # An octet that no signature covers, in a certificate that says the same.
        assert identity.public_key == leaf.key.public_key()


def test_a_longer_chain_than_is_accepted_is_refused_though_it_was_accepted(root: Any, leaf: Any) -> None:
    trust = root.trust
    verify_server([leaf.der, root.der], NAME, trust, NOW)
    with pytest.raises(CertificateRejected) as caught:
        verify_server([leaf.der, root.der], NAME, trust, NOW, max_chain_length=1)
    assert caught.value.reason is Reason.CERTIFICATE_CHAIN_TOO_LONG


def test_a_refusal_is_not_remembered(root: Any, leaf: Any, judged: list[object]) -> None:
    trust = root.trust
    for _ in range(2):
        with pytest.raises(CertificateRejected):
            verify_server([leaf.der], "other.example", trust, NOW)
    assert len(judged) == 2
    assert len(trust.accepted) == 0


def test_no_more_are_remembered_than_fit(forge: Any, root: Any, judged: list[object]) -> None:
    names = [f"n{number}.example" for number in range(MOST_REMEMBERED + 1)]
    leaf = forge.leaf(root, names=tuple(names))
    trust = TrustStore.from_certificates((root.certificate,))
    for name in names:
        verify_server([leaf.der], name, trust, NOW)
    assert len(trust.accepted) == MOST_REMEMBERED
    del judged[:]
    verify_server([leaf.der], names[-1], trust, NOW)
    verify_server([leaf.der], names[0], trust, NOW)
    assert judged == [names[0]]
