"""Wire the reference job for `flink run`: raw facts and actions in, truth and change points out."""

from __future__ import annotations

from jobs.reference import pipeline
from jobs.runtime import environment, kafka, sinks
from jobs.runtime.run import RunConfig
from jobs.runtime.tables import BEHIND_WATERMARK, Tables


def main() -> None:
    """Build the pipeline over Kafka and submit it."""
    run = RunConfig.from_args("reference")
    env = environment.streaming(run)
    sources = {topic: kafka.source_table(env, run, topic) for topic in pipeline.RAW}
    sources[pipeline.CLOSES] = kafka.timeless_table(env, run, pipeline.CLOSES)
    tables = Tables(env, sources, late=BEHIND_WATERMARK)
    sinks.write_to_kafka(env, run, pipeline.build(tables, run.not_before_ms))


if __name__ == "__main__":
    main()
