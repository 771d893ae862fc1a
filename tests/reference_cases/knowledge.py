"""What was known when: late, amended, cancelled, measured against closes (DOMAIN.md 2.4, 2.5)."""

from __future__ import annotations

from fractions import Fraction

from tests.reference_cases.identity import ONE, owners
from tests.reference_cases.vocabulary import (
    ALWAYS,
    NSE,
    Case,
    Factor,
    Means,
    Published,
    Restated,
)

KNOWN = NSE.at(ALWAYS)
HALF = Fraction(1, 2)
LISTED = "2010-01-04"
START = NSE.at(LISTED)


def _announced() -> Case:
    key, ex, told = NSE.key("ANNOUNCED"), NSE.at("2020-06-10"), NSE.at("2020-05-01 18:00")
    return Case(
        "announced and not yet effective",
        (
            NSE.listed("ANNOUNCED", on=LISTED),
            NSE.split(
                "ANNOUNCED", 10, 1, ex="2020-06-10", known="2020-05-01 18:00", status="ANNOUNCED"
            ),
        ),
        (
            Means(key, told, told, price=ONE),
            Means(key, ex - 1, told, price=ONE),
            Means(key, ex, told, price=Fraction(1, 10), share=Fraction(10)),
            Means(key, ex, told - 1, price=ONE),
            Published(key, ((START, "LISTED", ONE), (ex, "LISTED", Fraction(1, 10)))),
        ),
    )


def _late() -> Case:
    key, ex, told = NSE.key("LATE"), NSE.at("2020-06-10"), NSE.at("2020-06-12 10:00")
    return Case(
        "action learnt two days late",
        (
            NSE.listed("LATE", on=LISTED),
            NSE.split("LATE", 2, 1, ex="2020-06-10", known="2020-06-12 10:00"),
        ),
        (
            Means(key, ex, told - 1, price=ONE),
            Means(key, ex - 1, told, price=ONE),
            Means(key, ex, told, price=HALF, share=Fraction(2)),
            Published(key, ((START, "LISTED", ONE), (told, "LISTED", HALF))),
            Restated(key, ex, told),
        ),
    )


def _late_after_a_rename() -> Case:
    # The range of a late action is cut by a rename: each key has its part of it.
    old, new = NSE.key("LATEOLD"), NSE.key("LATENEW")
    ex, renamed, told = NSE.at("2020-06-10"), NSE.at("2020-06-12"), NSE.at("2020-06-15 10:00")
    return Case(
        "late action before a rename",
        (
            NSE.listed("LATEOLD", on=LISTED),
            NSE.renamed("LATEOLD", "LATENEW", on="2020-06-12"),
            NSE.split("LATENEW", 2, 1, ex="2020-06-10", known="2020-06-15 10:00"),
        ),
        (
            Means(old, ex, told, price=HALF),
            Means(new, renamed, told, price=HALF),
            Means(new, renamed, told - 1, price=ONE),
            Restated(old, ex, renamed),
            Restated(new, renamed, told),
        ),
    )


def _amended_before() -> Case:
    # The ex-date moves twice, and a dividend fills the day that was left.
    key = NSE.key("AMENDED")
    first, second, dividend = NSE.at("2020-06-10"), NSE.at("2020-06-12"), NSE.at("2020-06-01")
    paid = Fraction(98, 100)
    ids = {"action_id": "AMENDED s"}
    return Case(
        "amended ex-date",
        (
            NSE.listed("AMENDED", on=LISTED),
            NSE.split("AMENDED", 2, 1, ex="2020-06-10", known="2020-05-01", version=1, **ids),
            NSE.split(
                "AMENDED",
                2,
                1,
                ex="2020-06-12",
                known="2020-05-05",
                version=2,
                status="AMENDED",
                **ids,
            ),
            NSE.dividend("AMENDED", 2, ex="2020-06-01", known="2020-05-20", reference_price=100),
        ),
        (
            Means(key, first, NSE.at("2020-05-04"), price=HALF),
            Means(key, first, NSE.at("2020-05-05"), price=ONE),
            Means(key, dividend, KNOWN, price=paid),
            Means(key, first, KNOWN, price=paid),
            Means(key, second, KNOWN, price=paid / 2, share=Fraction(2)),
            Published(
                key,
                (
                    (START, "LISTED", ONE),
                    (dividend, "LISTED", paid),
                    (first, "LISTED", paid),
                    (second, "LISTED", paid / 2),
                ),
            ),
        ),
    )


