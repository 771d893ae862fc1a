"""Kafka's partitioner hash against the vectors of the Java client."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.contracts.partitions import keys_by_partition, murmur2, partition_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
JAVA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), JAVA_VECTORS.items())
def test_murmur2_java_vector_gives_the_same_bits(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed % 2**32


@given(st.text(max_size=40), st.integers(1, 64))
def test_partition_any_key_lies_within_the_topic(key: str, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


@given(st.integers(1, 32))
def test_heartbeat_keys_any_count_hit_each_partition_once(partitions: int) -> None:
    keys = keys_by_partition("heartbeat", partitions)
    assert [partition_of(key, partitions) for key in keys] == list(range(partitions))
