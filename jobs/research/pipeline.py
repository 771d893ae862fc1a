"""Compute the research tables of all history: each value with the span in which it was believed.

1. Say of each session day what sources said, until the next word on it.
2. Put it under the factors of each knowledge; that is `gold.daily_bar`.
3. Walk each listing's days through time of knowledge (asknown.features): `gold.feature`.
4. Rank the listings of a venue month by month, and join when each was listed: the universes.

Assumes a bounded run: an old day may change with the newest knowledge. State: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from pyflink.datastream import DataStream

from asknown.features.definitions import Definitions, Liquid
from jobs.research.operators import FEATURES, MEMBERS, FeaturesOf, ListedOf, MostOf
from jobs.runtime import streams
from jobs.runtime.tables import Tables

BARS, HISTORY = "normalized.bar", "reference.entity_history"
DAYS = "gold.daily_bar"
LINE_FEED = "U&'\\000A'"


def build(tables: Tables, defined: Definitions) -> dict[str, str]:
    """Return the view of each research table."""
    newest = tables.view("newest_history", "backfill/newest_history.sql", history=tables[HISTORY])
    history = tables.view(
        "history_version",
        "research/history_version.sql",
        history=newest,
        learnt=_minute("known_from"),
        superseded=_minute("known_to"),
    )
    bars = tables.view(
        "bar_version",
        "research/bar_version.sql",
        bars=tables[BARS],
        learnt=_minute("ingest_time"),
    )
    said = tables.view("day_version", "research/day_version.sql", versions=bars, history=history)
    days = tables.view("daily_bar", "research/daily_bar.sql", said=said)
    features = _features(tables, days, defined)
    spans = _lines(tables, "research/memberships.sql", history=history)
    members = tables.to_stream(spans).flat_map(ListedOf(), streams.block_type(MEMBERS))
    for feature in dict.fromkeys(one.by for one in defined.universes):
        members = members.union(_liquid(tables, days, features, defined.ranked_by(feature)))
    return {DAYS: days, FEATURES: features, MEMBERS: streams.view_of(tables, MEMBERS, members)}


def _features(tables: Tables, days: str, defined: Definitions) -> str:
    years = _lines(tables, "research/year_of_days.sql", days=days)
    listings = _lines(tables, "research/listing_days.sql", years=years)
    named = [f"('{venue}', '{listing}')" for venue, listing in defined.benchmarks.items()]
    beside = tables.view(
        "with_market",
        "research/with_market.sql",
        listings=listings,
        benchmarks=", ".join(named or ["('', '')"]),
    )
    computed = (
        tables.to_stream(beside)
        .flat_map(FeaturesOf(defined.features), streams.block_type(FEATURES))
        .name("walk each listing's knowledge")
    )
    return streams.view_of(tables, FEATURES, computed)


def _liquid(tables: Tables, days: str, features: str, universes: Sequence[Liquid]) -> DataStream:
    by = universes[0].by
    ranking = tables.view(
        f"ranking_{by}",
        "research/ranking.sql",
        days=days,
        features=features,
        by=by,
        line_feed=LINE_FEED,
    )
    return tables.to_stream(ranking).flat_map(MostOf(universes), streams.block_type(MEMBERS))


def _minute(moment: str) -> str:
    """Return a moment of knowledge in whole minutes, never early."""
    # Not in the SQL files: sqlfluff cannot read CEIL(... TO ...).
    return f"CAST(CEIL({moment} TO MINUTE) AS TIMESTAMP(3))"


def _lines(tables: Tables, file: str, **parts: str) -> str:
    """Return the view of a query that puts the lines of a key together, named as its file."""
    return tables.view(PurePath(file).stem, file, line_feed=LINE_FEED, **parts)