def _amended_after() -> Case:
    """Both ex-dates have passed: what was said from the first one on is restated."""
    key = NSE.key("AMENDLATE")
    first, second, told = NSE.at("2020-06-10"), NSE.at("2020-06-12"), NSE.at("2020-06-15 10:00")
    ids = {"action_id": "AMENDLATE s"}
    return Case(
        "ex-date amended after it had passed",
        (
            NSE.listed("AMENDLATE", on=LISTED),
            NSE.split("AMENDLATE", 2, 1, ex="2020-06-10", known="2020-05-01", version=1, **ids),
            NSE.split(
                "AMENDLATE", 2, 1, ex="2020-06-12", known="2020-06-15 10:00", version=2, **ids
            ),
        ),
        (
            Means(key, first, told - 1, price=HALF),
            Means(key, first, told, price=ONE),
            Means(key, second, told, price=HALF),
            Restated(key, first, told),
        ),
    )


def _cancelled() -> list[Case]:
    cases = []
    for symbol, known, more in (
        ("CANCELLED", "2020-06-01", ()),
        (
            "CANCELLATE",
            "2020-06-12 10:00",
            (Restated(NSE.key("CANCELLATE"), NSE.at("2020-06-10"), NSE.at("2020-06-12 10:00")),),
        ),
    ):
        key, ex, ids = NSE.key(symbol), NSE.at("2020-06-10"), {"action_id": f"{symbol} s"}
        cases.append(
            Case(
                f"cancelled {known}",
                (
                    NSE.listed(symbol, on=LISTED),
                    NSE.split(symbol, 2, 1, ex="2020-06-10", known="2020-05-01", version=1, **ids),
                    NSE.split(
                        symbol,
                        2,
                        1,
                        ex="2020-06-10",
                        known=known,
                        version=2,
                        status="CANCELLED",
                        **ids,
                    ),
                ),
                (
                    Means(key, ex, NSE.at(known) - 1, price=HALF),
                    Means(key, ex, KNOWN, price=ONE, share=ONE),
                    *more,
                ),
            )
        )
    return cases


def _provisional() -> Case:
    # A dividend waits for the last close before it: each evening brings a better guess.
    listing, key = NSE.listing("PROVISIONAL", LISTED), NSE.key("PROVISIONAL")
    ex = NSE.at("2020-06-10")

    def factor(close: str) -> Fraction:
        return 1 - Fraction("0.5") / Fraction(close)

    return Case(
        "provisional factor becomes final",
        (
            NSE.listed("PROVISIONAL", on=LISTED),
            NSE.dividend("PROVISIONAL", "0.5", ex="2020-06-10", known="2020-05-01"),
            NSE.close(listing, "2020-06-08", "40"),
            NSE.close(listing, "2020-06-09", "34.75"),
            NSE.close(listing, "2020-06-10", "34.10"),
        ),
        (
            Factor(listing, "2020-06-10", NSE.at("2020-06-01"), ONE, ONE, "MISSING_CLOSE"),
            Factor(
                listing, "2020-06-10", NSE.at("2020-06-08 18:00"), factor("40"), ONE, "PROVISIONAL"
            ),
            Factor(
                listing,
                "2020-06-10",
                NSE.at("2020-06-09 18:00"),
                factor("34.75"),
                ONE,
                "PROVISIONAL",
            ),
            Factor(listing, "2020-06-10", ex, factor("34.75"), ONE, "FINAL"),
            Means(key, ex, ex, price=factor("34.75")),
            Means(key, ex, NSE.at("2020-06-08 18:00"), price=factor("40")),
            Means(key, ex - 1, KNOWN, price=ONE),
        ),
    )


def _missing_close() -> Case:
    """No close is known on the ex-date; the bars of the day before come three days later."""
    listing, key = NSE.listing("NOCLOSE", LISTED), NSE.key("NOCLOSE")
    ex, told = NSE.at("2020-06-10"), NSE.at("2020-06-13 09:00")
    factor = Fraction(95, 100)
    return Case(
        "missing close",
        (
            NSE.listed("NOCLOSE", on=LISTED),
            NSE.dividend("NOCLOSE", 5, ex="2020-06-10", known="2020-05-01"),
            NSE.close(listing, "2020-06-09", 100, known="2020-06-13 09:00"),
        ),
        (
            Factor(listing, "2020-06-10", ex, ONE, ONE, "MISSING_CLOSE"),
            Means(key, ex, told - 1, price=ONE),
            Factor(listing, "2020-06-10", told, factor, ONE, "FINAL"),
            Means(key, ex, told, price=factor),
            Restated(key, ex, told),
        ),
    )


def _old_close() -> Case:
    # The stock was suspended: the last close is a month old, so the factor stays provisional.
    listing = NSE.listing("SUSPENDED", LISTED)
    return Case(
        "old close",
        (
            NSE.listed("SUSPENDED", on=LISTED),
            NSE.dividend("SUSPENDED", 5, ex="2020-06-10", known="2020-05-01"),
            NSE.close(listing, "2020-05-08", 100),
        ),
        (
            Factor(
                listing,
                "2020-06-10",
                KNOWN,
                Fraction(95, 100),
                ONE,
                "PROVISIONAL",
            ),
        ),
    )


