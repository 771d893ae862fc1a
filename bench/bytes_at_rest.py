"""Measure how many bytes a normalized trade takes in the lake, against its JSON.

Rows of workload W1 go into a table of the lake as the live job writes them (a file a commit); then
the partition is compacted as `asknown lake maintain` does. JSON is the record of `normalized.trade`
(envelope and payload, no spaces), without coordinates. The last line is JSON; exits with 3 when the
ratio is below the target.

    python -m bench.bytes_at_rest [--events 1000000]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.contracts.catalog import contract
from asknown.contracts.render import iceberg_schema
from asknown.settings import Settings
from asknown.storage.checksum import of_rows
from asknown.storage.iceberg import lake
from asknown.storage.lake_compact import Policy, groups, rewrite
from asknown.storage.lake_layout import partition_spec, properties, sort_columns, sort_order
from bench.normalized_rows import TOPIC, rows_of
from bench.workload import W1

TARGET = 20.0
SAMPLE = 20_000  # rows of which the JSON is measured
COMMITS = 20


def json_bytes(rows: pa.Table) -> float:
    """Return the mean length of a row's record as JSON."""
    c = contract(TOPIC)
    envelope, payload = [f.name for f in c.envelope], [f.name for f in c.payload]
    step = max(1, rows.num_rows // SAMPLE)
    sample = rows.take(pa.array(range(0, rows.num_rows, step))).to_pylist()
    total = 0
    for row in sample:
        record = {name: row[name] for name in envelope}
        record["payload"] = {name: row[name] for name in payload}
        total += len(json.dumps(record, default=str, separators=(",", ":")))
    return total / len(sample)


def measure(events: int, folder: Path) -> dict[str, Any]:
    """Write, compact and measure; returns what is printed."""
    rows = rows_of(W1(events=events))
    config = Settings(
        catalog_address=f"sqlite:///{folder / 'catalog.db'}", warehouse=f"file://{folder}"
    )
    c = contract(TOPIC)
    catalog, schema = lake(config), iceberg_schema(c)
    catalog.create_namespace("silver")
    table = catalog.create_table(
        c.topic.table,
        schema,
        partition_spec=partition_spec(c, schema),
        sort_order=sort_order(schema, sort_columns(c)),
        properties=properties(schema),
    )
    piece = -(-rows.num_rows // COMMITS)
    for start in range(0, rows.num_rows, piece):
        table.append(rows.slice(start, piece))
    before = sum(task.file.file_size_in_bytes for task in table.scan().plan_files())
    began = time.monotonic()
    for group in groups(table, Policy()):
        rewrite(table, group, sort_columns(c))
    seconds = time.monotonic() - began
    tasks = list(table.refresh().scan().plan_files())
    after = sum(task.file.file_size_in_bytes for task in tasks)
    count = sum(task.file.record_count for task in tasks)
    same = of_rows(rows, rows.column_names) == of_rows(table.scan().to_arrow(), rows.column_names)
    record = json_bytes(rows)
    return {
        "bench": "bytes_at_rest",
        "rows": count,
        "json_bytes_per_row": round(record, 1),
        "small_files_bytes_per_row": round(before / count, 2),
        "bytes_per_row": round(after / count, 2),
        "ratio": round(record * count / after, 1),
        "target_ratio": TARGET,
        "files_before": COMMITS,
        "files_after": len(tasks),
        "compaction_rows_per_second": round(count / seconds),
        "same_rows": same,
        "ok": same and record * count / after >= TARGET,
    }


def main() -> int:
    """Run the measurement; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory(prefix="bytes-at-rest-") as folder:
        found = measure(parser.parse_args().events, Path(folder))
    print(json.dumps(found))
    return 0 if found["ok"] else 3


if __name__ == "__main__":
    sys.exit(main())
