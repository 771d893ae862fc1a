"""Write a pipeline's outputs: one job, one INSERT a topic."""

from __future__ import annotations

from collections.abc import Mapping

from pyflink.table import TableEnvironment

from asknown.contracts.catalog import contract
from asknown.contracts.render import quote
from jobs.runtime import kafka
from jobs.runtime.run import RunConfig


def write_to_kafka(env: TableEnvironment, run: RunConfig, outputs: Mapping[str, str]) -> None:
    """Submit one job that writes each view of `outputs` to its topic, exactly once."""
    statements = env.create_statement_set()
    for topic, view in outputs.items():
        sink = kafka.sink_table(env, run, topic)
        c = contract(topic)
        columns = ", ".join(quote(f.name) for f in c.envelope + c.payload)
        statements.add_insert_sql(f"INSERT INTO `{sink}` SELECT {columns} FROM `{view}`")
    statements.execute()
