"""Send what a heal has found, exactly once.

Rows, bar revisions and markers of whole minutes go in one transaction. Heals share one
transactional id, so a second one ends the first; each reads the markers after that, when no
transaction of another can still be open. So a heal that dies anywhere heals nothing twice, and no
bar is without the records it was revised for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaException

from asknown.contracts.catalog import contract
from asknown.contracts.registry import RegistryClient
from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.storage.avro_columns import encode
from asknown.storage.heal_fates import Fates
from asknown.storage.transaction import Transactions

TRANSACTION = "asknown.heal"
TIMEOUT_MS = 180_000  # of a transaction; a minute with a million late records takes half of it
CHUNK = 60_000  # records of one transaction, unless a single minute has more
_SLICE = 100_000  # records encoded at once
_COORDINATES = {"part": "partition", "place": "offset"}

Note = Callable[[str], None]


class Sender:
    """Writes heals; `begin_alone` ends every other one. Raises ASKNOWN-HEAL-002 when ended."""

    def __init__(self, config: Settings, properties: Mapping[str, Any]) -> None:
        self._config = config
        self._transactions = Transactions(config, properties, TRANSACTION, TIMEOUT_MS)
        self._schemas: dict[str, int] = {}

    def begin_alone(self) -> None:
        """End whatever transaction another heal has open, and its right to another one."""
        try:
            self._transactions.begin_alone()
        except KafkaException as error:
            raise self._refused(error) from error

    def hand_over(self, topic: str, rows: Any) -> None:
        """Write rows of one topic, so many in a transaction; needs `begin_alone`."""
        self._register(topic)
        try:
            for start in range(0, rows.num_rows, CHUNK):
                with self._transactions.whole():
                    self._write(topic, rows.slice(start, CHUNK))
        except KafkaException as error:
            raise self._refused(error) from error

    def send(self, fates: Fates, note: Note = lambda _: None) -> None:
        """Write everything; what was committed when it fails is healed, the rest is not."""
        self._register(*fates.tables)
        written = 0
        try:
            for piece in fates.pieces(CHUNK):
                with self._transactions.whole():
                    for topic, rows in piece.items():
                        self._write(topic, rows)
                written += sum(rows.num_rows for rows in piece.values())
                note(f"{written:,} rows, bars and markers are committed")
        except KafkaException as error:
            raise self._refused(error) from error

    def _register(self, *topics: str) -> None:
        with RegistryClient(self._config.registry_url) as registry:
            for topic in topics:
                c = contract(topic)
                self._schemas[topic] = registry.register(c.topic.subject, c.avro)

    def _write(self, topic: str, rows: Any) -> None:
        names = [_COORDINATES.get(name, name) for name in rows.column_names]
        rows = rows.rename_columns(names)
        for start in range(0, rows.num_rows, _SLICE):
            part = rows.slice(start, _SLICE)
            values = encode(contract(topic), self._schemas[topic], part)
            self._transactions.send_all(topic, values, part["entity_id"].to_pylist())

    def _refused(self, error: KafkaException) -> AsknownError:
        return AsknownError(
            "ASKNOWN-HEAL-002",
            f"expected Kafka to commit the heal, found: {error}.",
            where=self._config.bootstrap_servers,
            hint="was another heal begun? Run the command again: nothing is healed twice.",
        )
