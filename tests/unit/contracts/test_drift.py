"""Drift of what sources send beside the contract: what counts as a change, and what does not."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.contracts.drift import KEYS, SOURCES, Kind, Profile, compare, kind_of, not_compared
from asknown.storage.drift import count_batch, kinds


def profile(records: int, **values: list[str | None]) -> Profile:
    """Return a profile of one source whose keys had these values, each as often as is said."""
    found = Profile("trade", "2024-01-01", "2024-01-02")
    found.add_records("nse", records)
    for key, each in values.items():
        for value in each:
            found.add_values("nse", key, kind_of(value), records // len(each))
    return found


def drifts(before: Profile, now: Profile) -> list[tuple[str, str, str, str]]:
    return [(d.key, str(d.what), d.before, d.now) for d in compare(before, now)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, Kind.EMPTY),
        ("", Kind.EMPTY),
        ("true", Kind.BOOLEAN),
        ("-12", Kind.INTEGER),
        ("1.5", Kind.DECIMAL),
        (".5e-3", Kind.DECIMAL),
        ("2024-01-02", Kind.DATE),
        ("2024-01-02T03:04:05.678Z", Kind.TIME),
        ("2024-01-02 03:04+05:30", Kind.TIME),
        ("1,234", Kind.TEXT),
        ("NaN", Kind.TEXT),
        ("12\n", Kind.TEXT),
        ("٣", Kind.TEXT),
    ],
)
def test_kind_of_a_value_is_what_it_looks_like(text: str | None, kind: Kind) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ({"a": ["1"]}, {"a": ["2"]}, []),
        ({"a": ["1"]}, {"a": ["2"], "b": ["x"]}, [("b", "new key", "-", "text")]),
        ({"a": ["1"], "b": ["x"]}, {"a": ["2"]}, [("b", "vanished key", "text", "-")]),
        (
            {"a": ["1"]},
            {"a": ["1", "-"]},
            [("a", "changed type", "integer", "integer 50 %, text 50 %")],
        ),
        ({"a": ["x"]}, {"a": ["1"]}, [("a", "changed type", "text", "integer")]),
        ({"a": ["1.5", "1"]}, {"a": ["2", "2.5"]}, []),
        ({"a": ["1.5"]}, {"a": ["2"]}, [("a", "changed type", "decimal", "integer")]),
        ({"a": ["1"]}, {"a": ["1.5"]}, [("a", "changed type", "integer", "decimal")]),
        ({"a": ["1", ""]}, {"a": ["1"]}, []),
        ({"a": [""]}, {"a": ["1"]}, []),
        ({"a": ["x", "1"]}, {"a": ["2024-01-01", "x", "1"]}, []),
    ],
)
def test_keys_that_changed_are_named_with_what_they_were(
    before: dict[str, list[str | None]],
    now: dict[str, list[str | None]],
    found: list[tuple[str, str, str, str]],
) -> None:
    assert drifts(profile(600, **before), profile(600, **now)) == found


def test_rare_key_that_did_not_come_among_few_records_has_not_vanished() -> None:
    before = profile(100_000)
    before.add_values("nse", "rare", Kind.TEXT, 10)
    assert compare(before, profile(100_000)) == []
    assert drifts(before, profile(1_000_000)) == [("rare", "vanished key", "text", "-")]


def test_source_without_a_baseline_is_named_and_not_compared() -> None:
    now = profile(10, a=["1"])
    now.add_records("new", 5)
    now.add_values("new", "b", Kind.TEXT, 5)
    assert compare(profile(10, a=["1"]), now) == []
    assert not_compared(profile(10, a=["1"]), now) == ["new"]


def test_profile_stays_small_whatever_comes() -> None:
    found = Profile("trade", "", "")
    for number in range(2 * KEYS):
        found.add_records(f"s{number}", 1)
        found.add_values("s0", f"{number:04}" * 100, Kind.TEXT, 1)
    assert len(found.sources) == SOURCES
    assert found.records == 2 * KEYS
    assert len(found.sources["s0"].keys) == KEYS
    assert found.sources["s0"].further == KEYS
    assert max(len(key) for key in found.sources["s0"].keys) <= 128
    assert compare(found, found) == []


texts = st.one_of(
    st.text(alphabet="0123456789+-.eE:TZ truefalsTRUE\n", max_size=12), st.text(max_size=6)
)


@settings(deadline=None)
@given(st.lists(st.none() | texts, min_size=1))
def test_arrow_sees_the_kinds_that_python_sees(values: list[str | None]) -> None:
    found = kinds(pa.array(values, pa.string())).to_pylist()
    assert found == [str(kind_of(value)) for value in values]


extras = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.none() | texts, max_size=3)
records = st.lists(st.tuples(st.sampled_from(["x", "y"]), extras), min_size=1, max_size=30)


@settings(deadline=None)
@given(records, st.integers(1, 30))
def test_profile_is_the_same_however_the_records_are_cut(
    rows: list[tuple[str, dict[str, str | None]]], size: int
) -> None:
    one_by_one, batched = Profile("trade", "", ""), Profile("trade", "", "")
    for source, extra in rows:
        one_by_one.add_records(source, 1)
        for key, value in extra.items():
            one_by_one.add_values(source, key, kind_of(value), 1)
    schema = pa.schema([("source", pa.string()), ("extra", pa.map_(pa.string(), pa.string()))])
    table = pa.table(
        {"source": [s for s, _ in rows], "extra": [list(e.items()) for _, e in rows]}, schema
    )
    for batch in table.to_batches(max_chunksize=size):
        count_batch(batched, batch)
    assert batched.document() == one_by_one.document()
    assert Profile.of(batched.document()).document() == batched.document()
    assert compare(one_by_one, batched) == []
