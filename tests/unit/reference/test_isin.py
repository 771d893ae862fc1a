"""Check digits of ISINs, and the parts of them that last."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.reference.isin import is_valid, issuer_of, security_of

BODIES = st.builds(
    "".join,
    st.tuples(
        st.text(string.ascii_uppercase, min_size=2, max_size=2),
        st.text(string.ascii_uppercase + string.digits, min_size=9, max_size=9),
    ),
)


@pytest.mark.parametrize(
    "isin",
    ["INE002A01018", "INE200A01026", "INE06H201014", "INE672A01026", "US0378331005"],
)
def test_isin_of_a_real_security_is_valid(isin: str) -> None:
    assert is_valid(isin)


@pytest.mark.parametrize(
    "isin",
    [
        "INE418H01026",  # DOMAIN.md 1.2 case 20
        "",
        "-",
        "INE002A0101",
        "INE002A010188",
        "ine002a01018",
        "1NE002A01018",
        "INE002A0101X",
        "INE002A01018\n",
        "INE002A0101\u0668",
    ],
)
def test_text_that_is_no_isin_is_not_valid(isin: str) -> None:
    assert not is_valid(isin)


@given(BODIES)
def test_one_check_digit_of_ten_is_right(body: str) -> None:
    assert sum(is_valid(f"{body}{digit}") for digit in range(10)) == 1


@given(BODIES, st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(body: str, at: int, by: int) -> None:
    isin = next(f"{body}{digit}" for digit in range(10) if is_valid(f"{body}{digit}"))
    if not isin[at].isdecimal():
        return
    wrong = (int(isin[at]) + by) % 10
    assert not is_valid(f"{isin[:at]}{wrong}{isin[at + 1 :]}")


def test_face_value_split_keeps_issuer_and_security() -> None:
    # Tata Investment got a new ISIN on 2025-10-14; only serial number and check digit changed.
    before, after = "INE672A01018", "INE672A01026"
    assert issuer_of(before) == issuer_of(after) == "INE672A"
    assert security_of(before) == security_of(after) == "INE672A01"


def test_debenture_of_an_issuer_is_another_security() -> None:
    share, debenture = "INE002A01018", "INE002A08534"
    assert issuer_of(share) == issuer_of(debenture)
    assert security_of(share) != security_of(debenture)


def test_parts_outside_india_follow_the_six_and_two_of_the_agency() -> None:
    assert issuer_of("US0378331005") == "US037833"
    assert security_of("US0378331005") == "US037833100"


def test_no_isin_has_no_parts() -> None:
    assert issuer_of("") == security_of("") == ""
