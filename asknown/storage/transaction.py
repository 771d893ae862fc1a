"""Transactions that one process at a time can have: what is written is seen whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaException, Producer

from asknown.settings import Settings

# Readers wait behind an open transaction; that of a dead process ends after this time, or at once
# when the next one of the same name begins.
TIMEOUT_MS = 60_000
_WAIT_S = 30.0
_ATTEMPTS = 4
_BATCH = 10_000  # messages handed to the client at once


class Transactions:
    """A producer whose transactions only one process can have at a time.

    `properties` are the client properties that every producer of ours shares; `name` is the
    transactional id.
    """

    def __init__(
        self,
        config: Settings,
        properties: Mapping[str, Any],
        name: str,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self._producer = Producer(
            {
                **properties,
                "bootstrap.servers": config.bootstrap_servers,
                "client.id": name,
                "transactional.id": name,
                "transaction.timeout.ms": timeout_ms,
                "delivery.timeout.ms": timeout_ms // 2,
            }
        )
        self._wait_s = max(_WAIT_S, timeout_ms / 1000)

    def begin_alone(self) -> None:
        """End whatever transaction another process has open, and its right to another one."""
        self._producer.init_transactions(_WAIT_S)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Write all that is sent inside, or none of it."""
        self._producer.begin_transaction()
        try:
            yield
            self.commit()
        except KafkaException:
            self._abort()
            raise

    def commit(self) -> None:
        """Make what was written visible."""
        for attempt in range(_ATTEMPTS):
            try:
                self._producer.commit_transaction(self._wait_s)
                break
            except KafkaException as error:
                if not error.args[0].retriable() or attempt == _ATTEMPTS - 1:
                    raise

    def send(self, topic: str, value: bytes, key: bytes) -> None:
        """Send one record."""
        while True:
            try:
                return self._producer.produce(topic, value, key)
            except BufferError:
                self._producer.poll(0.1)

    def send_all(self, topic: str, values: Sequence[bytes], keys: Sequence[str]) -> None:
        """Send many records, in their order."""
        produce, poll = self._producer.produce, self._producer.poll
        for number, (value, key) in enumerate(zip(values, keys, strict=True)):
            if number % _BATCH == 0:
                poll(0)
            try:
                produce(topic, value, key)
            except BufferError:
                poll(0.1)
                self.send(topic, value, key.encode())

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(_WAIT_S)
        except KafkaException:
            return  # another process has ended it, or the broker will
