"""Who a ticker was: renames, recycled tickers, swaps, ends (DOMAIN.md 1.2, cases 1 to 8 and 16)."""

from __future__ import annotations

from fractions import Fraction

from asknown.reference.records import RawSecurity
from tests.reference_cases.vocabulary import (
    ALWAYS,
    NASDAQ,
    NSE,
    NYSE,
    Accepted,
    Case,
    Exchange,
    Means,
    Published,
    Resolves,
)

ONE = Fraction(1)


def owners(exchange: Exchange, symbol: str, *stretches: tuple[str, str]) -> tuple[Means, ...]:
    """Return that from each date on, as all know, `symbol` names that listing; '' for none."""
    known = exchange.at(ALWAYS)
    return tuple(
        Means(
            exchange.key(symbol),
            exchange.at(on),
            known,
            status="LISTED" if listing else "NOT_LISTED",
            listing=listing,
        )
        for on, listing in stretches
    )


def _rename() -> Case:
    birla = NSE.listing("BIRLA3M", "1995-02-01")
    old, new = NSE.key("BIRLA3M"), NSE.key("3MINDIA")
    before, day, after = NSE.at("2004-06-14 15:29"), NSE.at("2004-06-15"), NSE.at("2004-07-01")
    told = NSE.at("2004-06-01")
    return Case(
        "01 rename BIRLA3M 3MINDIA",
        (
            NSE.listed("BIRLA3M", on="1995-02-01"),
            NSE.renamed("BIRLA3M", "3MINDIA", on="2004-06-15", known="2004-06-01"),
        ),
        (
            Means(old, before, after, listing=birla),
            Means(old, day, after, "NOT_LISTED", listing=""),
            Means(old, day, told - 1, listing=birla),
            Means(new, before, after, "NOT_LISTED", listing=""),
            Means(new, day, told, listing=birla),
            Means(new, told - 1, after, "UNKNOWN"),
            Means(new, after, told - 1, "UNKNOWN"),
            Published(old, ((NSE.at("1995-02-01"), "LISTED", ONE), (day, "NOT_LISTED", ONE))),
            Published(new, ((told, "NOT_LISTED", ONE), (day, "LISTED", ONE))),
            Resolves("SYMBOL", "BIRLA3M", before, after, listings=(birla,)),
            Resolves("SYMBOL", "BIRLA3M", day, after, "CLOSED", (birla,)),
            Resolves("SYMBOL", "3MINDIA", day, after, listings=(birla,)),
            Resolves("SYMBOL", "3MINDIA", before, after, "UNKNOWN"),
            Resolves("RAW_KEY", new, day, told - 1, "UNKNOWN"),
        ),
    )


def _rename_known_late() -> Case:
    # A company that everybody but the feed knows by its new name.
    zomato = NSE.listing("ZOMATO", "2021-07-23")
    return Case(
        "01 rename ZOMATO ETERNAL",
        (
            NSE.listed("ZOMATO", on="2021-07-23", known="2021-07-20"),
            NSE.renamed("ZOMATO", "ETERNAL", on="2025-04-09", known="2025-03-31"),
        ),
        (
            *owners(NSE, "ZOMATO", ("2021-07-22", ""), ("2021-07-23", zomato), ("2025-04-09", "")),
            *owners(NSE, "ETERNAL", ("2025-04-08", ""), ("2025-04-09", zomato)),
        ),
    )


def _chain_of_four() -> Case:
    names = ("ALSTOMT&D", "AREVAT&D", "GET&D", "GVT&D")
    days = ("1996-05-15", "2005-11-30", "2016-08-12", "2024-10-11")
    isin, first = "INE200A01026", NSE.listing(names[0], days[0])
    renames = [
        NSE.renamed(old, new, on=day)
        for old, new, day in zip(names[:-1], names[1:], days[1:], strict=True)
    ]
    held = [
        Resolves("SYMBOL", name, NSE.at(day), NSE.at(ALWAYS), listings=(first,))
        for name, day in zip(names, days, strict=True)
    ]
    gone = [
        Resolves("SYMBOL", name, NSE.at(day), NSE.at(ALWAYS), "CLOSED", (first,))
        for name, day in zip(names[:-1], days[1:], strict=True)
    ]
    one_isin = [
        Resolves("ISIN", isin, NSE.at(day), NSE.at(ALWAYS), listings=(first,)) for day in days
    ]
    return Case(
        "02 chain INE200A01026",
        (NSE.listed(names[0], on=days[0], isin=isin), *renames),
        (*held, *gone, *one_isin),
    )


