"""Place keys in partitions as Kafka's Java clients do: murmur2, positive, modulo."""

from __future__ import annotations

from itertools import count

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """Return the 32-bit murmur2 hash of `key` with the seed Kafka's clients use."""
    length = len(key)
    value = (_SEED ^ length) & _MASK
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little")
        word = (word * _MULTIPLIER) & _MASK
        word ^= word >> 24
        word = (word * _MULTIPLIER) & _MASK
        value = ((value * _MULTIPLIER) & _MASK) ^ word
    if length > whole:
        value ^= int.from_bytes(key[whole:], "little")
        value = (value * _MULTIPLIER) & _MASK
    value ^= value >> 13
    value = (value * _MULTIPLIER) & _MASK
    return value ^ (value >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition a Java producer would choose for `key`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def heartbeat_keys(partitions: int) -> list[bytes]:
    """Return one `heartbeat-<n>` key per partition, each the first n that hashes to it."""
    found: dict[int, bytes] = {}
    for number in count():
        key = b"heartbeat-%d" % number
        found.setdefault(partition_of(key, partitions), key)
        if len(found) == partitions:
            return [found[partition] for partition in range(partitions)]
    raise AssertionError  # count() does not end
