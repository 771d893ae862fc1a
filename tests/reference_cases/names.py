"""What belongs to a name: ISIN, series, venue, letters (DOMAIN.md 1.2: 9-12, 14, 15, 18, 19)."""

from __future__ import annotations

from fractions import Fraction

from tests.reference_cases.identity import ONE, owners
from tests.reference_cases.vocabulary import (
    ALWAYS,
    NSE,
    SIMULATED,
    Accepted,
    Agrees,
    Case,
    Factor,
    Means,
    Published,
    Resolves,
    Restated,
)

KNOWN = NSE.at(ALWAYS)


def _face_value_split(
    symbol: str, listed: str, isins: tuple[str, str], split: tuple[int, str]
) -> Case:
    """Return a split of `split[0]` for one on a day that renews the ISIN."""
    (old, new), (ratio, day) = isins, split
    listing, key = NSE.listing(symbol, listed), NSE.key(symbol)
    before, ex = NSE.at(day) - 1, NSE.at(day)
    told = NSE.split(symbol, ratio, 1, ex=day, known="2025-09-20", isin=old)
    return Case(
        f"09 new ISIN at a face-value split {symbol}",
        (
            NSE.listed(symbol, on=listed, isin=old),
            told,
            NSE.got_isin(symbol, new, on=day, known="2025-10-01"),
        ),
        (
            Accepted(told, {"symbol": symbol, "isin": old}),
            Means(key, before, KNOWN, listing=listing, price=ONE, columns={"isin": old}),
            Means(
                key,
                ex,
                KNOWN,
                listing=listing,
                price=Fraction(1, ratio),
                share=Fraction(ratio),
                columns={"isin": new, "security_id": new[:9]},
            ),
            Means(key, before, KNOWN, columns={"security_id": new[:9], "issuer_id": new[:7]}),
            Resolves("ISIN", old, before, KNOWN, listings=(listing,)),
            Resolves("ISIN", old, ex, KNOWN, "CLOSED", (listing,)),
            Resolves("ISIN", new, ex, KNOWN, listings=(listing,)),
            Resolves("ISIN", new, ex, NSE.at("2025-09-30"), "UNKNOWN"),
            Agrees(symbol, new, ex, KNOWN, "RESOLVED"),
            Agrees(symbol, old, ex, KNOWN, "CONFLICT"),
            Factor(listing, day, KNOWN, Fraction(1, ratio), Fraction(ratio)),
        ),
    )


def _iifl() -> Case:
    """Cases 10 and 11, and two actions of one day: the product of both is a quarter."""
    listing = NSE.listing("IIFLWAM", "2019-09-19")
    old, new = NSE.key("IIFLWAM"), NSE.key("360ONE")
    first, second = "INE466L01012", "INE466L01038"
    series, renamed, ex = NSE.at("2019-10-04"), NSE.at("2023-01-23"), NSE.at("2023-03-02")
    return Case(
        "10 11 IIFLWAM BE EQ 360ONE split and bonus",
        (
            NSE.listed("IIFLWAM", on="2019-09-19", isin=first, series="BE"),
            NSE.moved_to("IIFLWAM", "EQ", on="2019-10-04", known="2019-10-03"),
            NSE.renamed("IIFLWAM", "360ONE", on="2023-01-23", known="2023-01-20", isin=first),
            NSE.split("360ONE", 2, 1, ex="2023-03-02", known="2023-02-20"),
            NSE.bonus("360ONE", 1, 1, ex="2023-03-02", known="2023-02-20"),
            NSE.got_isin("360ONE", second, on="2023-03-02", known="2023-02-20"),
        ),
        (
            Means(old, series - 1, KNOWN, listing=listing, columns={"series": "BE"}),
            Means(old, series, KNOWN, listing=listing, columns={"series": "EQ"}),
            Means(new, renamed, KNOWN, listing=listing, columns={"series": "EQ", "isin": first}),
            Means(new, ex - 1, KNOWN, price=ONE),
            Means(
                new,
                ex,
                KNOWN,
                listing=listing,
                price=Fraction(1, 4),
                split=Fraction(1, 4),
                share=Fraction(4),
                columns={"isin": second, "series": "EQ"},
            ),
            Factor(listing, "2023-03-02", KNOWN, Fraction(1, 4), Fraction(4)),
            Resolves("SYMBOL", "IIFLWAM", series - 1, KNOWN, listings=(listing,), series="BE"),
            Resolves("SYMBOL", "IIFLWAM", series, KNOWN, listings=(listing,), series="EQ"),
            Resolves("SYMBOL", "IIFLWAM", series, KNOWN, "CLOSED", series="BE"),
            Resolves("SYMBOL", "IIFLWAM", series, KNOWN, listings=(listing,)),
            Resolves("ISIN", first, renamed, KNOWN, listings=(listing,)),
        ),
    )