def _chain_of_andhra() -> Case:
    first = NSE.listing("APPAPER", "1995-03-08")
    return Case(
        "02 chain ANDHRA PAPER",
        (
            NSE.listed("APPAPER", on="1995-03-08"),
            NSE.renamed("APPAPER", "IPAPPM", on="2014-01-21"),
            NSE.renamed("IPAPPM", "ANDPAPER", on="2020-01-22"),
            NSE.renamed("ANDPAPER", "ANDHRAPAP", on="2020-03-05"),
        ),
        (
            *owners(NSE, "APPAPER", ("2014-01-20", first), ("2014-01-21", "")),
            *owners(NSE, "IPAPPM", ("2014-01-21", first), ("2020-01-22", "")),
            *owners(NSE, "ANDPAPER", ("2020-01-22", first), ("2020-03-05", "")),
            *owners(NSE, "ANDHRAPAP", ("2020-03-05", first)),
        ),
    )


def _rename_back() -> Case:
    first = NASDAQ.listing("SPWR", "2005-11-17")
    return Case(
        "03 rename back SPWR SPWRA SPWR",
        (
            NASDAQ.listed("SPWR", on="2005-11-17"),
            NASDAQ.renamed("SPWR", "SPWRA", on="2008-09-29"),
            NASDAQ.renamed("SPWRA", "SPWR", on="2011-11-16"),
        ),
        (
            *owners(NASDAQ, "SPWR", ("2008-09-28", first), ("2008-09-29", "")),
            *owners(NASDAQ, "SPWR", ("2011-11-15", ""), ("2011-11-16", first)),
            *owners(NASDAQ, "SPWRA", ("2008-09-29", first), ("2011-11-16", "")),
        ),
    )


def _handed_on() -> Case:
    old, new = NSE.listing("BOROSIL", "1996-01-10"), NSE.listing("BOROSIL", "2020-07-22")
    return Case(
        "04 ticker handed on BOROSIL",
        (
            NSE.listed("BOROSIL", on="1996-01-10"),
            NSE.renamed("BOROSIL", "BORORENEW", on="2020-02-20"),
            NSE.listed("BOROSIL", on="2020-07-22", known="2020-07-20"),
            NSE.split("BORORENEW", 2, 1, ex="2021-03-01", known="2021-02-01"),
        ),
        (
            *owners(NSE, "BOROSIL", ("2020-02-19", old), ("2020-02-20", "")),
            *owners(NSE, "BOROSIL", ("2020-07-21", ""), ("2020-07-22", new)),
            *owners(NSE, "BORORENEW", ("2020-02-20", old), ("2020-07-22", old)),
            Means(NSE.key("BOROSIL"), NSE.at("2022-01-03"), NSE.at(ALWAYS), price=ONE),
            Means(NSE.key("BORORENEW"), NSE.at("2022-01-03"), NSE.at(ALWAYS), price=Fraction(1, 2)),
        ),
    )


def _handed_on_in_a_chain() -> Case:
    first = NSE.listing("PDUMJEAGRO", "1998-04-22")
    later = NSE.listing("PDUMJEIND", "2019-01-07")
    return Case(
        "04 ticker handed on PDUMJEIND",
        (
            NSE.listed("PDUMJEAGRO", on="1998-04-22"),
            NSE.renamed("PDUMJEAGRO", "PDUMJEIND", on="2008-03-28"),
            NSE.renamed("PDUMJEIND", "3PLAND", on="2018-05-04"),
            NSE.listed("PDUMJEIND", on="2019-01-07"),
        ),
        (
            *owners(NSE, "PDUMJEIND", ("2008-03-28", first), ("2018-05-04", "")),
            *owners(NSE, "PDUMJEIND", ("2019-01-07", later)),
            *owners(NSE, "3PLAND", ("2018-05-04", first), ("2019-01-07", first)),
        ),
    )


