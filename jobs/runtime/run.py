"""How one run of a job is set up: which job, which datasets, how wide."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from asknown.settings import Settings, settings

MARKET_DATASETS = ("trade", "quote", "bar")


@dataclass(frozen=True)
class RunConfig:
    """What `flink run` was asked for."""

    job: str
    datasets: tuple[str, ...]
    parallelism: int
    checkpoint_interval_ms: int
    settings: Settings
    not_before_ms: int = 0
    rules: bool = True

    @property
    def group(self) -> str:
        """Return the consumer group, and the prefix of transactional ids, of this job."""
        return f"asknown.{self.job}"

    @classmethod
    def from_args(cls, job: str, argv: Sequence[str] | None = None) -> RunConfig:
        """Read the program arguments that follow `--` in `asknown job submit`."""
        own = settings()
        parser = argparse.ArgumentParser(prog=job)
        parser.add_argument("--datasets", default=",".join(MARKET_DATASETS))
        parser.add_argument("--width", dest="parallelism", type=int, default=own.job_parallelism)
        parser.add_argument("--checkpoint-interval-ms", type=int)
        # Of the reference job, after an outage: its readers may have gone on without it until here.
        parser.add_argument("--not-before-ms", type=int, default=0)
        # Of the normalize job: off measures what the rules cost. Nothing is checked then.
        parser.add_argument("--rules", choices=("on", "off"), default="on")
        chosen = parser.parse_args(argv)
        datasets = tuple(name for name in chosen.datasets.split(",") if name)
        unknown = sorted(set(datasets) - set(MARKET_DATASETS))
        if unknown or not datasets:
            parser.error(f"--datasets: expected some of {MARKET_DATASETS}, found {unknown}")
        interval = own.lake_checkpoint_interval_ms if job == "lake" else own.checkpoint_interval_ms
        return cls(
            job=job,
            datasets=datasets,
            parallelism=chosen.parallelism,
            checkpoint_interval_ms=chosen.checkpoint_interval_ms or interval,
            settings=own,
            not_before_ms=chosen.not_before_ms,
            rules=chosen.rules == "on",
        )
