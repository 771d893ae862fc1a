"""A streamed and healed day is recomputed, corrupted, found, mended and published.

The tests are steps of one story, in the order of the file.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import In

from asknown.errors import AsknownError
from asknown.ingestion.connectors.synthetic import SessionSpec
from asknown.ingestion.replay import Pace
from asknown.settings import Settings
from asknown.stack.paths import Paths
from asknown.stack.trino import java_home
from asknown.storage.iceberg import lake
from asknown.storage.partition_sums import REBUILT, of_day, sum_of_day
from tests.e2e.judge import judge_equal
from tests.e2e.sessions import Day, Sender, load_reference
from tests.e2e.surfaces import BARS, COORDINATES, NORMALIZED, Surfaces
from tests.e2e.verdict import Sent, wait_until_through

DAY = Day(8)
DATE, NEXT = str(DAY.date), str(DAY.date + timedelta(days=1))
SPEC = SessionSpec(5_000, 301)
SILVER = "silver.trade"
LOST = 3

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.clock(DATE)]


@pytest.fixture(scope="module")
def healed(pipeline: Any, surfaces: Surfaces, eventually: Any) -> dict[str, Any]:
    """Send a session with a split and late records, heal it; return the sums of its day."""
    config = pipeline.settings
    load_reference(config, SPEC)
    since = surfaces.now()
    with Sender(config, SPEC, DAY, Pace(speed=60, settle_seconds=8)) as sender:
        eventually(sender.done, 120, "the end of the session")
    wait_until_through(pipeline, eventually, surfaces, Sent(sender.expected, since, surfaces.now()))
    assert pipeline.json("heal")["found"]
    assert pipeline.json("ledger", "--wait", "120", check=False)["closed"]
    return sums(config, DAY.date)


@pytest.fixture(scope="module")
def corrupted(healed: dict[str, Any], pipeline: Any) -> list[str]:
    """Delete rows of silver as a bug would; return their ids."""
    assert healed[SILVER].rows > LOST
    table = lake(pipeline.settings).load_table(SILVER)
    ids = table.scan(of_day(DAY.date), selected_fields=("event_id",)).to_arrow()["event_id"]
    lost = sorted(ids.to_pylist())[:LOST]
    for _ in range(20):  # the lake job commits to the same table
        try:
            lake(pipeline.settings).load_table(SILVER).delete(In("event_id", set(lost)))
            break
        except CommitFailedException:
            continue
    return lost


def sums(config: Settings, day: date) -> dict[str, Any]:
    return {table: sum_of_day(table, day, config) for table in REBUILT}


def contents(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in COORDINATES} for row in rows]


def test_backfill_as_known_holds_what_streamed_and_was_healed(
    healed: dict[str, Any], pipeline: Any
) -> None:
    done = pipeline.json("backfill", "apply", "--from", DATE, "--to", NEXT)
    assert done["status"] == "applied"
    assert sums(pipeline.settings, DAY.date) == healed
    shown = pipeline.json("backfill", "show", done["run"])
    for table, pair in shown["entries"][-2]["detail"]["tables"].items():
        assert pair["before"]["checksum"] == pair["after"]["checksum"] == healed[table].checksum
        assert pair["before"]["rows"] == pair["after"]["rows"] == healed[table].rows


def test_corrupted_partition_is_found_planned_mended_and_published(
    healed: dict[str, Any], corrupted: list[str], pipeline: Any, surfaces: Surfaces
) -> None:
    assert sums(pipeline.settings, DAY.date)[SILVER].rows == healed[SILVER].rows - len(corrupted)
    window = ("--from", DATE, "--to", NEXT)
    checked = pipeline.run("backfill", "verify", *window, "-o", "json", check=False)
    assert checked.returncode == 3, checked.stderr
    found = json.loads(checked.stdout)
    wrong = [(one["table"], one["day"]) for one in found["partitions"] if not one["equal"]]
    assert wrong == [(SILVER, DATE)]

    planned = pipeline.json(*shlex.split(found["next"])[1:])
    assert planned["days"].keys() == {DATE}
    run = planned["run"]
    pipeline.json("backfill", "apply", run)
    assert pipeline.json("backfill", "verify", run)["equal"]
    assert sums(pipeline.settings, DAY.date) == healed

    assert pipeline.json("backfill", "publish", run)["status"] == "published"
    _agree(pipeline, surfaces)


def _agree(pipeline: Any, surfaces: Surfaces) -> None:
    """Check that ClickHouse and the API say what the lake does, row by row."""
    start, end = (f"toDateTime64('{day} 00:00:00', 3, 'UTC')" for day in (DATE, NEXT))
    for topic in (NORMALIZED, "normalized.quote"):
        stored = surfaces.query(topic, f"WHERE event_time >= {start} AND event_time < {end}")
        assert all(row["kafka_partition"] < 0 for row in stored)
        ours = contents(surfaces.scan(topic, of_day(DAY.date)))
        assert judge_equal("ClickHouse", ours, contents(stored)) == []
    bars = surfaces.scan(BARS, of_day(DAY.date))
    newest = surfaces.query(
        BARS,
        f"WHERE event_time >= {start} AND event_time < {end} ORDER BY revision DESC LIMIT 1 BY"
        " entity_id, interval_seconds, price_type, bar_start, factor_version",
    )
    assert judge_equal("ClickHouse", contents(bars), contents(newest)) == []

    import httpx2

    rows = surfaces.scan(NORMALIZED, of_day(DAY.date))
    entity, count = Counter(row["entity_id"] for row in rows).most_common(1)[0]
    asked = {"entity_ids": entity, "start": DATE, "end": NEXT, "limit": str(count + 1)}
    answer = httpx2.get(f"{pipeline.settings.api_url}/v1/trades", params=asked, timeout=30)
    prices = {row["event_id"]: Decimal(str(row["price"])) for row in answer.json()["data"]}
    assert prices == {r["event_id"]: r["price"] for r in rows if r["entity_id"] == entity}


@contextmanager
def full_disk(folder: Path, spare: int) -> Iterator[Callable[[], None]]:
    """Put a file system under `folder` that has `spare` bytes left; yield what makes room.

    What was written meanwhile is there afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="asknown-disk-") as beside:
        shutil.copytree(folder, beside, dirs_exist_ok=True)
        done = _mount(folder, "size=256m")
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        filler = folder / "filler"
        try:
            shutil.copytree(beside, folder, dirs_exist_ok=True)
            filler.write_bytes(bytes(shutil.disk_usage(folder).free - spare))
            yield filler.unlink
        finally:
            filler.unlink(missing_ok=True)
            shutil.copytree(folder, beside, dirs_exist_ok=True)
            # Lazily: a task that has just failed may hold a file there.
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
            shutil.copytree(beside, folder, dirs_exist_ok=True)


