"""Wire the lake job for `flink run`: every topic in, its Iceberg table out."""

from __future__ import annotations

from asknown.contracts.catalog import contract, contracts
from jobs.lake import pipeline
from jobs.runtime import environment, kafka, lakehouse
from jobs.runtime.run import RunConfig
from jobs.runtime.tables import Tables


def main() -> None:
    """Build the copies and submit them as one job."""
    run = RunConfig.from_args("lake")
    env = environment.streaming(run)
    lakehouse.use_catalog(env, run.settings)
    sources = {topic: kafka.source_table(env, run, topic) for topic in contracts()}
    statements = env.create_statement_set()
    for topic, rows in pipeline.build(Tables(env, sources)).items():
        statements.add_insert_sql(lakehouse.append_rows(contract(topic), rows))
    statements.execute()


if __name__ == "__main__":
    main()
