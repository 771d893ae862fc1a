"""The factors of real actions, exactly (DOMAIN.md 2.1 to 2.3)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from asknown.reference.records import Close, RawAction, RawSecurity
from tests.reference_cases.identity import ONE
from tests.reference_cases.vocabulary import (
    ALWAYS,
    NASDAQ,
    NSE,
    Accepted,
    Case,
    Exchange,
    Expectation,
    Factor,
    Means,
    Restated,
)

KNOWN = NSE.at(ALWAYS)
HALF = Fraction(1, 2)


def one_day(
    name: str,
    symbol: str,
    ex: str,
    actions: tuple[RawAction | Close, ...],
    factors: tuple[Fraction, Fraction, Fraction],
    status: str = "FINAL",
    exchange: Exchange = NSE,
    more: tuple[Expectation, ...] = (),
    columns: dict[str, object] | None = None,
) -> Case:
    """Return a case whose listing has actions on one ex-date: (price, split, share) follow."""
    listing, key = exchange.listing(symbol, LISTED), exchange.key(symbol)
    price, split, share = factors
    day = exchange.at(ex)
    return Case(
        name,
        (exchange.listed(symbol, on=LISTED), *actions),
        (
            Means(key, day - 1, KNOWN, listing=listing, price=ONE, split=ONE, share=ONE),
            Means(key, day, KNOWN, listing=listing, price=price, split=split, share=share),
            Factor(listing, ex, KNOWN, price, share, status, columns or {}),
            *more,
        ),
    )


LISTED = "1999-01-04"


def _shares(kind: str, symbol: str, terms: tuple[int, int], ex: str, share: Fraction) -> Case:
    known = f"{int(ex[:4]) - 1}{ex[4:]}"
    action = NSE.action(
        kind, symbol, ex=ex, known=known, ratio_numerator=terms[0], ratio_denominator=terms[1]
    )
    factors = (1 / share, 1 / share, share)
    return one_day(
        f"{kind} {terms[0]}:{terms[1]} {symbol}",
        symbol,
        ex,
        (action,),
        factors,
        columns={"method": "RATIO", "reference_price": None},
    )


SHARES = (
    _shares("SPLIT", "SPLITTEN", (10, 1), "2020-06-10", Fraction(10)),
    _shares("SPLIT", "CONSOLIDATED", (1, 10), "2020-06-10", Fraction(1, 10)),
    _shares("SPLIT", "GBSN", (1, 35000), "2017-05-08", Fraction(1, 35000)),
    _shares("BONUS", "BONUSONE", (1, 1), "2020-06-10", Fraction(2)),
    _shares("BONUS", "BONUSHALF", (1, 2), "2020-06-10", Fraction(3, 2)),
    _shares("BONUS", "BONUSFOUR", (4, 1), "2020-06-10", Fraction(5)),
    _shares("STOCK_DIVIDEND", "STOCKDIV", (5, 100), "2020-06-10", Fraction(21, 20)),
    _shares("CAPITAL_REDUCTION", "REDUCED", (1, 4), "2020-06-10", Fraction(1, 4)),
)


def _msft() -> list[Case]:
    # The special dividend of 2004 by both methods, each against the close its source gives.
    ex, paid = "2004-11-15", Fraction("3.08")
    cases = []
    for symbol, method, close, factor, published in (
        ("MSFT", "PREV_CLOSE", "29.97", 1 - paid / Fraction("29.97"), 0.897231),
        ("MSFT.W", "EX_CLOSE", "27.39", Fraction("27.39") / (Fraction("27.39") + paid), 0.898917),
    ):
        assert abs(float(factor) - published) < 5e-7
        action = NASDAQ.dividend(
            symbol,
            "3.08",
            ex=ex,
            known="2004-07-20",
            kind="SPECIAL_DIVIDEND",
            method=method,
            reference_price=close,
        )
        cases.append(
            one_day(
                f"special dividend {method} {symbol}",
                symbol,
                ex,
                (action,),
                (factor, ONE, ONE),
                exchange=NASDAQ,
                columns={"method": method, "reference_price": Decimal(close)},
            )
        )
    return cases


def _aapl() -> list[Case]:
    # The dividend of 2012 by both methods, measured against the daily closes.
    ex, paid = "2012-08-09", Fraction("2.65")
    cases = []
    for symbol, method, close, on, factor, published in (
        ("AAPL", None, "619.86", "2012-08-08", 1 - paid / Fraction("619.86"), 0.995725),
        (
            "AAPL.W",
            "EX_CLOSE",
            "620.73",
            "2012-08-09",
            Fraction("620.73") / (Fraction("620.73") + paid),
            0.995749,
        ),
    ):
        assert abs(float(factor) - published) < 5e-7
        listing = NASDAQ.listing(symbol, LISTED)
        ex_known = NASDAQ.at("2012-08-09 18:00") if method else NASDAQ.at(ex)
        known = (
            NASDAQ.dividend(symbol, "2.65", ex=ex, known="2012-07-24", method=method),
            NASDAQ.close(listing, "2012-08-07", "620.91"),
            NASDAQ.close(listing, "2012-08-08", "619.86"),
            NASDAQ.close(listing, "2012-08-09", "620.73"),
            NASDAQ.close(listing, "2012-08-10", "621.70"),
        )
        case = one_day(
            f"dividend {method} from closes {symbol}",
            symbol,
            ex,
            known,
            (factor, ONE, ONE),
            exchange=NASDAQ,
            columns={
                "method": method or "PREV_CLOSE",
                "reference_price": Decimal(close),
                "reference_date": date.fromisoformat(on),
            },
        )
        key = NASDAQ.key(symbol)
        more: tuple[Expectation, ...] = (Means(key, NASDAQ.at(ex), ex_known, price=factor),)
        if method:  # nobody knows the close of the day before it is over
            more += (
                Means(key, NASDAQ.at(ex), ex_known - 1, price=ONE),
                Restated(key, NASDAQ.at(ex), ex_known),
            )
        cases.append(Case(case.name, case.records, (*case.expected, *more)))
    return cases


def _cccl() -> Case:
    factor = 1 - Fraction("0.5") / Fraction("34.75")
    action = NSE.dividend(
        "CCCLX", "0.5", ex="2012-08-01", known="2012-07-01", reference_price="34.75"
    )
    return one_day("dividend CCCL", "CCCLX", "2012-08-01", (action,), (factor, ONE, ONE))


def _rights() -> list[Case]:
    """173 new shares for 100 at face value 2 and premium 15, the stock at 60."""
    factor = Fraction(100 * 60 + 173 * 17, 273) / 60
    assert abs(float(factor) - 0.545849) < 5e-7
    ex = "2013-09-18"
    taken = NSE.rights("RIGHTS", 173, 100, at=17, ex=ex, known="2013-09-01", reference_price=60)
    dear = NSE.rights("RIGHTSDEAR", 1, 4, at=60, ex=ex, known="2013-09-01", reference_price=60)
    priceless = NSE.action(
        "RIGHTS",
        "RIGHTSOPEN",
        ex=ex,
        known="2013-09-01",
        ratio_numerator=1,
        ratio_denominator=4,
        reference_price=Decimal(60),
    )
    return [
        one_day(
            "rights 173:100",
            "RIGHTS",
            ex,
            (taken,),
            (factor, factor, 1 / factor),
            columns={"method": "TERP"},
        ),
        one_day("rights above the market", "RIGHTSDEAR", ex, (dear,), (ONE, ONE, ONE)),
        needs_terms("rights without a price", "RIGHTSOPEN", ex, priceless),
    ]


def needs_terms(name: str, symbol: str, ex: str, action: RawAction) -> Case:
    return one_day(
        name,
        symbol,
        ex,
        (action,),
        (ONE, ONE, ONE),
        "NEEDS_TERMS",
        more=(Accepted(action, {"status": "NEEDS_TERMS"}),),
    )


def _demergers() -> list[Case]:
    """Jio Financial leaves Reliance: 2841.85 before, 2580 found in the special pre-open."""
    ex = "2023-07-20"
    factor = Fraction("2580") / Fraction("2841.85")
    assert abs(float(factor) - 0.907859) < 5e-7
    priced = NSE.demerger(
        "RELIANCE", "261.85", ex=ex, known="2023-07-20", reference_price="2841.85"
    )
    crsp = NSE.demerger(
        "RELIANCE.W",
        "261.85",
        ex=ex,
        known="2023-07-20",
        method="EX_CLOSE",
        reference_price=2580,
    )
    open_ended = NSE.demerger("RELIANCE.O", None, ex=ex, known="2023-07-10", purpose="Demerger")
    later = NSE.demerger(
        "RELIANCE.L",
        "261.85",
        ex=ex,
        known="2023-07-20",
        reference_price="2841.85",
        action_id="RELIANCE.L d",
        version=2,
    )
    first = NSE.demerger(
        "RELIANCE.L", None, ex=ex, known="2023-07-10", action_id="RELIANCE.L d", version=1
    )
    other = Fraction(2580) / (2580 + Fraction("261.85"))
    return [
        one_day("demerger RIL", "RELIANCE", ex, (priced,), (factor, ONE, ONE)),
        one_day("demerger RIL EX_CLOSE", "RELIANCE.W", ex, (crsp,), (other, ONE, ONE)),
        needs_terms("demerger without a value", "RELIANCE.O", ex, open_ended),
        one_day(
            "demerger valued later",
            "RELIANCE.L",
            ex,
            (first, later),
            (factor, ONE, ONE),
            more=(
                Factor(
                    NSE.listing("RELIANCE.L", LISTED),
                    ex,
                    NSE.at("2023-07-19"),
                    ONE,
                    ONE,
                    "NEEDS_TERMS",
                ),
            ),
        ),
    ]


def _several() -> list[Case]:
    ex = "2025-06-16"
    bajaj = (
        NSE.split("BAJFINANCE", 2, 1, ex=ex, known="2025-04-30"),
        NSE.bonus("BAJFINANCE", 4, 1, ex=ex, known="2025-04-30"),
    )
    both = (
        NSE.split("DIVSPLIT", 2, 1, ex=ex, known="2025-04-30"),
        NSE.dividend("DIVSPLIT", 2, ex=ex, known="2025-04-30", reference_price=100),
    )
    # 1.50 and 1 come out of one close together: 97.5 of 100, not 98.5 % of 99 %.
    twice = (
        NSE.dividend("DIVTWICE", "1.50", ex=ex, known="2025-04-30", reference_price=100),
        NSE.dividend(
            "DIVTWICE", 1, ex=ex, known="2025-04-30", reference_price=100, kind="SPECIAL_DIVIDEND"
        ),
    )
    return [
        one_day(
            "split and bonus BAJFINANCE",
            "BAJFINANCE",
            ex,
            bajaj,
            (Fraction(1, 10), Fraction(1, 10), Fraction(10)),
        ),
        one_day(
            "dividend and split on one day",
            "DIVSPLIT",
            ex,
            both,
            (Fraction(49, 100), HALF, Fraction(2)),
            columns={"method": "RATIO+PREV_CLOSE"},
        ),
        one_day(
            "dividend and special dividend on one day",
            "DIVTWICE",
            ex,
            twice,
            (Fraction(975, 1000), ONE, ONE),
        ),
    ]


def _option() -> Case:
    """Strike and lot of a contract follow the 1:1 bonus of its underlying."""
    known, ex = NSE.at(ALWAYS), NSE.at("2024-12-03")
    contract = "NSE:FO:WIPRO24DEC560CE"
    terms: dict[str, Any] = {
        "security_class": "OPT",
        "underlying_symbol": "WIPRO",
        "strike": Decimal(560),
        "lot_size": Decimal(1500),
        "option_type": "CALL",
    }
    listing = NSE.listing("WIPRO24DEC560CE", "2024-09-27", "OPT")
    listed = NSE.listed(contract, on="2024-09-27", **terms)
    records: tuple[RawSecurity | RawAction, ...] = (
        NSE.listed("WIPRO", on=LISTED, isin="INE075A01022"),
        listed,
        NSE.bonus("WIPRO", 1, 1, ex="2024-12-03", known="2024-11-18"),
        NSE.delisted(contract, on="2024-12-27"),
    )
    old = {"strike": Decimal(560), "lot_size": Decimal(1500), "security_class": "OPT"}
    new = {"strike": Decimal(280), "lot_size": Decimal(3000), "security_class": "OPT"}
    return Case(
        "option contract follows a bonus",
        records,
        (
            Accepted(listed, {"underlying_id": NSE.listing("WIPRO", LISTED)}),
            Means(contract, ex - 1, known, listing=listing, price=ONE, columns=old),
            Means(contract, ex, known, listing=listing, price=ONE, share=ONE, columns=new),
            Means(contract, ex, NSE.at("2024-11-17"), columns=old),
            Means(contract, NSE.at("2024-12-27"), known, "DELISTED", listing),
            Means(NSE.key("WIPRO"), ex, known, price=HALF, share=Fraction(2)),
        ),
    )


CASES: tuple[Case, ...] = (
    *SHARES,
    *_msft(),
    *_aapl(),
    _cccl(),
    *_rights(),
    *_demergers(),
    *_several(),
    _option(),
)
