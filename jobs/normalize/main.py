"""Wire the normalize job for `flink run`: raw topics in, normalized and lane topics out."""

from __future__ import annotations

from datetime import date

from jobs.normalize import pipeline, sessions
from jobs.runtime import environment, kafka, sinks
from jobs.runtime.run import RunConfig
from jobs.runtime.tables import BEHIND_WATERMARK, Tables

VENUES = ("XNSE", "XNYS", "XNAS", "XFXS", "XSIM")
FIRST = date(1999, 1, 1)


def main() -> None:
    """Build the pipeline over Kafka and submit it."""
    run = RunConfig.from_args("normalize")
    env = environment.streaming(run)
    topics = [f"raw.{dataset}" for dataset in run.datasets]
    sources = {
        topic: kafka.source_table(env, run, topic, without=pipeline.UNREAD, aligned=True)
        for topic in [*topics, pipeline.CHANGES]
    }
    session_sql = sessions.render({v: sessions.open_days(v, FIRST) for v in VENUES})
    tables = Tables(env, sources, late=BEHIND_WATERMARK)
    sinks.write_to_kafka(env, run, pipeline.build(tables, session_sql, rules=run.rules))


if __name__ == "__main__":
    main()
