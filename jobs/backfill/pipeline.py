"""Recompute silver and gold from bronze: the pipelines of the live jobs, one behind the other.

Nothing is defined here: `normalize` and `derive` are imported, so a backfill cannot compute
anything else than the stream did. What a key meant is read from the change points, and only these
differ by the knowledge that is asked for. Records that were brought back from quarantine keep the
knowledge they were brought back with.
"""

from __future__ import annotations

from collections.abc import Mapping

from asknown.contracts.catalog import contract
from asknown.contracts.render import quote
from jobs.derive import pipeline as derive
from jobs.normalize import pipeline as normalize
from jobs.normalize.sessions import SessionSql
from jobs.runtime.tables import Tables

HISTORY = "reference.entity_history"
REPLAYED = "replayed.event"
BARS = "analytics.bar"
LANES = ("duplicate.event", "quarantine.event")
_KEY_FORMAT = "yyyy-MM-dd HH:mm:ss.SSS"
_SUFFIX = len("@") + len(_KEY_FORMAT)
_SOURCE_COLUMNS = ("decode_error", "message_bytes", "kafka_partition", "kafka_offset", "kafka_time")


def build(tables: Tables, session: SessionSql) -> dict[str, str]:
    """Return the view of each topic whose table is recomputed.

    With `replayed.event` among the tables the records it names are resolved by the knowledge it
    names, and all others by the change points.
    """
    normalized, _ = _whole(tables, session)
    return {**normalized, BARS: _bars(tables, normalized)}


def outcomes(tables: Tables, session: SessionSql) -> dict[str, str]:
    """Return the view of each topic that a record may end in, and of the bars.

    A lane holds what the records that were never brought back become.
    """
    normalized, lanes = _whole(tables, session)
    outputs = normalized | {topic: lanes[topic] for topic in LANES}
    if any(topic in derive.PRICES for topic in normalized):
        outputs[BARS] = _bars(tables, normalized)
    return outputs


def revised(tables: Tables, bars: str, published: str) -> str:
    """Return bars under the newest revision of theirs that was published.

    The next one that a heal publishes is then above all that readers have.
    """
    c = contract(BARS)
    number = "COALESCE(newest.revision, 0)"
    whole = "SUBSTRING(record.event_id FROM 1 FOR CHAR_LENGTH(record.event_id) - 1)"
    renamed = {
        "event_id": f"CONCAT({whole}, CAST({number} AS STRING)) AS `event_id`",
        "revision": f"{number} AS `revision`",
    }
    fields = [f.name for f in c.envelope + c.payload]
    columns = ", ".join(renamed.get(name, f"record.{quote(name)}") for name in fields)
    return tables.view(
        "revised_bars",
        "backfill/revised_bars.sql",
        numbered=columns,
        bars=bars,
        published=published,
    )


def _whole(tables: Tables, session: SessionSql) -> tuple[dict[str, str], dict[str, str]]:
    """Return the views of the normalized topics, and all that the records not brought back give."""
    if REPLAYED not in tables:
        outputs = normalize.build(tables, session)
        return normalized_only(outputs), outputs
    back = normalized_only(replayed(tables, session))
    outputs = normalize.build(_kept(tables), session)
    rest = normalized_only(outputs)
    both = {t: tables.union(f"{t.replace('.', '_')}_whole", [rest[t], back[t]]) for t in rest}
    return both, outputs


def _bars(tables: Tables, normalized: Mapping[str, str]) -> str:
    return derive.build(tables.following(normalized))[BARS]


def normalized_only(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the outputs that are no lanes."""
    return {topic: view for topic, view in outputs.items() if topic.startswith("normalized.")}


def believed(tables: Tables, known_at: str) -> str:
    """Return change points from the history, by the knowledge of `known_at` (an SQL timestamp)."""
    return tables.view(
        "believed_changes",
        "backfill/believed.sql",
        history=_newest_history(tables),
        known_at=f"TIMESTAMP '{known_at}'",
    )


def replayed(tables: Tables, session: SessionSql) -> dict[str, str]:
    """Return what `normalize` makes of the records that `replayed.event` names.

    Each is resolved by the knowledge named with it. Two records of one key may name different
    ones, so meanwhile the knowledge is part of the key.
    """
    raw = {
        topic: tables.view(
            f"replayed_{topic.replace('.', '_')}",
            "backfill/replayed_raw.sql",
            columns=_keyed_columns(topic),
            raw=tables[topic],
            replayed=tables[REPLAYED],
            topic=topic,
        )
        for topic in tables
        if topic in normalize.MARKET
    }
    keys = tables.view(
        "replayed_keys",
        "backfill/replayed_keys.sql",
        replayed=tables[REPLAYED],
        format=_KEY_FORMAT,
    )
    history = _newest_history(tables)
    changes = tables.view(
        "replayed_changes", "backfill/replayed_changes.sql", history=history, keys=keys
    )
    outputs = normalize.build(_Apart(tables, {**raw, normalize.CHANGES: changes}), session)
    return {topic: _own_key(tables, topic, view) for topic, view in outputs.items()}


class _Apart(Tables):
    """Tables whose views get names of their own, so that a pipeline can be built once more."""

    def __init__(self, tables: Tables, names: Mapping[str, str]) -> None:
        super().__init__(None, names)  # every view is made by the tables it stands beside
        self._beside = tables

    def view(self, name: str, file: str, **parts: str) -> str:
        """Create a view from `sql/<file>` beside the one of that name."""
        return self._beside.view(f"replayed_{name}", file, **parts)

    def union(self, name: str, views: list[str]) -> str:
        """Create a view of all rows of `views` beside the one of that name."""
        return self._beside.union(f"replayed_{name}", views)


def _kept(tables: Tables) -> Tables:
    """Return the tables without the records that were brought back."""
    kept = {
        topic: tables.view(
            f"kept_{topic.replace('.', '_')}",
            "backfill/kept.sql",
            raw=tables[topic],
            replayed=tables[REPLAYED],
            topic=topic,
        )
        for topic in tables
        if topic in normalize.MARKET
    }
    return tables.following({**kept, normalize.CHANGES: tables[normalize.CHANGES]})


def _newest_history(tables: Tables) -> str:
    return tables.view("newest_history", "backfill/newest_history.sql", history=tables[HISTORY])


def _keyed_columns(topic: str) -> str:
    """Return the columns a live source has, with the knowledge behind the key."""
    knowledge = f"DATE_FORMAT(marker.known_at, '{_KEY_FORMAT}')"
    fields = [f.name for f in contract(topic).envelope + contract(topic).payload]
    names = [name for name in fields if name not in normalize.UNREAD]
    own = [f"record.{quote(name)}" for name in (*names, *_SOURCE_COLUMNS)]
    keyed = f"CONCAT(record.`entity_id`, '@', {knowledge}) AS `entity_id`"
    return ", ".join(keyed if name == "record.`entity_id`" else name for name in own)


def _own_key(tables: Tables, topic: str, view: str) -> str:
    fields = contract(topic).envelope + contract(topic).payload
    cut = f"SUBSTRING(`raw_key` FROM 1 FOR CHAR_LENGTH(`raw_key`) - {_SUFFIX}) AS `raw_key`"
    columns = ", ".join(cut if f.name == "raw_key" else quote(f.name) for f in fields)
    name = f"own_{topic.replace('.', '_')}"
    return tables.view(name, "backfill/own_key.sql", columns=columns, rows=view)
