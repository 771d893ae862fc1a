"""Where a bounded run reads, and what it writes: tables of the lake, or the files of a replay."""

from __future__ import annotations

from pathlib import Path

from pyflink.table import TableEnvironment

from asknown.contracts.catalog import contract
from asknown.contracts.render import quote
from jobs.backfill import pipeline
from jobs.backfill.run import Run
from jobs.normalize.pipeline import CHANGES
from jobs.normalize.sessions import SessionSql
from jobs.runtime import files, lakehouse
from jobs.runtime.tables import Tables


def statements(env: TableEnvironment, run: Run, session: SessionSql) -> list[str]:
    """Return the INSERTs of the run."""
    views = {topic: lakehouse.raw_view(env, topic, run.windows(topic)) for topic in run.topics}
    if run.out is not None:
        return _to_tables(env, views | _knowledge(env, run), session, run.out)
    if run.staging is not None:
        return _to_files(env, views, session, run.staging)
    tables = Tables(env, views | _knowledge(env, run))
    outputs = pipeline.build(tables, session)
    published = lakehouse.published_view(env, pipeline.BARS, run.windows(pipeline.BARS))
    outputs[pipeline.BARS] = pipeline.revised(tables, outputs[pipeline.BARS], published)
    return [lakehouse.overwrite(topic, view, run.known_at) for topic, view in outputs.items()]


def _knowledge(env: TableEnvironment, run: Run) -> dict[str, str]:
    """Return what is known: by one moment, or by each one and for the records brought back."""
    if run.known_at is not None:
        views = lakehouse.stored_views(env, pipeline.HISTORY)
        return views | {CHANGES: pipeline.believed(Tables(env, views), run.known_at_sql)}
    views = {CHANGES: lakehouse.changes_view(env)}
    if run.replayed:
        views |= lakehouse.stored_views(env, pipeline.HISTORY, pipeline.REPLAYED)
    return views


def _to_tables(
    env: TableEnvironment, views: dict[str, str], session: SessionSql, out: Path
) -> list[str]:
    """Recompute all that becomes of the records; write rows to tables in the folder."""
    lakehouse.use_folder(env, out)
    inserts = []
    for topic, view in pipeline.outcomes(Tables(env, views), session).items():
        c = contract(topic)
        columns = ", ".join(quote(f.name) for f in c.envelope + c.payload)
        sink = lakehouse.table_in_folder(env, c)
        inserts.append(f"INSERT INTO {sink} SELECT {columns} FROM `{view}`")  # noqa: S608  # names of contracts
    return inserts


def _to_files(
    env: TableEnvironment, views: dict[str, str], session: SessionSql, staging: Path
) -> list[str]:
    """Recompute the records that the folder's markers name; write rows to folders beside it."""
    views |= lakehouse.stored_views(env, pipeline.HISTORY)
    marked = staging / pipeline.REPLAYED
    views[pipeline.REPLAYED] = files.source_table(env, pipeline.REPLAYED, marked, streaming=False)
    inserts = []
    for topic, view in pipeline.replayed(Tables(env, views), session).items():
        sink = files.sink_table(env, topic, staging / f"out-{topic}")
        fields = contract(topic).envelope + contract(topic).payload
        columns = ", ".join(quote(f.name) for f in fields)
        inserts.append(f"INSERT INTO `{sink}` SELECT {columns} FROM `{view}`")  # noqa: S608  # names of contracts
    return inserts
