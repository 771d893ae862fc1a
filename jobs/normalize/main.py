"""Wire the normalize job for `flink run`: raw topics in, normalized and lane topics out."""

from __future__ import annotations

from datetime import date

from asknown.reference import calendars
from jobs.normalize import pipeline, sessions
from jobs.runtime import environment, kafka, sinks
from jobs.runtime.run import RunConfig
from jobs.runtime.tables import Tables

VENUES = ("XNSE", "XNYS", "XNAS", "XFXS", "XSIM")
FIRST = date(1999, 1, 1)


def main() -> None:
    """Build the pipeline over Kafka and submit it."""
    run = RunConfig.from_args("normalize")
    env = environment.streaming(run)
    topics = [f"raw.{dataset}" for dataset in run.datasets]
    views = {
        topic: kafka.source_view(env, run, topic, keep_extra=False)
        for topic in [*topics, pipeline.CHANGES]
    }
    session_sql = sessions.render({v: sessions.open_days(v, FIRST) for v in VENUES})
    sinks.write_to_kafka(env, run, pipeline.build(Tables(env, views), session_sql))


if __name__ == "__main__":
    main()
