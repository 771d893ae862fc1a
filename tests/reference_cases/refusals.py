"""What is not applied: junk rows, bad check digits, contradictions (DOMAIN.md 1.2, 13 and 20)."""

from __future__ import annotations

from fractions import Fraction

from tests.reference_cases.identity import ONE, owners
from tests.reference_cases.vocabulary import (
    ALWAYS,
    NSE,
    Case,
    Means,
    Refused,
    Repeated,
    Resolves,
    again,
)

KNOWN = NSE.at(ALWAYS)


def _junk_rows() -> Case:
    self_map = NSE.renamed("761ABCL35A", "761ABCL35A", on="2021-05-03")
    placeholder = NSE.renamed("LIST000857", "BHARTIHEXA", on="2024-04-12")
    number = NSE.renamed("1201210518", "ACRYSIL", on="2019-01-15")
    nameless = NSE.renamed("", "NAMELESS", on="2019-01-15")
    undated = NSE.fact("LIST", "UNDATED", None, "2019-01-15")
    return Case(
        "13 junk rows of a symbol-change file",
        (
            NSE.listed("761ABCL35A", on="2020-01-01"),
            self_map,
            placeholder,
            number,
            nameless,
            undated,
        ),
        (
            Refused(self_map, "SELF_MAP", ("761ABCL35A",)),
            Refused(placeholder, "UNKNOWN_SYMBOL", ("LIST000857",)),
            Refused(number, "UNKNOWN_SYMBOL", ("1201210518",)),
            Refused(nameless, "FIELD_MISSING", ("previous_symbol",)),
            Refused(undated, "FIELD_MISSING", ("valid_from",)),
            Means(NSE.key("BHARTIHEXA"), NSE.at("2024-05-01"), KNOWN, "UNKNOWN"),
            Means(NSE.key("UNDATED"), NSE.at("2024-05-01"), KNOWN, "UNKNOWN"),
            *owners(NSE, "761ABCL35A", ("2022-01-03", NSE.listing("761ABCL35A", "2020-01-01"))),
        ),
    )


def _check_digit() -> Case:
    wrong = "INE418H01026"
    listed = NSE.listed("BADDIGIT", on="2018-01-01", isin=wrong)
    right = NSE.listed("BADDIGIT2", on="2018-01-01", isin="INE418H01029")
    split = NSE.split("BADDIGIT2", 2, 1, ex="2019-01-01", known="2018-12-01", isin=wrong)
    return Case(
        "20 bad check digit INE418H01026",
        (listed, right, split),
        (
            Refused(listed, "ISIN_CHECKSUM", (wrong,)),
            Refused(split, "ISIN_CHECKSUM", (wrong,)),
            Resolves("ISIN", wrong, KNOWN, KNOWN, "UNKNOWN"),
            Means(NSE.key("BADDIGIT"), NSE.at("2018-06-01"), KNOWN, "UNKNOWN"),
            Means(NSE.key("BADDIGIT2"), NSE.at("2019-06-03"), KNOWN, price=ONE),
        ),
    )


def _two_owners() -> Case:
    first = NSE.listed("DPL", on="2005-01-03")
    second = NSE.listed("DPL", on="2012-01-02")
    other = NSE.listed("DPLX", on="2006-01-02")
    renamed = NSE.renamed("DPLX", "DPL", on="2013-01-01", known="2013-01-05")
    return Case(
        "two owners of one ticker DPL",
        (first, other, second, renamed),
        (
            Refused(second, "CONFLICT", (first.event_id, second.event_id)),
            Refused(renamed, "CONFLICT", (first.event_id, renamed.event_id)),
            *owners(NSE, "DPL", ("2014-01-01", NSE.listing("DPL", "2005-01-03"))),
            *owners(NSE, "DPLX", ("2014-01-01", NSE.listing("DPLX", "2006-01-02"))),
        ),
    )