def swap(variant: str, first_known: str, second_known: str) -> tuple[list[RawSecurity], Case]:
    """Return the two halves of the swap of 2014-04-03, and a case around them without halves."""
    a, when_issued, moved = f"GOOG{variant}", f"GOOCV{variant}", f"GOOGL{variant}"
    class_a, class_c = NASDAQ.listing(a, "2004-08-19"), NASDAQ.listing(when_issued, "2014-03-27")
    halves = [
        NASDAQ.renamed(a, moved, on="2014-04-03", known=first_known),
        NASDAQ.renamed(when_issued, a, on="2014-04-03", known=second_known),
    ]
    listings = (
        NASDAQ.listed(a, on="2004-08-19", isin="US38259P5089"),
        NASDAQ.listed(when_issued, on="2014-03-27", known="2014-03-20", isin="US38259P7069"),
    )
    day = NASDAQ.at("2014-04-03")
    return halves, Case(
        f"05 swap GOOG GOOGL GOOCV{variant}",
        listings,
        (
            *owners(NASDAQ, a, ("2014-04-02 23:59:59.999", class_a), ("2014-04-03", class_c)),
            *owners(NASDAQ, moved, ("2014-04-03", class_a)),
            *owners(NASDAQ, when_issued, ("2014-03-27", class_c), ("2014-04-03", "")),
            # when-issued and regular trade side by side, as two listings (case 7)
            *owners(NASDAQ, a, ("2014-03-27", class_a)),
            Published(
                NASDAQ.key(a),
                ((NASDAQ.at("2004-08-19"), "LISTED", ONE), (day, "LISTED", ONE)),
            ),
            Resolves("SYMBOL", a, day - 1, NASDAQ.at(ALWAYS), listings=(class_a,)),
            Resolves("SYMBOL", a, day, NASDAQ.at(ALWAYS), listings=(class_c,)),
        ),
    )


def _swaps() -> list[Case]:
    at_once, case = swap("", "2014-04-02", "2014-04-02")
    cases = [Case(case.name, (*case.records, *at_once), case.expected)]
    at_once, case = swap(".Y", "2014-04-02", "2014-04-02")
    cases.append(Case(case.name, (*case.records, *reversed(at_once)), case.expected))
    apart, case = swap(".X", "2014-03-31", "2014-04-01")
    cases.append(Case(case.name, (*case.records, *apart), case.expected))
    # The half that takes the name comes first: it waits for the other one.
    apart, case = swap(".Z", "2014-04-01", "2014-03-31")
    between = NASDAQ.at("2014-03-31 12:00")
    waiting = (
        Means(
            NASDAQ.key("GOOG.Z"),
            NASDAQ.at("2014-04-03"),
            between,
            listing=NASDAQ.listing("GOOG.Z", "2004-08-19"),
        ),
        Means(
            NASDAQ.key("GOOCV.Z"),
            NASDAQ.at("2014-04-03"),
            between,
            listing=NASDAQ.listing("GOOCV.Z", "2014-03-27"),
        ),
    )
    cases.append(Case(case.name, (*case.records, *reversed(apart)), (*case.expected, *waiting)))
    return cases


def _taken_over_twx() -> Case:
    old, aol = NYSE.listing("TWX", "1992-01-02"), NYSE.listing("AOL", "1992-03-19")
    end = NYSE.merged("TWX", "AOL", on="2001-01-12", known="2001-01-11")
    known = NYSE.at(ALWAYS)
    return Case(
        "06 ticker taken over TWX AOL",
        (
            NYSE.listed("TWX", on="1992-01-02"),
            NYSE.listed("AOL", on="1992-03-19"),
            end,
            NYSE.renamed("AOL", "TWX", on="2003-10-15", known="2003-10-01"),
            NYSE.delisted("TWX", on="2018-06-15"),
        ),
        (
            *owners(NYSE, "TWX", ("2001-01-11", old), ("2003-10-15", aol)),
            Means(NYSE.key("TWX"), NYSE.at("2001-01-12"), known, "DELISTED", old),
            Means(NYSE.key("TWX"), NYSE.at("2018-06-15"), known, "DELISTED", aol),
            *owners(NYSE, "AOL", ("2003-10-14", aol), ("2003-10-15", "")),
            Accepted(end, {"successor_id": aol, "kind": "MERGE"}),
            Resolves("SYMBOL", "TWX", NYSE.at("2002-01-02"), known, "CLOSED", (old,)),
        ),
    )


def _taken_over_wm() -> Case:
    waste, mutual = NYSE.listing("UW", "1988-06-01"), NYSE.listing("WM", "1998-01-02")
    old = NYSE.listing("WMI", "1990-01-02")
    known = NYSE.at(ALWAYS)
    return Case(
        "06 ticker taken over UW WMI WM",
        (
            NYSE.listed("UW", on="1988-06-01"),
            NYSE.listed("WMI", on="1990-01-02"),
            NYSE.listed("WM", on="1998-01-02"),
            NYSE.merged("WMI", "UW", on="1998-07-17", known="1998-07-16"),
            NYSE.renamed("UW", "WMI", on="1998-07-17", known="1998-07-16"),
            NYSE.delisted("WM", on="2008-09-29"),
            NYSE.renamed("WMI", "WM", on="2009-08-04", known="2009-07-30"),
        ),
        (
            *owners(NYSE, "WMI", ("1998-07-16", old), ("1998-07-17", waste), ("2009-08-04", "")),
            *owners(NYSE, "WM", ("2008-09-26", mutual), ("2009-08-04", waste)),
            Means(NYSE.key("WM"), NYSE.at("2009-01-05"), known, "DELISTED", mutual),
        ),
    )


