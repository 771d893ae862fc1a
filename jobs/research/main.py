"""Wire the research job for `flink run`: the lake's daily bars and history in, gold out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from asknown.contracts.tables import lake_table
from asknown.features.definitions import definitions
from asknown.settings import settings
from jobs.research import pipeline
from jobs.runtime import environment, lakehouse
from jobs.runtime.tables import Tables


def main(argv: Sequence[str] | None = None) -> None:
    """Compute all research tables and wait until they are committed."""
    asked = _asked(argv)
    env = environment.bounded("research", asked.parallelism)
    lakehouse.use_catalog(env, settings())
    tables = Tables(env, lakehouse.stored_views(env, pipeline.BARS, pipeline.HISTORY))
    defined = definitions().against(dict(asked.benchmark))
    statements = env.create_statement_set()
    for name, view in pipeline.build(tables, defined).items():
        statements.add_insert_sql(lakehouse.replace_rows(lake_table(name), view))
    statements.execute().wait()


def _asked(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="research")
    parser.add_argument("--parallelism", type=int, default=1)
    parser.add_argument("--benchmark", type=_pair, action="append", default=[])
    # Read by nobody here: it tells whose job one is that its command has left behind.
    parser.add_argument("--run", default="")
    return parser.parse_args(argv)


def _pair(text: str) -> tuple[str, str]:
    """Read `venue=listing`."""
    venue, _, listing = text.partition("=")
    return venue, listing


if __name__ == "__main__":
    main()