def _owner_in_waiting() -> Case:
    # A ticker is promised to another company, and its owner does not leave in time.
    first = NSE.listed("WAITED", on="2005-01-03")
    promised = NSE.listed("WAITED", on="2010-06-01", known="2010-05-03")
    return Case(
        "two owners of one ticker, the second one held until its day",
        (first, promised),
        (
            Refused(promised, "CONFLICT", (first.event_id, promised.event_id)),
            *owners(NSE, "WAITED", ("2011-01-03", NSE.listing("WAITED", "2005-01-03"))),
        ),
    )


def _overlapping() -> Case:
    one = NSE.renamed("OVERLAP", "OVERLAP1", on="2015-06-01", known="2015-05-04")
    other = NSE.renamed("OVERLAP", "OVERLAP2", on="2015-06-01", known="2015-05-05")
    ended = NSE.delisted("OVERLAP1", on="2018-06-01")
    late = NSE.got_isin("OVERLAP1", "INE118A01012", on="2018-06-02", known="2018-06-02")
    first = NSE.listing("OVERLAP", "2010-01-04")
    return Case(
        "overlapping intervals of one listing",
        (NSE.listed("OVERLAP", on="2010-01-04"), one, other, ended, late),
        (
            Refused(other, "OVERLAPPING_INTERVAL", (one.event_id,)),
            Refused(late, "UNKNOWN_SYMBOL"),
            *owners(NSE, "OVERLAP1", ("2015-06-01", first)),
            Means(NSE.key("OVERLAP2"), NSE.at("2015-06-01"), KNOWN, "UNKNOWN"),
        ),
    )


def _overlap_with_what_was_taken_back() -> Case:
    # A cancelled rename leaves room for the right one of the same day; so does a moved end.
    on = "2015-06-01"
    wrong = NSE.renamed("RETAKE", "RETAKE1", on=on, known="2015-05-04", fact_id="RETAKE a")
    back = NSE.renamed(
        "RETAKE",
        "RETAKE1",
        on=on,
        known="2015-05-05",
        fact_id="RETAKE a",
        version=2,
        status="CANCELLED",
    )
    right = NSE.renamed("RETAKE", "RETAKE2", on=on, known="2015-05-06", fact_id="RETAKE b")
    end = NSE.delisted("RETAKE2", on="2016-01-04", known="2015-12-01", fact_id="RETAKE c")
    no_end = NSE.delisted(
        "RETAKE2",
        on="2016-01-04",
        known="2015-12-02",
        fact_id="RETAKE c",
        version=2,
        status="CANCELLED",
    )
    onward = NSE.renamed("RETAKE2", "RETAKE3", on="2017-01-02")
    first = NSE.listing("RETAKE", "2010-01-04")
    return Case(
        "facts taken back leave room",
        (NSE.listed("RETAKE", on="2010-01-04"), wrong, back, right, end, no_end, onward),
        (
            *owners(NSE, "RETAKE1", ("2015-06-01", "")),
            *owners(NSE, "RETAKE2", (on, first), ("2016-02-01", first), ("2017-01-02", "")),
            *owners(NSE, "RETAKE3", ("2017-01-02", first)),
            Means(NSE.key("RETAKE1"), NSE.at(on), NSE.at("2015-05-04 12:00"), listing=first),
            Means(NSE.key("RETAKE2"), NSE.at("2016-01-04"), NSE.at("2015-12-01 12:00"), "DELISTED"),
        ),
    )


