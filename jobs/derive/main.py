"""Wire the derive job for `flink run`: normalized topics in, bars and measurements out."""

from __future__ import annotations

from jobs.derive import pipeline
from jobs.runtime import environment, kafka, sinks
from jobs.runtime.run import RunConfig
from jobs.runtime.tables import BEHIND_WATERMARK, Tables


def main() -> None:
    """Build the pipeline over Kafka and submit it."""
    run = RunConfig.from_args("derive")
    env = environment.streaming(run)
    topics = [f"normalized.{dataset}" for dataset in run.datasets]
    sources = {topic: kafka.source_table(env, run, topic) for topic in topics}
    tables = Tables(env, sources, late=BEHIND_WATERMARK)
    sinks.write_to_kafka(env, run, pipeline.build(tables))


if __name__ == "__main__":
    main()
