"""One interface for everything a command prints: text for people, JSON for programs."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from asknown.errors import UsageError


class Format(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("-o", "--output", help="text or json.")]


class Output(ABC):
    """Print results; commands never call print() themselves."""

    @abstractmethod
    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print rows under column names."""

    @abstractmethod
    def record(self, values: Mapping[str, Any]) -> None:
        """Print named values."""

    @abstractmethod
    def line(self, text: str) -> None:
        """Print one line of progress; nothing in JSON, whose reader wants one document."""


class TextOutput(Output):
    """Aligned columns, colours where the terminal has them."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table without frames, so that it can be cut and pasted."""
        from rich import box
        from rich.console import Console
        from rich.table import Table

        console = Console(soft_wrap=True) if sys.stdout.isatty() else Console(width=200)
        table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left")
        for column in columns:
            table.add_column(column, no_wrap=True)
        for row in rows:
            table.add_row(*(_text(value) for value in row))
        console.print(table)

    def record(self, values: Mapping[str, Any]) -> None:
        """Print one name and value a line."""
        width = max((len(name) for name in values), default=0)
        for name, value in values.items():
            self.line(f"{name:<{width}}  {_text(value)}")

    def line(self, text: str) -> None:
        """Print a line at once, also into a pipe."""
        print(text, flush=True)


class JsonOutput(Output):
    """One JSON document on standard output."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a list of objects."""
        self._print([dict(zip(columns, row, strict=True)) for row in rows])

    def record(self, values: Mapping[str, Any]) -> None:
        """Print an object."""
        self._print(dict(values))

    def line(self, text: str) -> None:
        """Print nothing."""

    def _print(self, value: Any) -> None:
        import orjson

        options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
        sys.stdout.write(orjson.dumps(value, default=str, option=options).decode() + "\n")
        sys.stdout.flush()


def output(fmt: Format | str) -> Output:
    """Return the printer of a format.

    Raises:
        UsageError: the format is neither text nor json.
    """
    try:
        chosen = Format(fmt)
    except ValueError:
        raise UsageError(
            "ASKNOWN-CLI-001", f"Expected an output format (text, json), was {str(fmt)!r}."
        ) from None
    return JsonOutput() if chosen is Format.JSON else TextOutput()


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