def _measured_anew() -> Case:
    # An amended ex-date is measured against the close of its own day before.
    listing, key = NSE.listing("REMEASURED", LISTED), NSE.key("REMEASURED")
    first, second, told = NSE.at("2020-06-10"), NSE.at("2020-06-12"), NSE.at("2020-06-15 10:00")
    ids = {"action_id": "REMEASURED d"}
    return Case(
        "amended dividend is measured anew",
        (
            NSE.listed("REMEASURED", on=LISTED),
            NSE.dividend("REMEASURED", 5, ex="2020-06-10", known="2020-05-01", version=1, **ids),
            NSE.close(listing, "2020-06-09", 100),
            NSE.close(listing, "2020-06-10", 96),
            NSE.close(listing, "2020-06-11", 125),
            NSE.dividend(
                "REMEASURED", 5, ex="2020-06-12", known="2020-06-15 10:00", version=2, **ids
            ),
        ),
        (
            Means(key, first, told - 1, price=Fraction(95, 100)),
            Means(key, first, told, price=ONE),
            Means(key, second, told, price=Fraction(120, 125)),
            Restated(key, first, told),
        ),
    )


def _late_rename() -> Case:
    # A rename learnt a day late restates the mapping of both keys.
    old, new = NSE.key("LATEREN"), NSE.key("LATERENNEW")
    listing, day, told = NSE.listing("LATEREN", LISTED), NSE.at("2020-06-10"), NSE.at("2020-06-11")
    return Case(
        "rename learnt a day late",
        (
            NSE.listed("LATEREN", on=LISTED),
            NSE.renamed("LATEREN", "LATERENNEW", on="2020-06-10", known="2020-06-11"),
        ),
        (
            Means(old, day, told - 1, listing=listing),
            Means(old, day, told, "NOT_LISTED", ""),
            Means(new, day, told, listing=listing),
            Published(new, ((told, "LISTED", ONE),)),
            Restated(old, day, told, "MAPPING"),
            Restated(new, day, told, "MAPPING"),
        ),
    )


def _corrected_rename() -> Case:
    # The date of a rename is corrected before it comes, and the rename is given up at last.
    ids = {"fact_id": "CORRECT r"}
    old, new = "CORRECT", "CORRECTNEW"
    first = NSE.listing(old, LISTED)
    return Case(
        "rename corrected, then taken back",
        (
            NSE.listed(old, on=LISTED),
            NSE.renamed(old, new, on="2020-06-10", known="2020-05-01", version=1, **ids),
            NSE.renamed(old, new, on="2020-06-12", known="2020-05-05", version=2, **ids),
            NSE.renamed(
                old, new, on="2020-06-12", known="2020-06-15", version=3, status="CANCELLED", **ids
            ),
        ),
        (
            *owners(NSE, old, ("2020-06-11", first), ("2020-06-20", first)),
            *owners(NSE, new, ("2020-06-11", ""), ("2020-06-20", "")),
            Means(NSE.key(old), NSE.at("2020-06-12"), NSE.at("2020-06-14"), "NOT_LISTED"),
            Means(NSE.key(new), NSE.at("2020-06-12"), NSE.at("2020-06-14"), listing=first),
            Restated(NSE.key(old), NSE.at("2020-06-12"), NSE.at("2020-06-15"), "MAPPING"),
            Restated(NSE.key(new), NSE.at("2020-06-12"), NSE.at("2020-06-15"), "MAPPING"),
        ),
    )


def _overwritten() -> Case:
    # A rename moves on by two days, and a split comes before both: the day it left says so too.
    ids = {"fact_id": "OVERWRITE r"}
    old, new = "OVERWRITE", "OVERWRITTEN"
    left, day, ex = NSE.at("2020-06-10"), NSE.at("2020-06-12"), NSE.at("2020-06-01")
    return Case(
        "a day that a correction left",
        (
            NSE.listed(old, on=LISTED),
            NSE.renamed(old, new, on="2020-06-10", known="2020-05-01", version=1, **ids),
            NSE.renamed(old, new, on="2020-06-12", known="2020-05-05", version=2, **ids),
            NSE.split(old, 2, 1, ex="2020-06-01", known="2020-05-20"),
        ),
        (
            Means(NSE.key(old), left, KNOWN, price=HALF),
            Means(NSE.key(new), day, KNOWN, price=HALF),
            Published(
                NSE.key(old),
                (
                    (START, "LISTED", ONE),
                    (ex, "LISTED", HALF),
                    (left, "LISTED", HALF),
                    (day, "NOT_LISTED", ONE),
                ),
            ),
        ),
    )


CASES: tuple[Case, ...] = (
    _announced(),
    _late(),
    _late_after_a_rename(),
    _amended_before(),
    _amended_after(),
    *_cancelled(),
    _provisional(),
    _missing_close(),
    _old_close(),
    _measured_anew(),
    _late_rename(),
    _corrected_rename(),
    _overwritten(),
)
