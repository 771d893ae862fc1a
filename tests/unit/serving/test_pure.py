"""Cursor, adjustment, times, content negotiation: no server needed."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asknown.reference.adjusting import Adjust, Factors, ratios, scaled
from asknown.reference.moments import FOR_EVER, iso, parse_time
from asknown.serving import cursor, formats
from asknown.serving.problems import ApiError
from asknown.serving.timelines import Point, Timeline

KEY = b"k" * 32
positions = st.lists(st.one_of(st.text(max_size=40), st.integers(-(2**62), 2**62)), max_size=5)
moments = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    datetime(2199, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda m: m.replace(microsecond=m.microsecond // 1000 * 1000))
factor = st.floats(1e-6, 1e6, allow_nan=False)
factors = st.builds(Factors, factor, factor, factor)
prices = st.decimals("0.00000001", "9999999999", places=8)


@given(positions, moments, st.text(max_size=20))
def test_cursor_sealed_and_opened_is_the_same(
    position: list[str | int], known_at: datetime, request_: str
) -> None:
    sealed = cursor.Cursor(tuple(position), known_at)
    text = cursor.seal(sealed, request_, KEY)
    assert cursor.open_(text, request_, KEY) == sealed
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")


@given(positions, st.data())
def test_cursor_with_any_character_changed_is_refused(
    position: list[str | int], data: st.DataObject
) -> None:
    text = cursor.seal(cursor.Cursor(tuple(position), datetime(2024, 1, 1, tzinfo=UTC)), "r", KEY)
    place = data.draw(st.integers(0, len(text) - 2))  # the last one may hold unused bits
    other = data.draw(st.sampled_from(string.ascii_letters))
    assume(text[place] != other)
    with pytest.raises(ApiError, match="next: expected"):
        cursor.open_(text[:place] + other + text[place + 1 :], "r", KEY)


@given(st.text(max_size=200))
def test_cursor_of_any_text_is_refused_not_crashed_on(text: str) -> None:
    with pytest.raises(ApiError) as error:
        cursor.open_(text, "r", KEY)
    assert error.value.status == 400


def test_cursor_of_another_request_or_key_is_refused() -> None:
    text = cursor.seal(cursor.Cursor((1,), datetime(2024, 1, 1, tzinfo=UTC)), "a", KEY)
    with pytest.raises(ApiError, match="same parameters"):
        cursor.open_(text, "b", KEY)
    with pytest.raises(ApiError, match="unchanged"):
        cursor.open_(text, "a", b"other")


def test_bar_cut_where_factors_changed_takes_the_factors_of_its_part() -> None:
    before, after, other = Factors(1, 1, 1), Factors(0.5, 0.5, 2), Factors(0.3, 0.3, 2)
    start = datetime(2024, 10, 21, 4, tzinfo=UTC)
    minute = timedelta(minutes=1)
    line = Timeline([point(start - minute, before), point(start + minute / 2, after)])
    assert line.factors(start - 2 * minute) == Factors(1, 1, 1)
    assert line.factors_of_part(start, start + minute, after) == after
    assert line.factors_of_part(start, start + minute, before) == before
    assert line.factors_of_part(start, start + minute, other) == before
    assert line.factors_of_part(start - minute, start, after) == before
    assert line.factors_of_part(start + minute, start + 2 * minute, before) == after


def point(start: datetime, factors: Factors) -> Point:
    texts = ("e_a", "X:A", "A", "XSIM", "", "", "", "", "EQ", "LISTED")
    numbers = (factors.price, factors.split, factors.share, 0)
    return Point(*texts, start, FOR_EVER, start, FOR_EVER, *numbers, None, None)


@given(prices)
def test_adjusting_raw_or_from_the_own_time_changes_nothing(price: Decimal) -> None:
    own = Factors(0.37, 0.5, 2.0)
    for adjust in Adjust:
        assert scaled(price, ratios(adjust, own, own)[0]) == price
    assert ratios(Adjust.RAW, own, Factors(1.0, 1.0, 1.0)) == (1.0, 1.0)


@given(factors, factors)
def test_split_times_dividend_equals_all(then: Factors, basis: Factors) -> None:
    split, dividend = ratios(Adjust.SPLIT, then, basis), ratios(Adjust.DIVIDEND, then, basis)
    everything = ratios(Adjust.ALL, then, basis)
    assert split[0] * dividend[0] == pytest.approx(everything[0], rel=1e-12)
    assert (split[1], dividend[1]) == (everything[1], 1.0)


@given(factors, factors, factors)
def test_two_viewpoints_differ_by_a_constant(then: Factors, one: Factors, two: Factors) -> None:
    ratio = ratios(Adjust.ALL, then, one)[0] / ratios(Adjust.ALL, then, two)[0]
    assert ratio == pytest.approx(one.price / two.price, rel=1e-12)


@given(st.decimals("0.01", "100000", places=2), st.integers(2, 20), st.integers(1, 100_000))
def test_split_leaves_the_traded_value_alone(price: Decimal, n: int, size: int) -> None:
    then, basis = Factors(1.0, 1.0, 1.0), Factors(1 / n, 1 / n, float(n))
    price_ratio, size_ratio = ratios(Adjust.SPLIT, then, basis)
    value = scaled(price, price_ratio) * scaled(Decimal(size), size_ratio)
    assert abs(value - price * size) <= Decimal("1E-8") * size * n


@given(prices, factor)
def test_scaled_price_has_eight_places_and_is_near_the_product(price: Decimal, by: float) -> None:
    result = scaled(price, by)
    assert result.as_tuple().exponent == -8
    assert abs(result - price * Decimal(repr(by))) <= Decimal("0.5E-8")


@given(moments)
def test_time_written_and_read_is_the_same(moment: datetime) -> None:
    assert parse_time(iso(moment)) == moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-10-28", "2024-10-28T00:00:00.000Z"),
        ("2024-10-28T09:15:00+05:30", "2024-10-28T03:45:00.000Z"),
        ("2024-10-28T09:15:00 05:30", "2024-10-28T03:45:00.000Z"),  # an unencoded plus
        ("2024-10-28T03:45:00.123456789Z", "2024-10-28T03:45:00.123Z"),
        ("2024-10-28t03:45:00z", "2024-10-28T03:45:00.000Z"),
    ],
)
def test_time_in_each_accepted_form_is_understood(text: str, expected: str) -> None:
    assert iso(parse_time(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-10-28T03:45:00", "2024-13-01", "20241028", "1730087100", "1969-12-31"],
)
def test_time_in_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_time(text)


@given(st.text(max_size=40))
def test_time_of_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        moment = parse_time(text)
    except ValueError as error:
        assert "expected" in str(error)
    else:
        assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", formats.Format.JSON),
        ("", formats.Format.JSON),
        ("text/csv", formats.Format.CSV),
        ("text/*;q=0.5, application/json;q=0.4", formats.Format.CSV),
        ("text/html, application/vnd.apache.arrow.stream", formats.Format.ARROW),
        ("text/csv;q=0, */*;q=0.1", formats.Format.JSON),
    ],
)
def test_accept_header_picks_the_format(accept: str, expected: formats.Format) -> None:
    assert formats.negotiate(accept) is expected


def test_accept_header_without_an_offered_format_is_refused() -> None:
    with pytest.raises(ApiError, match="expected one of"):
        formats.negotiate("image/png")
