"""Purpose strings of an exchange: those of DOMAIN.md section 2.6, and what they do not say."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.reference.actions import ActionKind
from asknown.reference.purpose import (
    Flag,
    ParsedAction,
    face_value_on,
    parse,
    subscription_price,
)


def only(purpose: str) -> ParsedAction:
    (action,) = parse(purpose).actions
    return action


@pytest.mark.parametrize(
    ("purpose", "amount"),
    [
        ("Dividend - Re 0.20 Per Share", "0.20"),
        ("Dividend - Re 1 Per Sh", "1"),
        ("Dividend - Rs 1.50/- Per Share", "1.50"),
        ("Intdividend - Rs 160 Per Share", "160"),
        ("Interim Dividend - Rs 65 Per Share", "65"),
        ("Final Dividend - Rs 7.5 Per Share", "7.5"),
        ("Annual General Meeting / Dividend - Rs 5/- Per Share", "5"),
        ("Annual General Meeting And Dividend Re.0.10 Per Share", "0.10"),
        ("Annual General Meeting/Dividend Re 1/- Per Equity Share", "1"),
        ("Dividend - Re 0.006 Per Share", "0.006"),
        ("DIVIDEND - RS.15/- PER SHARE", "15"),
        ("2nd Interim Dividend Re. 1", "1"),
        ("Dividend - Re .50", ".50"),
        ("Dividend - Rs 1,250.50 Per Share", "1250.50"),
        ("Dividend - Rs 5 Per Share (Purpose Revised)", "5"),
        ("  Dividend \u2013 Rs 5  Per Share ", "5"),
    ],
)
def test_dividend_is_read_with_its_amount(purpose: str, amount: str) -> None:
    action = only(purpose)
    assert (action.kind, action.cash_amount) == (ActionKind.CASH_DIVIDEND, Decimal(amount))
    assert not action.flags


def test_two_dividends_in_one_purpose_are_two_actions() -> None:
    parsed = parse("Dividend - Rs 1.50 Per Share/Special Dividend - Re 1 Per Share")
    assert [(one.kind, one.cash_amount) for one in parsed.actions] == [
        (ActionKind.CASH_DIVIDEND, Decimal("1.50")),
        (ActionKind.SPECIAL_DIVIDEND, Decimal(1)),
    ]
    assert not parsed.flags


@pytest.mark.parametrize(
    "purpose",
    [
        "Dividend - Re.1 Per Share",  # 1 or .1
        "Dividend - Re.50/- Per Share",
        "Special Dividend Re.5",
        "Dividend - Rs 1,2 Per Share",
    ],
)
def test_amount_that_reads_two_ways_stays_open(purpose: str) -> None:
    action = only(purpose)
    assert action.cash_amount is None
    assert action.flags == parse(purpose).flags == {Flag.AMBIGUOUS}


@pytest.mark.parametrize(
    ("purpose", "kind"),
    [
        ("Dividend", ActionKind.CASH_DIVIDEND),
        ("Interim Dividend - 15%", ActionKind.CASH_DIVIDEND),
        ("Special Dividend 150 %", ActionKind.SPECIAL_DIVIDEND),
        ("Dividend - Rs 0 Per Share", ActionKind.CASH_DIVIDEND),
        ("Bonus", ActionKind.BONUS),
        ("Bonus 0:1", ActionKind.BONUS),
        ("Bonus Debentures", ActionKind.OTHER),
        ("Bonus Ncrps 4:1", ActionKind.OTHER),
        ("Bonus Issue Of Preference Shares 1:1", ActionKind.OTHER),
        ("Rights Issue Of Non Convertible Debentures 1:10 @ Rs 100", ActionKind.OTHER),
        ("Rights 1:4", ActionKind.RIGHTS),
        ("Demerger", ActionKind.DEMERGER),
        ("Spin-Off", ActionKind.DEMERGER),
        ("Capital Reduction", ActionKind.CAPITAL_REDUCTION),
        ("Scheme Of Arrangement", ActionKind.OTHER),
        ("Face Value Split From Rs 0 To Re 1", ActionKind.SPLIT),
    ],
)
def test_kind_without_terms_is_never_given_any(purpose: str, kind: ActionKind) -> None:
    action = only(purpose)
    assert (action.kind, action.flags) == (kind, {Flag.MISSING_TERMS})
    assert (action.cash_amount, action.subscription_price, action.premium) == (None, None, None)


@pytest.mark.parametrize(
    ("purpose", "ratio"),
    [
        ("Bonus 1:1", (1, 1)),
        ("Bonus Issue 3:2", (3, 2)),
        ("Bonus Issue - 4 : 1", (4, 1)),
    ],
)
def test_bonus_is_new_shares_for_held_ones(purpose: str, ratio: tuple[int, int]) -> None:
    action = only(purpose)
    assert action.kind is ActionKind.BONUS
    assert (action.ratio_numerator, action.ratio_denominator) == ratio
    assert not action.flags


@pytest.mark.parametrize(
    ("purpose", "ratio", "values"),
    [
        (
            "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Re 1/- Per Share",
            (10, 1),
            (10, 1),
        ),
        (
            "Face Value Split (Sub-Division) - From Rs10/- Per Share To Rs 2/- Per Share",
            (5, 1),
            (10, 2),
        ),
        ("Face Value Split From Rs 2/- To Re 1/-", (2, 1), (2, 1)),
        ("Face Value Split From Rs.5/- To Rs.2/-", (5, 2), (5, 2)),
        # A face value of .1 is not lawful, so this one is not open.
        ("Face Value Split From Rs.10/- To Re.1/-", (10, 1), (10, 1)),
        (
            "Consolidation Of Shares From Re 1/- Per Share To Rs 10/- Per Share",
            (1, 10),
            (1, 10),
        ),
    ],
)
def test_face_values_give_the_split_in_lowest_terms(
    purpose: str, ratio: tuple[int, int], values: tuple[int, int]
) -> None:
    action = only(purpose)
    assert action.kind is ActionKind.SPLIT
    assert (action.ratio_numerator, action.ratio_denominator) == ratio
    assert (action.face_value_from, action.face_value_to) == values
    assert not action.flags


@pytest.mark.parametrize(
    "purpose",
    [
        "Face Value Split From Re 1 To Rs 10",
        "Consolidation Of Shares From Rs 10 To Re 1",
        "Face Value Split From Rs 10 To Rs 10",
    ],
)
def test_face_values_against_the_word_are_ambiguous(purpose: str) -> None:
    assert only(purpose).flags == {Flag.AMBIGUOUS}


def test_bonus_and_split_in_one_purpose_are_two_actions() -> None:
    parsed = parse("Bonus 1:1 And Face Value Split From Rs.10/- To Rs.5/-")
    assert [one.kind for one in parsed.actions] == [ActionKind.BONUS, ActionKind.SPLIT]
    assert [(one.ratio_numerator, one.ratio_denominator) for one in parsed.actions] == [
        (1, 1),
        (2, 1),
    ]


@pytest.mark.parametrize(
    ("purpose", "ratio", "premium", "price"),
    [
        ("Rights 173:100 @ Premium Rs.15/- Per Share", (173, 100), "15", None),
        ("Rights 1:4 @ Premium Rs 45/-", (1, 4), "45", None),
        ("Rights 1:5 At A Premium Of Rs 5", (1, 5), "5", None),
        ("Rights 2:3 @ Par", (2, 3), "0", None),
        ("Rights 19:100 at Rs 150", (19, 100), None, "150"),
    ],
)
def test_rights_keep_premium_and_price_apart(
    purpose: str, ratio: tuple[int, int], premium: str | None, price: str | None
) -> None:
    action = only(purpose)
    assert action.kind is ActionKind.RIGHTS
    assert (action.ratio_numerator, action.ratio_denominator) == ratio
    assert action.premium == (None if premium is None else Decimal(premium))
    assert action.subscription_price == (None if price is None else Decimal(price))
    assert not action.flags


def test_rights_with_an_open_premium_have_no_price() -> None:
    action = only("Rights 1:1 @ Premium Re.1/- Per Share")
    assert action.flags == {Flag.AMBIGUOUS}
    assert subscription_price(action, Decimal(10)) is None


def test_subscription_price_is_face_value_and_premium_unless_it_is_said() -> None:
    by_premium = only("Rights 173:100 @ Premium Rs.15/- Per Share")
    assert subscription_price(by_premium, Decimal(2)) == 17
    assert subscription_price(by_premium, None) is None
    assert subscription_price(only("Rights 19:100 at Rs 150"), Decimal(2)) == 150


@pytest.mark.parametrize(
    ("purpose", "kind"),
    [
        ("Merger", ActionKind.MERGER),
        ("Amalgamation", ActionKind.MERGER),
        ("Buy Back", ActionKind.OTHER),
        ("Buyback of Shares", ActionKind.OTHER),
    ],
)
def test_event_without_a_factor_needs_no_terms(purpose: str, kind: ActionKind) -> None:
    assert (only(purpose).kind, only(purpose).flags) == (kind, frozenset())


@pytest.mark.parametrize(
    "purpose",
    [
        "Annual General Meeting",
        "Annual General Meeting (Bc Dates Revised)",
        "Extra Ordinary General Meeting",
        "AGM/EGM",
    ],
)
def test_meeting_is_no_event(purpose: str) -> None:
    assert parse(purpose) == parse("Annual General Meeting")
    assert parse(purpose).actions == ()


@pytest.mark.parametrize(
    "purpose",
    [
        "",
        "-",
        "Something New",
        "Dividend - Rs 5 Per Share On Preference Shares",
        "Bonus 1:1 For Promoters",
        "Rights 1:4 @ Premium Rs 45/- Payable In Two Calls",
        "Dividend Rs 5 Rs 6",
    ],
)
def test_unknown_words_leave_the_whole_part_unparsed(purpose: str) -> None:
    action = only(purpose)
    assert (action.kind, action.flags) == (ActionKind.OTHER, {Flag.UNPARSED})
    assert (action.cash_amount, action.ratio_numerator) == (None, None)
    assert action.text in purpose


def test_unknown_part_does_not_take_the_known_one_with_it() -> None:
    parsed = parse("Dividend - Rs 5 Per Share/Something New")
    assert [one.kind for one in parsed.actions] == [ActionKind.CASH_DIVIDEND, ActionKind.OTHER]
    assert parsed.actions[0].cash_amount == 5
    assert not parsed.actions[0].flags
    assert parsed.flags == {Flag.UNPARSED}


HISTORY = [
    (date(2010, 5, 3), Decimal(10), Decimal(5)),
    (date(2026, 1, 2), Decimal(5), Decimal(2)),
]


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(2009, 1, 1), 10),
        (date(2010, 5, 3), 10),
        (date(2010, 5, 4), 5),
        (date(2026, 1, 2), 5),
        (date(2026, 1, 3), 2),
    ],
)
def test_face_value_is_the_one_before_the_day(day: date, value: int) -> None:
    assert face_value_on(HISTORY, day) == value
    assert face_value_on(reversed(HISTORY), day) == value


def test_face_value_is_open_without_a_history_or_with_a_gap_in_it() -> None:
    assert face_value_on([], date(2020, 1, 1)) is None
    gap = [HISTORY[0], (date(2026, 1, 2), Decimal(1), Decimal(2))]
    assert face_value_on(gap, date(2020, 1, 1)) is None


words = st.sampled_from(
    ["Dividend", "Bonus", "Rights", "Rs", "Re.", "1:1", "5/-", "@", "Premium", "From", "To", "-"]
    + ["Face Value Split", "Per Share", "/", "And", "(Revised)", ".5", "%", "Debentures", "Special"]
)
purposes = st.one_of(st.text(max_size=60), st.lists(words, max_size=12).map(" ".join))


@given(purposes)
def test_any_text_has_an_answer_and_terms_only_when_it_is_clear(purpose: str) -> None:
    parsed = parse(purpose)
    assert parsed.flags == frozenset().union(*(one.flags for one in parsed.actions))
    for action in parsed.actions:
        if Flag.UNPARSED in action.flags:
            assert action == ParsedAction(
                ActionKind.OTHER, action.text, flags=frozenset({Flag.UNPARSED})
            )
        for term in (action.ratio_numerator, action.ratio_denominator, action.cash_amount):
            assert term is None or term > 0


clear = st.sampled_from(
    ["Dividend - Rs 5 Per Share", "Bonus 1:1", "Merger", "Rights 19:100 at Rs 150", "Nonsense"]
    + ["Face Value Split From Rs.10/- To Rs.5/-", "Annual General Meeting", "Dividend - Re.1"]
)
joints = st.sampled_from(["/", " / ", " And ", " and ", " & ", "; ", ", "])


@given(st.lists(clear, min_size=1, max_size=4), joints)
def test_joined_purposes_are_the_sum_of_their_parts(parts: list[str], joint: str) -> None:
    apart = [action for part in parts for action in parse(part).actions]
    assert list(parse(joint.join(parts)).actions) == apart


@given(st.integers(1, 10**10), st.integers(0, 4), st.sampled_from(["", "/-"]))
def test_written_amount_is_read_exactly(units: int, places: int, dash: str) -> None:
    amount = Decimal(units).scaleb(-places)
    assert only(f"Dividend - Rs {amount:f}{dash} Per Share").cash_amount == amount
