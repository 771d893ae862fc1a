"""Recompute silver and gold from bronze: the pipelines of the live jobs, one behind the other.

Nothing is defined here: `normalize` and `derive` are imported, so a backfill cannot compute
anything else than the stream did.
"""

from __future__ import annotations

from jobs.derive import pipeline as derive
from jobs.normalize import pipeline as normalize
from jobs.normalize.sessions import SessionSql
from jobs.runtime.tables import Tables


def build(tables: Tables, session: SessionSql) -> dict[str, str]:
    """Return the view of each topic whose table is recomputed."""
    normalized = {
        topic: view
        for topic, view in normalize.build(tables, session).items()
        if topic.startswith("normalized.")
    }
    bars = derive.build(tables.following(normalized))["analytics.bar"]
    return {**normalized, "analytics.bar": bars}
