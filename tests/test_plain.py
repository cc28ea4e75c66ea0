"""Classes of named values: what they take, and what they do not tell."""

import pytest

from pellucid.plain import plain


@plain
class Parcel:
    """A class as the engine has them."""

    secret: bytes
    weight: int = 1

    @property
    def heavy(self) -> bool:
        return self.weight > 10


@plain(frozen=True)
class Receipt:
    number: int


@plain
class Nothing:
    pass


def test_values_are_given_in_order_or_by_name() -> None:
    assert (Parcel(b"x", 2).secret, Parcel(weight=2, secret=b"x").weight) == (b"x", 2)
    assert Receipt(7).number == 7


def test_a_default_stands_for_what_is_not_given() -> None:
    assert Parcel(b"x").weight == 1
    with pytest.raises(TypeError, match="secret"):
        Parcel()  # type: ignore[call-arg]  # that is the test


def test_methods_stay() -> None:
    assert Parcel(b"x", 11).heavy
    assert Parcel.__doc__ == "A class as the engine has them."
    assert isinstance(Nothing(), Nothing)


def test_there_are_no_other_names() -> None:
    with pytest.raises(AttributeError):
        Parcel(b"x").colour = "red"  # type: ignore[attr-defined]  # that is the test


def test_values_match_patterns_by_place() -> None:
    match Parcel(b"x", 3):
        case Parcel(secret, weight):
            assert (secret, weight) == (b"x", 3)


def test_no_value_is_in_the_repr() -> None:
    assert "hidden" not in repr(Parcel(b"hidden"))


def test_two_are_equal_if_they_are_one() -> None:
    one = Receipt(1)
    assert one == one  # noqa: PLR0124 - that is the test
    assert one != Receipt(1)
