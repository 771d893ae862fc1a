"""The hash by which Kafka's Java client chooses partitions.

Heartbeats need a key for each partition, and change points go to the partition of their raw key,
so the choice the brokers' clients make has to be known before sending.
"""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_SHIFT = 24


def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of `data`, unsigned, with the seed Kafka uses.

    Java prints the same 32 bits as a signed int; subtract 2**32 when the top bit is set.
    """
    length = len(data)
    state = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ word >> _SHIFT) * _MULTIPLIER & _MASK
        state = state * _MULTIPLIER & _MASK ^ word
    if tail := data[whole:]:
        state = (state ^ int.from_bytes(tail, "little")) * _MULTIPLIER & _MASK
    state = (state ^ state >> 13) * _MULTIPLIER & _MASK
    return state ^ state >> 15


def partition_of(key: str, partitions: int) -> int:
    """Return the partition Kafka's default partitioner gives `key` (UTF-8) among `partitions`.

    The sign bit is cleared first, as `Utils.toPositive` does.
    """
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def keys_by_partition(prefix: str, partitions: int) -> tuple[str, ...]:
    """Return for each partition the first of `<prefix>-0`, `<prefix>-1`, ... that falls into it."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        key = f"{prefix}-{number}"
        found.setdefault(partition_of(key, partitions), key)
        number += 1
    return tuple(found[partition] for partition in range(partitions))
