"""What an exchange's purpose string says: `Bonus 1:1 And Face Value Split From Rs.10/- To Rs.5/-`.

A purpose is a list of parts, joined by `/` (not the one of `5/-`), `;`, `+`, `,`, `And` or `&`. A
part is understood whole or not at all: a tail nobody knows may change what the words before it
mean, so the part becomes one OTHER action flagged UNPARSED. A meeting is no event and leaves none.

Terms are never guessed. `Re.1` is 1 or .1: the amount stays open and the action is AMBIGUOUS; a
face value is not, for Indian companies may not have one below a rupee or in fractions of it.
`Demerger` says no value, so it is MISSING_TERMS. A rights premium becomes a price only with the
face value as of the ex-date, which the string does not say: see `subscription_price`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from asknown.reference.actions import ActionKind

PARSER_VERSION = 1


class Flag(StrEnum):
    """Why a person must look at a purpose."""

    UNPARSED = "UNPARSED"  # a part, or its tail, is not in the grammar
    AMBIGUOUS = "AMBIGUOUS"  # the words can be read in two ways
    MISSING_TERMS = "MISSING_TERMS"  # the kind is clear; the terms are not in the words


@dataclass(frozen=True, slots=True)
class ParsedAction:
    """One action of a purpose; `text` is its part of the words.

    Ratios are those of `Action`: a split n new for d old, a bonus or rights A new for B held.
    `cash_amount` is per share. Of rights either the whole price or only the premium is given.
    """

    kind: ActionKind
    text: str
    ratio_numerator: int | None = None
    ratio_denominator: int | None = None
    cash_amount: Decimal | None = None
    subscription_price: Decimal | None = None
    premium: Decimal | None = None
    face_value_from: Decimal | None = None
    face_value_to: Decimal | None = None
    flags: frozenset[Flag] = frozenset()


@dataclass(frozen=True, slots=True)
class Parsed:
    """The actions of a purpose in their order, and the flags of all of them."""

    actions: tuple[ParsedAction, ...]
    flags: frozenset[Flag]


def parse(purpose: str) -> Parsed:
    """Return what `purpose` announces; nothing of it is dropped and no string is refused."""
    parts = [_tidy(part) for part in _SEPARATOR.split(_spaced(purpose))]
    texts = [part for part in parts if part] or [""]
    found = [_action(text) for text in texts if _MEETING.fullmatch(text) is None]
    flags = frozenset[Flag]().union(*(one.flags for one in found))
    return Parsed(tuple(found), flags)


def subscription_price(parsed: ParsedAction, face_value: Decimal | None) -> Decimal | None:
    """Return what one new share of a rights issue costs; None when it cannot be said.

    `face_value` is the one in force before the ex-date, never the one a feed shows today.
    """
    if parsed.subscription_price is not None:
        return parsed.subscription_price
    if parsed.premium is None or face_value is None:
        return None
    return parsed.premium + face_value


def face_value_on(changes: Iterable[tuple[date, Decimal, Decimal]], day: date) -> Decimal | None:
    """Return the face value in force before `day` by a complete history of its changes.

    `changes` are (ex-date, from, to) of one security. None when there are none, or when two
    neighbours do not fit together around `day`: then one is missing.
    """
    ordered = sorted(changes)
    before = [one for one in ordered if one[0] < day][-1:]
    after = [one for one in ordered if one[0] >= day][:1]
    values = {one[2] for one in before} | {one[1] for one in after}
    return values.pop() if len(values) == 1 else None


_SEPARATOR = re.compile(r"\s*(?:/(?![-=])|;|\+|,(?=\s)|\s(?:and|&)\s)\s*", re.IGNORECASE)
_NUMBER = r"(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_MONEY = rf"(?:rs|re|inr)\.?\s*{_NUMBER}\s*(?:/[-=])?"
_PER_SHARE = r"(?:\s*per\s+(?:equity\s+)?(?:share|sh|unit)s?\.?)?"
_REVISED = r"(?:\s*\([^()]*revised[^()]*\)|\s*-?\s*(?:purpose\s+)?revised)?"
_JOIN = r"\s*[-:@]?\s*(?:of\s+)?"
_RATIO = r"(?P<new>\d{1,9})\s*:\s*(?P<old>\d{1,9})"

_MEETING = re.compile(
    rf"(?:(?:annual|extra[- ]?ordinary)\s+general\s+meeting|agm|egm|court\s+convened\s+meeting"
    rf"|postal\s+ballot){_REVISED}",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    rf"(?P<currency>rs|re|inr)(?P<dot>\.?)(?P<space>\s*)(?P<number>{_NUMBER})", re.IGNORECASE
)
_EDGES = re.compile(r"^[\s:-]+|\s*(?<![/\s:-])[\s:-]+$")
_GROUPED = re.compile(r"(?:\d+|\d{1,3}(?:,\d{2,3})*,\d{3})?(?:\.\d+)?")

Reader = Callable[[re.Match[str]], ParsedAction]


def _action(text: str) -> ParsedAction:
    for pattern, read in _GRAMMAR:
        match = pattern.fullmatch(text)
        if match is not None:
            return read(match)
    return _open(ActionKind.OTHER, text, Flag.UNPARSED)


def _dividend(match: re.Match[str]) -> ParsedAction:
    kind = _dividend_kind(match)
    if match["money"] is None:
        return _open(kind, match[0], Flag.MISSING_TERMS)
    amount = _money(match["money"])
    if not amount:
        return _open(kind, match[0], Flag.AMBIGUOUS if amount is None else Flag.MISSING_TERMS)
    return ParsedAction(kind, match[0], cash_amount=amount)


def _percentage(match: re.Match[str]) -> ParsedAction:
    """Return a dividend in percent of the face value, which the string does not say."""
    return _open(_dividend_kind(match), match[0], Flag.MISSING_TERMS)


def _dividend_kind(match: re.Match[str]) -> ActionKind:
    special = re.search(r"special|spl|one[- ]?time", match["which"], re.IGNORECASE)
    return ActionKind.SPECIAL_DIVIDEND if special else ActionKind.CASH_DIVIDEND


def _bonus(match: re.Match[str]) -> ParsedAction:
    ratio = _terms(match)
    if ratio is None:
        return _open(ActionKind.BONUS, match[0], Flag.MISSING_TERMS)
    return ParsedAction(ActionKind.BONUS, match[0], *ratio)


def _rights(match: re.Match[str]) -> ParsedAction:
    ratio = _terms(match)
    if ratio is None:
        return _open(ActionKind.RIGHTS, match[0], Flag.MISSING_TERMS)
    if match["par"]:
        return ParsedAction(ActionKind.RIGHTS, match[0], *ratio, premium=Decimal(0))
    if match["money"] is None:
        flags = frozenset({Flag.MISSING_TERMS})
        return ParsedAction(ActionKind.RIGHTS, match[0], *ratio, flags=flags)
    amount = _money(match["money"])
    if amount is None:
        flags = frozenset({Flag.AMBIGUOUS})
        return ParsedAction(ActionKind.RIGHTS, match[0], *ratio, flags=flags)
    if match["premium"]:
        return ParsedAction(ActionKind.RIGHTS, match[0], *ratio, premium=amount)
    return ParsedAction(ActionKind.RIGHTS, match[0], *ratio, subscription_price=amount)


def _face_value(match: re.Match[str]) -> ParsedAction:
    before, after = (_money(match[name], whole=True) for name in ("before", "after"))
    if not before or not after:
        return _open(ActionKind.SPLIT, match[0], Flag.MISSING_TERMS)
    ratio = Fraction(before) / Fraction(after)
    # Words and numbers must say the same: a split lowers the face value, a consolidation raises it.
    raised = match["word"].lower().startswith("con")
    flags = frozenset() if ratio != 1 and (ratio < 1) == raised else frozenset({Flag.AMBIGUOUS})
    return ParsedAction(
        ActionKind.SPLIT,
        match[0],
        ratio.numerator,
        ratio.denominator,
        face_value_from=before,
        face_value_to=after,
        flags=flags,
    )


def _plain(kind: ActionKind, flag: Flag | None = None) -> Reader:
    """Return a reader of words that say a kind and no more."""

    def read(match: re.Match[str]) -> ParsedAction:
        return ParsedAction(kind, match[0]) if flag is None else _open(kind, match[0], flag)

    return read


def _open(kind: ActionKind, text: str, flag: Flag) -> ParsedAction:
    return ParsedAction(kind, text, flags=frozenset({flag}))


def _terms(match: re.Match[str]) -> tuple[int, int] | None:
    if match["new"] is None:
        return None
    new, old = int(match["new"]), int(match["old"])
    return (new, old) if new and old else None


def _money(text: str, *, whole: bool = False) -> Decimal | None:
    """Return the amount of `Rs 5/-`; None when it can be read in two ways.

    `Re.1` is `Re. 1` or `Re .1`. `Rs.15` is not: the plural would not stand before .15. With
    `whole` the amount is one that cannot be a fraction.
    """
    match = _AMOUNT.match(text)
    if match is None or _GROUPED.fullmatch(match["number"]) is None:
        return None
    glued = bool(match["dot"]) and not match["space"] and "." not in match["number"]
    if glued and match["currency"].lower() == "re" and not whole:
        return None
    return Decimal(match["number"].replace(",", ""))


def _spaced(text: str) -> str:
    return " ".join(text.replace("\u2013", "-").replace("\u2014", "-").split())


def _tidy(part: str) -> str:
    """Return a part without the dashes around it; the one of `5/-` is part of the amount."""
    return _EDGES.sub("", part)


def _rule(pattern: str, read: Reader) -> tuple[re.Pattern[str], Reader]:
    return re.compile(pattern + _REVISED, re.IGNORECASE), read


_WHICH = (
    r"(?P<which>(?:(?:\d(?:st|nd|rd|th)|first|second|third|fourth|fifth|interim|int|final|special"
    r"|spl|one[- ]?time|normal|ordinary|equity|annual|additional)\s*)*)"
)
_FROM_TO = (
    rf"\s*(?:\([^()]*\))?{_JOIN}(?:from|frm)\s*(?P<before>{_MONEY}){_PER_SHARE}"
    rf"\s*to\s*(?P<after>{_MONEY}){_PER_SHARE}"
)
_NOT_SHARES = r"[^/]*\b(?:debentures?|preference|n?crps|ncds?|warrants?|bonds?)\b.*"

# The first rule that fits a whole part wins.
_GRAMMAR: tuple[tuple[re.Pattern[str], Reader], ...] = (
    # A bonus of debentures or preference shares is a distribution in kind, whose value nobody said.
    _rule(rf"bonus{_NOT_SHARES}", _plain(ActionKind.OTHER, Flag.MISSING_TERMS)),
    _rule(rf"rights?{_NOT_SHARES}", _plain(ActionKind.OTHER, Flag.MISSING_TERMS)),
    _rule(rf"{_WHICH}div(?:idend)?(?:{_JOIN}(?P<money>{_MONEY}){_PER_SHARE})?", _dividend),
    _rule(rf"{_WHICH}div(?:idend)?{_JOIN}\d+(?:\.\d+)?\s*%", _percentage),
    _rule(rf"bonus(?:\s+(?:issue|shares?))*(?:{_JOIN}{_RATIO})?", _bonus),
    _rule(
        rf"rights?(?:\s+issue)?(?:{_JOIN}{_RATIO}(?:\s*(?:@|at)\s*"
        rf"(?:(?P<par>par)|(?:a\s+)?(?P<premium>premium\s*(?:of\s+)?[-:]?\s*)?"
        rf"(?P<money>{_MONEY}){_PER_SHARE}))?)?",
        _rights,
    ),
    _rule(
        rf"(?P<word>(?:face\s*value|fv|stock|share)\s+spli?t|sub[- ]?division(?:\s+of\s+shares)?"
        rf"|consolidation(?:\s+of\s+(?:equity\s+)?shares)?){_FROM_TO}",
        _face_value,
    ),
    _rule(r"de-?merger|spin-?\s?off", _plain(ActionKind.DEMERGER, Flag.MISSING_TERMS)),
    _rule(
        r"capital\s+reduction|reduction\s+(?:of|in)\s+(?:share\s+)?capital",
        _plain(ActionKind.CAPITAL_REDUCTION, Flag.MISSING_TERMS),
    ),
    _rule(r"merger|amalgamation", _plain(ActionKind.MERGER)),
    _rule(r"buy\s?-?back(?:\s+of\s+(?:equity\s+)?shares?)?", _plain(ActionKind.OTHER)),
    # What a scheme does to a price stands in the scheme, not in its name.
    _rule(
        r"(?:composite\s+)?scheme(?:\s+of\s+(?:arrangement|amalgamation))?",
        _plain(ActionKind.OTHER, Flag.MISSING_TERMS),
    ),
)
