"""Wire a bounded run for `flink run`: bronze in; whole partitions of silver and gold out."""

from __future__ import annotations

import argparse
from datetime import date

from asknown.settings import settings
from jobs.backfill import pipeline
from jobs.normalize import pipeline as normalize
from jobs.normalize import sessions
from jobs.normalize.main import FIRST, VENUES
from jobs.runtime import environment, lakehouse
from jobs.runtime.tables import Tables


def main() -> None:
    """Recompute the days [first, end) and wait for the commit."""
    parser = argparse.ArgumentParser(prog="backfill")
    # Not --from: Flink's client takes that for its own --fromSavepoint.
    parser.add_argument("--first-day", dest="first", type=date.fromisoformat, required=True)
    parser.add_argument("--end-day", dest="end", type=date.fromisoformat, required=True)
    parser.add_argument("--parallelism", type=int, default=1)
    chosen = parser.parse_args()
    env = environment.bounded("backfill", chosen.parallelism)
    lakehouse.use_catalog(env, settings())
    window = (f"{chosen.first} 00:00:00", f"{chosen.end} 00:00:00")
    views = {topic: lakehouse.raw_view(env, topic, window) for topic in ("raw.trade", "raw.quote")}
    views[normalize.CHANGES] = lakehouse.changes_view(env)
    session_sql = sessions.render({v: sessions.open_days(v, FIRST) for v in VENUES})
    statements = env.create_statement_set()
    for topic, view in pipeline.build(Tables(env, views), session_sql).items():
        statements.add_insert_sql(lakehouse.overwrite(topic, view))
    statements.execute().wait()


if __name__ == "__main__":
    main()
