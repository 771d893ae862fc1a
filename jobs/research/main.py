"""Wire the research job for `flink run`: the lake's daily bars and history in, gold out."""

from __future__ import annotations

from asknown.contracts.tables import lake_table
from asknown.features.definitions import definitions
from asknown.settings import settings
from jobs.research import pipeline
from jobs.research.run import Run
from jobs.runtime import environment, lakehouse
from jobs.runtime.tables import Tables


def main() -> None:
    """Compute all research tables and wait until they are committed."""
    run = Run.from_args()
    env = environment.bounded("research", run.parallelism)
    lakehouse.use_catalog(env, settings())
    tables = Tables(env, lakehouse.stored_views(env, pipeline.BARS, pipeline.HISTORY))
    defined = definitions().against(run.benchmarks)
    statements = env.create_statement_set()
    for name, view in pipeline.build(tables, defined).items():
        statements.add_insert_sql(lakehouse.replace_rows(lake_table(name), view))
    statements.execute().wait()


if __name__ == "__main__":
    main()
