"""Keep every topic in its Iceberg table.

Rendered from the contracts: one view a topic, flattened as the stores hold it. Append-only; a
record's coordinates go with it. Heartbeats are not kept.
"""

from __future__ import annotations

from jobs.runtime.lakehouse import kept
from jobs.runtime.tables import Tables


def build(tables: Tables) -> dict[str, str]:
    """Return, by topic, the SELECT of its table's rows."""
    return {topic: kept(topic, tables[topic]) for topic in tables}