def _when_issued() -> Case:
    fox, news = NASDAQ.listing("NWSA", "2004-11-12"), NASDAQ.listing("NWSAV", "2013-06-19")
    known = NASDAQ.at(ALWAYS)
    return Case(
        "07 when issued NWSA FOXA TFCFA",
        (
            NASDAQ.listed("NWSA", on="2004-11-12"),
            NASDAQ.listed("NWSAV", on="2013-06-19", known="2013-06-11"),
            NASDAQ.renamed("NWSA", "FOXA", on="2013-06-28", known="2013-06-27"),
            NASDAQ.renamed("NWSAV", "NWSA", on="2013-06-28", known="2013-06-27"),
            NASDAQ.renamed("FOXA", "TFCFA", on="2019-03-18"),
            NASDAQ.delisted("TFCFA", on="2019-03-20"),
        ),
        (
            *owners(NASDAQ, "NWSA", ("2013-06-27", fox), ("2013-06-28", news)),
            *owners(NASDAQ, "NWSAV", ("2013-06-18", ""), ("2013-06-27", news), ("2013-06-28", "")),
            *owners(NASDAQ, "FOXA", ("2013-06-28", fox), ("2019-03-18", "")),
            Means(NASDAQ.key("TFCFA"), NASDAQ.at("2019-03-20"), known, "DELISTED", fox),
        ),
    )


def _relisted() -> Case:
    bank, fund = NYSE.listing("AAA", "1999-04-21"), NYSE.listing("AAA", "2020-09-09")
    known = NYSE.at(ALWAYS)
    return Case(
        "08 delisted and listed anew AAA",
        (
            NYSE.listed("AAA", on="1999-04-21"),
            NYSE.delisted("AAA", on="2007-05-19", known="2007-05-18"),
            NYSE.listed("AAA", on="2020-09-09", known="2020-09-08"),
        ),
        (
            *owners(NYSE, "AAA", ("2007-05-18", bank), ("2020-09-09", fund)),
            Means(NYSE.key("AAA"), NYSE.at("2007-05-19"), known, "DELISTED", bank),
            Means(NYSE.key("AAA"), NYSE.at("2020-09-08"), known, "DELISTED", bank),
            Resolves("SYMBOL", "AAA", NYSE.at("2010-01-04"), known, "CLOSED", (bank,)),
            Resolves("SYMBOL", "AAA", NYSE.at("2021-01-04"), known, listings=(fund,)),
        ),
    )


def _merger() -> Case:
    hdfc, bank = NSE.listing("HDFC", "1996-10-23"), NSE.listing("HDFCBANK", "1995-11-08")
    end = NSE.merged("HDFC", "HDFCBANK", on="2023-07-13", known="2023-07-03")
    event = NSE.action("MERGER", "HDFC", ex="2023-07-13", known="2023-07-03", purpose="Merger")
    known = NSE.at(ALWAYS)
    return Case(
        "16 merger HDFC HDFCBANK",
        (
            NSE.listed("HDFC", on="1996-10-23", isin="INE001A01036"),
            NSE.listed("HDFCBANK", on="1995-11-08", isin="INE040A01034"),
            end,
            event,
        ),
        (
            Accepted(end, {"successor_id": bank}),
            Accepted(event, {"kind": "MERGER", "symbol": "HDFC", "isin": "INE001A01036"}),
            Means(NSE.key("HDFC"), NSE.at("2023-07-12"), known, listing=hdfc, price=ONE),
            Means(NSE.key("HDFC"), NSE.at("2023-07-13"), known, "DELISTED", hdfc, price=ONE),
            Means(
                NSE.key("HDFCBANK"),
                NSE.at("2023-07-14"),
                known,
                listing=bank,
                price=ONE,
                share=ONE,
                columns={"factor_version": 0},
            ),
            Resolves("ISIN", "INE001A01036", NSE.at("2023-07-13"), known, "CLOSED", (hdfc,)),
        ),
    )


CASES: tuple[Case, ...] = (
    _rename(),
    _rename_known_late(),
    _chain_of_four(),
    _chain_of_andhra(),
    _rename_back(),
    _handed_on(),
    _handed_on_in_a_chain(),
    *_swaps(),
    _taken_over_twx(),
    _taken_over_wm(),
    _when_issued(),
    _relisted(),
    _merger(),
)
