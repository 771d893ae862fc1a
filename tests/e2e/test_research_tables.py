"""The research tables of the sample companies, computed on the stack from what was ingested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from asknown.features.definitions import definitions
from asknown.research import connect
from tests.e2e.surfaces import Surfaces
from tests.unit.features import reference

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.clock("2013-03-01")]
COMPANIES = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


@pytest.fixture(scope="module")
def computed(pipeline: Any, surfaces: Surfaces, eventually: Any) -> Any:
    """Load and ingest the companies, compute, and return what was computed and a connection."""
    pytest.importorskip("bokeh_sampledata", reason="the sample companies are not installed")
    pipeline.run("reference", "load", "samples")
    since = surfaces.now()
    sent = pipeline.json("ingest", "samples")
    assert pipeline.json("ledger", "--wait", "180", check=False)["closed"]
    wanted = len(surfaces.kafka("normalized.bar", since))
    assert wanted > 10_000, sent
    eventually(lambda: len(surfaces.iceberg("normalized.bar", since)) == wanted, 60, "silver.bar")
    with connect(config=pipeline.settings) as lake:
        (market,) = lake.resolve("MSFT", on="2012-06-01").to_arrow()["entity_id"].to_pylist()
        venue = lake.bars("MSFT", "2012-06-01", "2012-07-01").to_arrow()["venue"][0].as_py()
        done = pipeline.json("research", "compute", "--benchmark", f"{venue}={market}")
        yield {"done": done, "lake": lake, "pipeline": pipeline}


def test_compute_fills_each_table(computed: dict[str, Any]) -> None:
    rows = computed["done"]["rows"]
    assert rows["gold.daily_bar"] > 10_000
    assert rows["gold.feature"] > 100_000
    assert rows["gold.universe_member"] >= len(COMPANIES)


@pytest.mark.parametrize(
    "name", [one.name for one in definitions().features if one.measure != "beta"]
)
def test_feature_read_by_the_library_is_what_pandas_gives(
    computed: dict[str, Any], name: str
) -> None:
    days = computed["lake"].table("gold.daily_bar").to_pandas()
    listing = computed["lake"].features(name, symbols=["IBM"]).to_pandas()["entity_id"].iloc[0]
    frame = days[(days.entity_id == listing) & (days.known_to.dt.year == 9999)]
    frame = frame.sort_values("trade_date").reset_index(drop=True)
    frame[["open", "high", "low", "close", "volume"]] = frame[
        ["open", "high", "low", "close", "volume"]
    ].astype(float)
    expected = reference.FEATURES[name](frame)
    found = computed["lake"].features(name, symbols=["IBM"]).to_pandas()["value"].to_numpy()
    assert found == pytest.approx(expected[np.isfinite(expected)].to_numpy(), rel=1e-8, abs=1e-11)


def test_compute_again_changes_nothing(computed: dict[str, Any]) -> None:
    before = computed["lake"].table("gold.feature").to_arrow().num_rows
    again = computed["pipeline"].json("research", "compute")  # without a market: no beta
    features = computed["lake"].table("gold.feature").to_arrow()
    rest = [n for n in features["feature_name"].to_pylist() if not n.startswith("beta")]
    assert again["rows"]["gold.daily_bar"] == computed["done"]["rows"]["gold.daily_bar"]
    assert features.num_rows == before
    assert len(rest) < before
