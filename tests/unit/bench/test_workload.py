"""W1: deterministic, never late, and readable by anybody's Avro."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import fastavro
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import columns, encode, generate
from bench.partitioning import heartbeat_keys, murmur2, partition_of
from bench.workload import DUPLICATE, POISON, POISON_KINDS, UNIQUE, W1, arrivals, population

IDS = {generate.TRADE: 1, generate.QUOTE: 2, generate.CHANGE: 3}
SMALL = W1(events=20_000, entities=60)


@pytest.fixture(scope="module")
def written() -> generate.Written:
    people = population(SMALL)
    a = arrivals(SMALL, people)
    return generate.Written(SMALL, people, a, *generate.place(SMALL, people, a))


@pytest.fixture(scope="module")
def stored(written: generate.Written) -> list[bytes | None]:
    blocks = generate.values(SMALL, written.people, written.arrivals, IDS)
    return [value for _, block in blocks for value in block]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"abc", 479470107),
    ],
)
def test_murmur2_of_known_keys_equals_javas(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected % 2**32


def test_heartbeat_keys_hash_to_the_partition_they_stand_for() -> None:
    assert [partition_of(key, 4) for key in heartbeat_keys(4)] == [0, 1, 2, 3]


def test_generator_with_one_seed_writes_the_same_bytes(
    written: generate.Written, stored: list[bytes | None]
) -> None:
    again = arrivals(SMALL, population(SMALL))
    blocks = generate.values(SMALL, written.people, again, IDS)
    assert [value for _, block in blocks for value in block] == stored


def test_mixture_has_the_shares_it_states(written: generate.Written) -> None:
    kind = written.arrivals.kind
    assert (kind == DUPLICATE).sum() == 200
    assert (kind >= POISON).sum() == 40
    assert set(kind[kind >= POISON] - POISON) == set(range(len(POISON_KINDS)))
    original = written.arrivals.event_ms[kind == UNIQUE]
    behind = (np.maximum.accumulate(original) > original).mean()
    assert 0.04 < behind < 0.06


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(200, 30_000))
def test_no_record_is_late_in_its_own_partition(seed: int, events: int) -> None:
    w = W1(events=events, entities=20, seed=seed)
    people = population(w)
    a = arrivals(w, people)
    partition, _ = generate.place(w, people, a)
    for p in range(w.partitions):
        times = a.event_ms[partition == p]
        assert (times > np.maximum.accumulate(times) - 10_000).all()


def test_ids_are_unique_but_for_duplicates(written: generate.Written) -> None:
    a = written.arrivals
    once = a.kind != DUPLICATE
    assert len(np.unique(a.event_id[once])) == once.sum()
    assert (a.event_id[~once] == a.event_id[a.original[~once]]).all()


def test_duplicates_repeat_the_bytes_and_the_partition(
    written: generate.Written, stored: list[bytes | None]
) -> None:
    a = written.arrivals
    rows = np.flatnonzero(a.kind == DUPLICATE)
    assert len(rows)
    assert all(stored[row] == stored[a.original[row]] for row in rows)
    assert (written.partition[rows] == written.partition[a.original[rows]]).all()


def test_every_good_record_decodes_with_fastavro_to_its_columns(
    written: generate.Written, stored: list[bytes | None]
) -> None:
    schema, a = generate.schema(generate.TRADE), written.arrivals
    for row in np.flatnonzero(a.kind < POISON)[::37]:
        value = stored[row]
        assert value is not None
        assert 95 <= len(value) <= 130
        rest = io.BytesIO(value[5:])
        record = fastavro.schemaless_reader(rest, schema, None)
        assert not rest.read()
        payload = record["payload"]
        assert record["event_id"].encode() == a.event_id[row]
        assert record["entity_id"].encode() == written.people.keys[a.entity[row]]
        assert record["event_time"] == datetime.fromtimestamp(a.event_ms[row] / 1000, UTC)
        assert payload["price"] == encode.decimal(int(a.price[row]))
        assert payload["size"] == encode.decimal(int(a.size[row]))
        assert payload["sequence"] == a.sequence[row]
        assert payload["extra"] == {}


def test_poison_is_undecodable_or_of_another_schema(
    written: generate.Written, stored: list[bytes | None]
) -> None:
    schema, kind = generate.schema(generate.TRADE), written.arrivals.kind
    seen = set()
    for row in np.flatnonzero(kind >= POISON):
        name, value = POISON_KINDS[kind[row] - POISON], stored[row]
        seen.add(name)
        if name in ("null_value", "empty", "one_byte"):
            assert not value or value == b"\x00"
            continue
        assert value is not None
        framed = value[:5] == encode.header(1)
        assert framed == (name in ("truncated_body", "random_body"))
        if framed:
            with pytest.raises(Exception):  # noqa: B017  # whatever the garbage leads to
                fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
    assert seen == set(POISON_KINDS)


def test_change_points_move_some_instruments_inside_the_file(written: generate.Written) -> None:
    people, a = written.people, written.arrivals
    assert (np.diff(people.effective_ms, axis=1) > 0).all()
    inside = people.effective_ms[:, -1] > 1_730_087_100_000
    assert inside.sum() == round(60 * 0.02) + 1
    assert (people.listing[inside, 0] != people.listing[inside, 1]).any()
    assert (people.share_factor[inside, 1] == 2.0).any()
    chosen = people.effective_ms[a.entity, a.change]
    assert (chosen <= a.event_ms).all()
    points = encode.change_points(generate.schema(generate.CHANGE), 3, people)
    assert len(points) == people.effective_ms.size


def test_oracle_file_read_back_equals_what_was_saved(written: generate.Written, tmp_path) -> None:
    path = tmp_path / "w1.npz"
    generate.save(written, path)
    again = generate.load(path)
    assert again.workload == SMALL
    assert (again.arrivals.event_id == written.arrivals.event_id).all()
    assert (again.people.price_factor == written.people.price_factor).all()
    assert (again.offset == written.offset).all()


def test_columns_of_records_with_nulls_equal_what_was_written() -> None:
    schema = generate.schema(generate.TRADE)
    at = 1_730_087_100_000
    key = heartbeat_keys(1)[0]
    beat = encode.heartbeat(schema, 1, key, at)
    a = arrivals(SMALL, population(SMALL))
    trade = encode.records(encode.TradeEncoder(1, population(SMALL)).matrix(a, np.arange(3)))
    wanted = ("source", "event_id", "payload.price", "payload.symbol")
    found = columns.decode([beat, *trade, beat], schema, wanted)
    assert found["source"].tolist() == [b"heartbeat", b"bench", b"bench", b"bench", b"heartbeat"]
    assert found["payload.price"].tolist() == [0, *a.price[:3].tolist(), 0]
    assert found["event_id"][1:4].tolist() == a.event_id[:3].tolist()
    only_beats = columns.decode([beat], schema, wanted)
    assert only_beats["payload.price"].dtype == np.int64


def test_columns_of_a_cut_record_are_refused() -> None:
    a = arrivals(SMALL, population(SMALL))
    trade = encode.records(encode.TradeEncoder(1, population(SMALL)).matrix(a, np.arange(3)))
    with pytest.raises(columns.UndecodableError):
        columns.decode([*trade, trade[0][:50]], generate.schema(generate.TRADE), ("event_id",))


@pytest.mark.parametrize("events", [0, 99, 226_000_000])
def test_workload_of_an_impossible_size_is_refused(events: int) -> None:
    with pytest.raises(ValueError, match="expected 100 to"):
        W1(events=events)
