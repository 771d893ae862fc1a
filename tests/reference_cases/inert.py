"""Actions that are kept and not applied: without terms, or with terms that cannot be."""

from __future__ import annotations

from fractions import Fraction

from tests.reference_cases.adjustments import HALF, KNOWN, LISTED, needs_terms, one_day
from tests.reference_cases.identity import ONE
from tests.reference_cases.vocabulary import NSE, Case, Means, Refused


def _no_factor() -> list[Case]:
    ex = "2020-06-10"
    kept = {
        "split without terms": NSE.action("SPLIT", "OPENSPLIT", ex=ex, known="2020-05-01"),
        "split with half its terms": NSE.action(
            "SPLIT", "HALFSPLIT", ex=ex, known="2020-05-01", ratio_numerator=2
        ),
        "dividend without an amount": NSE.action(
            "CASH_DIVIDEND", "OPENDIV", ex=ex, known="2020-05-01"
        ),
        "capital reduction without terms": NSE.action(
            "CAPITAL_REDUCTION", "OPENCUT", ex=ex, known="2020-05-01"
        ),
    }
    inert = NSE.action("OTHER", "MEETING", ex=ex, known="2020-05-01", purpose="Buy Back")
    return [
        *(needs_terms(name, one.symbol or "", ex, one) for name, one in kept.items()),
        one_day("an event without a factor", "MEETING", ex, (inert,), (ONE, ONE, ONE)),
    ]


def _nonpositive() -> list[Case]:
    # A dividend of all there is, terms of nothing, an infinite amount: kept for a person.
    ex, known, symbol = "2020-06-10", "2020-05-01", "NOTHINGLEFT"
    refused = (
        NSE.dividend(symbol, 60, ex=ex, known=known, reference_price=50, action_id="NL 1"),
        NSE.dividend(symbol, 50, ex=ex, known=known, reference_price=50, action_id="NL 2"),
        NSE.split(symbol, 0, 1, ex=ex, known=known, action_id="NL 3"),
        NSE.split(symbol, -2, 1, ex=ex, known=known, action_id="NL 4"),
        NSE.dividend(symbol, "Infinity", ex=ex, known=known, reference_price=50, action_id="NL 5"),
        NSE.dividend(symbol, -1, ex=ex, known=known, reference_price=50, action_id="NL 6"),
    )
    listing = NSE.listing("NOTHINGCLOSE", LISTED)
    from_closes = (
        NSE.split("NOTHINGCLOSE", 2, 1, ex=ex, known=known),
        NSE.dividend("NOTHINGCLOSE", 60, ex=ex, known=known),
        NSE.close(listing, "2020-06-09", 50),
    )
    return [
        Case(
            "factors that are not above 0",
            (NSE.listed(symbol, on=LISTED), *refused),
            (
                *(Refused(one, "FACTOR_NONPOSITIVE", ("NL",)) for one in refused),
                Means(NSE.key(symbol), NSE.at(ex), KNOWN, price=ONE),
            ),
        ),
        # The split of the day is no reason to doubt; the dividend is kept and not applied.
        one_day(
            "a dividend above the close, and a split",
            "NOTHINGCLOSE",
            ex,
            from_closes,
            (HALF, HALF, Fraction(2)),
            "NEEDS_TERMS",
        ),
    ]


CASES: tuple[Case, ...] = (*_no_factor(), *_nonpositive())