def _mount(folder: Path, options: str) -> subprocess.CompletedProcess[str]:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


@pytest.mark.storm  # two minutes that `make test`, which has an hour, leaves to test-storm
def test_backfill_onto_a_full_disk_changes_nothing_and_goes_on_when_there_is_room(
    healed: dict[str, Any], pipeline: Any
) -> None:
    planned = pipeline.json("backfill", "plan", "--from", DATE, "--to", NEXT, "--why", "a trial")
    data = pipeline.settings.data_dir / "warehouse" / "silver" / "trade" / "data"
    before = sums(pipeline.settings, DAY.date)
    with full_disk(data, spare=16 * 1024) as make_room:
        failed = pipeline.run("backfill", "apply", planned["run"], check=False)
        assert failed.returncode == 1, failed.stdout
        assert "backfill failed:" in failed.stderr
        assert "No space left on device" in failed.stderr
        assert sums(pipeline.settings, DAY.date) == before == healed
        assert pipeline.json("backfill", "show", planned["run"])["status"] == "failed"
        make_room()
        assert pipeline.json("backfill", "retry", planned["run"])["status"] == "applied"
        assert sums(pipeline.settings, DAY.date) == healed
    assert sums(pipeline.settings, DAY.date) == healed


def test_trino_says_what_the_lake_does_after_the_repair(
    healed: dict[str, Any], pipeline: Any, surfaces: Surfaces
) -> None:
    try:
        java_home(pipeline.settings)
    except AsknownError as error:
        pytest.skip(str(error))
    if not Paths.of(pipeline.settings).trino_server.exists():
        pytest.skip("Trino is not there: make trino")
    pipeline.run("up", "--only", "trino", "--with", "trino")
    for table, topic, number in (
        ("silver.trade", NORMALIZED, "price"),
        ("silver.quote", "normalized.quote", "bid_price"),
        ("gold.bar", BARS, "close"),
    ):
        rows = surfaces.scan(topic, of_day(DAY.date))
        (found,) = pipeline.json(
            "sql",
            f"SELECT count(*) AS n, count(DISTINCT event_id) AS ids, sum({number}) AS total, "
            f"max(event_id) AS last FROM lake.{table} "
            f"WHERE event_time >= TIMESTAMP '{DATE}' AND event_time < TIMESTAMP '{NEXT}'",
        )
        ids = {row["event_id"] for row in rows}
        assert (found["n"], found["ids"]) == (len(rows), len(ids)), table
        if rows:
            assert found["last"] == max(ids)
            total = sum((row[number] for row in rows), Decimal(0))
            assert Decimal(str(found["total"])) == total, table
