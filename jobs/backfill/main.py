"""Wire a bounded run for `flink run`: bronze in; whole partitions, or files of a replay, out."""

from __future__ import annotations

from asknown.settings import settings
from jobs.backfill import wiring
from jobs.backfill.run import Run
from jobs.normalize import sessions
from jobs.normalize.main import FIRST, VENUES
from jobs.runtime import environment, lakehouse


def main() -> None:
    """Recompute the days of the run and wait until they are committed."""
    run = Run.from_args()
    env = environment.bounded("backfill", run.parallelism)
    lakehouse.use_catalog(env, settings())
    session_sql = sessions.render({v: sessions.open_days(v, FIRST) for v in VENUES})
    statements = env.create_statement_set()
    for insert in wiring.statements(env, run, session_sql):
        statements.add_insert_sql(insert)
    statements.execute().wait()


if __name__ == "__main__":
    main()