def _dual_listing() -> Case:
    """One security at two venues; what one venue files touches no price of the other."""
    isin, action = "INE467B01029", "TCS bonus of 2018"
    here, there = NSE.listing("TCS", "2004-08-25"), SIMULATED.listing("TCS", "2004-08-25")
    at = NSE.at("2018-06-01")
    return Case(
        "12 dual listing TCS",
        (
            NSE.listed("TCS", on="2004-08-25", isin=isin, fact_id="TCS list"),
            SIMULATED.listed("TCS", on="2004-08-25", isin=isin, fact_id="TCS list"),
            NSE.bonus("TCS", 1, 1, ex="2018-05-31", known="2018-05-02", action_id=action),
            NSE.dividend(
                "TCS", "29", ex="2018-05-31", known="2018-05-02", reference_price="3490.60"
            ),
            SIMULATED.bonus("TCS", 1, 1, ex="2018-05-31", known="2018-05-02", action_id=action),
        ),
        (
            Resolves("ISIN", isin, at, KNOWN, "AMBIGUOUS", (here, there)),
            Resolves("ISIN", isin, at, KNOWN, listings=(here,), venue="XNSE"),
            Resolves("ISIN", isin, at, KNOWN, listings=(there,), venue="XSIM"),
            Agrees("TCS", isin, at, KNOWN, "AMBIGUOUS"),
            Agrees("TCS", isin, at, KNOWN, "RESOLVED", venue="XSIM"),
            Means(
                NSE.key("TCS"),
                at,
                KNOWN,
                listing=here,
                split=Fraction(1, 2),
                price=(1 - Fraction(29) / Fraction("3490.60")) / 2,
                columns={"security_id": "INE467B01", "venue": "XNSE"},
            ),
            Means(
                SIMULATED.key("TCS"),
                at,
                KNOWN,
                listing=there,
                price=Fraction(1, 2),
                columns={"security_id": "INE467B01", "venue": "XSIM"},
            ),
        ),
    )


def _odd_letters() -> Case:
    symbols = ("M&M", "ARE&M", "BAJAJ-AUTO", "3IINFO-RE", "20MICRONS")
    ids = {symbol: NSE.listing(symbol, "2010-01-04") for symbol in symbols}
    day = NSE.at("2012-01-02")
    return Case(
        "14 symbols with signs and digits",
        (
            *(NSE.listed(symbol, on="2010-01-04") for symbol in symbols),
            NSE.renamed("ARE&M", "A&R-M", on="2013-01-01"),
        ),
        (
            *(Resolves("SYMBOL", name, day, KNOWN, listings=(one,)) for name, one in ids.items()),
            *(Means(NSE.key(name), day, KNOWN, listing=one) for name, one in ids.items()),
            *owners(NSE, "A&R-M", ("2013-01-01", ids["ARE&M"])),
        ),
    )


def _mass_rename() -> Case:
    olds = [f"AXISETF{number}" for number in range(8)]
    expected: list[Means] = []
    for old in olds:
        listing = NSE.listing(old, "2020-01-01")
        expected += owners(NSE, old, ("2026-07-02", listing), ("2026-07-03", ""))
        expected += owners(NSE, f"{old}N", ("2026-07-02", ""), ("2026-07-03", listing))
    return Case(
        "15 eight ETFs renamed on one day",
        (
            *(NSE.listed(old, on="2020-01-01") for old in olds),
            *(NSE.renamed(old, f"{old}N", on="2026-07-03", known="2026-07-01") for old in olds),
        ),
        tuple(expected),
    )


def _mapped_late() -> Case:
    # A new listing trades, and its mapping arrives at eleven.
    key, listing = NSE.key("NEWIPO"), NSE.listing("NEWIPO", "2024-05-06")
    opened, told = NSE.at("2024-05-06 09:15"), NSE.at("2024-05-06 11:00")
    return Case(
        "18 unresolved at arrival, then mapped",
        (NSE.listed("NEWIPO", on="2024-05-06", known="2024-05-06 11:00"),),
        (
            Means(key, opened, opened, "UNKNOWN"),
            Means(key, opened, told - 1, "UNKNOWN"),
            Means(key, opened, told, listing=listing),
            Published(key, ((told, "LISTED", ONE),)),
            Restated(key, NSE.at("2024-05-06"), told, "MAPPING"),
        ),
    )


def _one_symbol_in_two_series() -> Case:
    # A broker's feed knows two instruments by one symbol; its own key tells them apart.
    equity, block = "DHAN:NSE_EQ:11536", "DHAN:NSE_BL:29135"
    listings = {
        series: NSE.listing("SAMESYM", day)
        for series, day in (("EQ", "2015-01-01"), ("BL", "2015-01-02"))
    }
    at = NSE.at("2016-01-04")
    return Case(
        "19 one symbol in two series",
        (
            NSE.listed(equity, on="2015-01-01", symbol="SAMESYM", series="EQ"),
            NSE.listed(block, on="2015-01-02", symbol="SAMESYM", series="BL"),
        ),
        (
            Means(equity, at, KNOWN, listing=listings["EQ"], columns={"symbol": "SAMESYM"}),
            Means(block, at, KNOWN, listing=listings["BL"], columns={"symbol": "SAMESYM"}),
            Resolves("SYMBOL", "SAMESYM", at, KNOWN, "AMBIGUOUS", tuple(listings.values())),
            Resolves("SYMBOL", "SAMESYM", at, KNOWN, listings=(listings["BL"],), series="BL"),
            Resolves("RAW_KEY", equity, at, KNOWN, listings=(listings["EQ"],)),
        ),
    )


CASES: tuple[Case, ...] = (
    _face_value_split(
        "TATAINVEST", "1996-03-06", ("INE672A01018", "INE672A01026"), (10, "2025-10-14")
    ),
    _face_value_split(
        "MINIDIAMOND", "2010-03-08", ("INE281E01010", "INE281E01028"), (5, "2025-12-02")
    ),
    _face_value_split("MCX", "2012-03-09", ("INE745G01035", "INE745G01043"), (5, "2026-01-02")),
    _iifl(),
    _dual_listing(),
    _odd_letters(),
    _mass_rename(),
    _mapped_late(),
    _one_symbol_in_two_series(),
)
