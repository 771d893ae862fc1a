"""Profiles of `extra`, measured over bronze: nothing else has to be kept to compare two days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import Table

from asknown.contracts.catalog import contracts
from asknown.contracts.drift import KEY_LENGTH, PATTERNS, Kind, Profile
from asknown.errors import UsageError
from asknown.settings import Settings
from asknown.storage.iceberg import lake
from asknown.storage.lake_rows import reader

EXTRA = "extra"
DAY = "kafka_time_day"  # the partition: a record belongs to the day it arrived
EPOCH = date(1970, 1, 1)
SOURCE_LENGTH = 128


def datasets() -> list[str]:
    """Return the raw datasets whose records have an `extra`."""
    found = [c for c in contracts().values() if c.topic.layer == "raw"]
    return [c.topic.dataset for c in found if EXTRA in {f.name for f in c.payload}]


def days(config: Settings, dataset: str) -> list[date]:
    """Return the days on which records of a dataset arrived, from its partitions alone."""
    table = _table(config, dataset)
    if table.current_snapshot() is None:
        return []
    rows = table.inspect.partitions().to_pylist()
    found = {row["partition"].get(DAY) for row in rows if row["record_count"]}
    return sorted(_day(value) for value in found if value is not None)


def profile(config: Settings, dataset: str, first: date, end: date) -> Profile:
    """Measure what arrived within the days [first, end), batch by batch."""
    found = Profile(dataset, first.isoformat(), end.isoformat())
    # Undecodable records have no source; they are in quarantine with their reason.
    chosen = (
        f"kafka_time >= '{first}T00:00:00' AND kafka_time < '{end}T00:00:00' AND source IS NOT NULL"
    )
    columns = ("source", EXTRA)
    scan = _table(config, dataset).scan(row_filter=chosen, selected_fields=columns)
    for batch in reader(scan):
        count_batch(found, batch)
    return found


def count_batch(into: Profile, batch: pa.RecordBatch) -> None:
    """Add a batch of (source, extra) to a profile."""
    source = pc.utf8_slice_codeunits(batch.column("source").cast(pa.string()), 0, SOURCE_LENGTH)
    by_source = pa.table({"source": source}).group_by("source").aggregate([([], "count_all")])
    for row in by_source.to_pylist():
        into.add_records(row["source"], row["count_all"])
    maps = batch.column(EXTRA)
    # A map is a list of pairs: its parents say which record, and so which source, a pair is of.
    pairs = maps.cast(pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())])))
    parents, flat = pc.list_parent_indices(pairs), pc.list_flatten(pairs)
    values = pa.table(
        {
            "source": source.take(parents),
            "key": pc.utf8_slice_codeunits(pc.struct_field(flat, "key"), 0, KEY_LENGTH),
            "kind": kinds(pc.struct_field(flat, "value")),
        }
    )
    grouped = values.group_by(["source", "key", "kind"]).aggregate([([], "count_all")])
    for row in grouped.to_pylist():
        into.add_values(row["source"], row["key"], Kind(row["kind"]), row["count_all"])


def kinds(values: pa.Array) -> pa.Array:
    """Return what each value looks like, as `kind_of` says."""
    known = values.fill_null("")
    tests = [pc.match_substring_regex(known, f"^(?:{pattern})$") for pattern in PATTERNS.values()]
    return pc.case_when(
        pc.make_struct(*tests, field_names=[str(kind) for kind in PATTERNS]),
        *(pa.scalar(str(kind)) for kind in (*PATTERNS, Kind.TEXT)),
    )


def spans(
    found: list[date], since: date | None, baseline: date | None
) -> tuple[tuple[date, date], tuple[date, date]]:
    """Return the spans [first, end) to compare, of the baseline and of what is looked at.

    Left out are: the last day with records, and the last day with records before that.
    Raises `UsageError` ASKNOWN-DRIFT-001 when there is nothing to compare with.
    """
    one = timedelta(days=1)
    since = since or (found[-1] if found else None)
    earlier = [day for day in found if since and day < since]
    baseline = baseline or (earlier[-1] if earlier else None)
    if since is None or baseline is None or baseline >= since:
        raise UsageError(
            "ASKNOWN-DRIFT-001",
            f"expected records of two days to compare, found days: "
            f"{', '.join(map(str, found)) or 'none'}.",
            hint="give --since and an earlier --baseline; days are those of arrival, in UTC.",
        )
    return (baseline, baseline + one), (since, max(found[-1:] + [since]) + one)


def _table(config: Settings, dataset: str) -> Table:
    known = datasets()
    if dataset not in known:
        raise UsageError(
            "ASKNOWN-DRIFT-002",
            f"expected a dataset with an `extra`, found {dataset!r}.",
            hint=f"use one of: {', '.join(known)}.",
        )
    return lake(config).load_table(f"bronze.{dataset}")


def _day(value: object) -> date:
    if isinstance(value, datetime):
        return value.astimezone(UTC).date()
    return value if isinstance(value, date) else EPOCH + timedelta(days=int(str(value)))
