"""Named views of one table environment: what a pipeline reads, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.datastream import DataStream
    from pyflink.table import TableEnvironment

NEVER_LATE = "FALSE"  # in a bounded run
BEHIND_WATERMARK = (
    "(CURRENT_WATERMARK(event_time) IS NOT NULL AND event_time <= CURRENT_WATERMARK(event_time))"
)
SQL = Path(__file__).resolve().parents[2] / "sql"


class Tables(Mapping[str, str]):
    """Map a dataset's name to the view that holds it.

    A pipeline knows nothing else: no connector, no topic, no mode. Views are made from the files
    in `sql/`; only identifiers and expressions rendered from the contracts are put into them.
    """

    def __init__(
        self, env: TableEnvironment, names: Mapping[str, str], *, late: str = NEVER_LATE
    ) -> None:
        self._env = env
        self._names = dict(names)
        self.late = late  # SQL: whether a row of a source lies behind the watermark

    def __getitem__(self, name: str) -> str:
        return self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def view(self, name: str, file: str, **parts: str) -> str:
        """Create the view `name` from `sql/<file>` and return its name.

        Raises `KeyError` for a placeholder without a value.
        """
        body = Template((SQL / file).read_text(encoding="utf-8")).substitute(parts)
        return self._named(name, body)

    def union(self, name: str, views: list[str]) -> str:
        """Create the view `name` of all rows of `views`, which have equal columns."""
        rows = "\nUNION ALL\n".join(f"SELECT * FROM `{view}`" for view in views)
        return self._named(name, rows)

    def _named(self, name: str, query: str) -> str:
        """Create the view `name` of a query, and return its name.

        Not with CREATE VIEW, which keeps the text: Flink would parse and check every view behind
        it again at each mention. What that cost is in docs/discussion/normalize.md.
        """
        self._env.create_temporary_view(name, self._env.sql_query(query))
        return name

    def to_stream(self, name: str) -> DataStream:
        """Return the rows of a view as a stream, for an operator that SQL cannot express."""
        return self._env.to_data_stream(self._env.from_path(name))

    def from_stream(self, name: str, stream: DataStream) -> str:
        """Create the view `name` of what an operator hands on, and return its name."""
        self._env.create_temporary_view(name, self._env.from_data_stream(stream))
        return name

    def seen_as(self, name: str, view: str) -> Tables:
        """Return these tables with another view of one dataset."""
        other = copy(self)
        other._names = {**self._names, name: view}
        return other

    def following(self, names: Mapping[str, str]) -> Tables:
        """Return tables of views made here: their rows have passed the verdict on lateness."""
        return Tables(self._env, names)