def _unknown_kinds() -> Case:
    fact = NSE.fact("SPINOFF", "KINDS", "2011-01-03", "2011-01-03")
    action = NSE.action("GIFT", "KINDS", ex="2011-01-03", known="2011-01-03")
    status = NSE.split(
        "KINDS", 2, 1, ex="2011-01-03", known="2011-01-03", status="RUMOURED", action_id="KINDS s"
    )
    method = NSE.dividend(
        "KINDS", 1, ex="2011-01-03", known="2011-01-03", method="MIDDLE", reference_price=10
    )
    nobody = NSE.split("NOBODY", 2, 1, ex="2011-01-03", known="2011-01-03")
    undated = NSE.action(
        "SPLIT", "KINDS", ex=None, known="2011-01-03", ratio_numerator=2, ratio_denominator=1
    )
    return Case(
        "unknown kinds, statuses and owners",
        (NSE.listed("KINDS", on="2010-01-04"), fact, action, status, method, nobody, undated),
        (
            Refused(fact, "UNKNOWN_KIND", ("SPINOFF",)),
            Refused(action, "UNKNOWN_KIND", ("GIFT",)),
            Refused(status, "UNKNOWN_KIND", ("RUMOURED",)),
            Refused(method, "UNKNOWN_KIND", ("MIDDLE",)),
            Refused(nobody, "UNKNOWN_SYMBOL", ("NOBODY",)),
            Refused(undated, "FIELD_MISSING", ("ex_date",)),
            Means(NSE.key("KINDS"), NSE.at("2012-01-02"), KNOWN, price=ONE),
            Means(NSE.key("NOBODY"), NSE.at("2012-01-02"), KNOWN, "UNKNOWN"),
        ),
    )


def _stale_and_again() -> Case:
    listed = NSE.listed("STALE", on="2010-01-04")
    second = NSE.split(
        "STALE", 5, 1, ex="2011-01-03", known="2010-12-02", action_id="STALE s", version=2
    )
    first = NSE.split(
        "STALE", 2, 1, ex="2011-01-03", known="2010-12-03", action_id="STALE s", version=1
    )
    other = NSE.split(
        "STALE", 3, 1, ex="2011-01-03", known="2010-12-04", action_id="STALE s", version=2
    )
    return Case(
        "stale versions and duplicates",
        (
            listed,
            again(listed),
            second,
            first,
            again(second, "2010-12-03"),
            other,
            again(second, "2011-02-01"),
            again(listed, "2011-02-01"),
        ),
        (
            Repeated(listed, 2),
            Repeated(second, 2),
            Refused(first, "STALE_VERSION", ("STALE s", "2")),
            Refused(other, "STALE_VERSION", ("STALE s",)),
            Means(NSE.key("STALE"), NSE.at("2011-01-03"), KNOWN, price=Fraction(1, 5)),
        ),
    )


def _disagreeing() -> Case:
    # A symbol and an ISIN that name different companies; a key that was another one's then.
    a, b = "INE470A01017", "INE118A01012"
    wrong = NSE.split("AGREEA", 2, 1, ex="2012-01-02", known="2011-12-01", isin=b)
    unheard = NSE.bonus("AGREEA", 1, 1, ex="2012-01-02", known="2011-12-01", isin="INE002A01018")
    by_isin = NSE.split("AGREEOLD", 4, 1, ex="2012-01-02", known="2011-12-01", isin=a)
    return Case(
        "symbol and ISIN of an action disagree",
        (
            NSE.listed("AGREEA", on="2010-01-04", isin=a),
            NSE.listed("AGREEB", on="2010-01-04", isin=b),
            wrong,
            unheard,
            by_isin,
        ),
        (
            Refused(wrong, "CONFLICT", (b, NSE.listing("AGREEB", "2010-01-04"))),
            Refused(unheard, "CONFLICT", ("INE002A01018",)),
            Means(NSE.key("AGREEA"), NSE.at("2012-01-02"), KNOWN, price=Fraction(1, 4)),
            Means(NSE.key("AGREEB"), NSE.at("2012-01-02"), KNOWN, price=ONE),
        ),
    )


CASES: tuple[Case, ...] = (
    _junk_rows(),
    _check_digit(),
    _two_owners(),
    _owner_in_waiting(),
    _overlapping(),
    _overlap_with_what_was_taken_back(),
    _unknown_kinds(),
    _stale_and_again(),
    _disagreeing(),
)
