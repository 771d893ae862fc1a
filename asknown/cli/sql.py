"""`asknown sql`: questions to the lake, by the knowledge of any moment."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from asknown.cli.output import Format, output
from asknown.settings import settings


class Shape(StrEnum):
    """How rows are printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.command()(sql)


def sql(
    question: Annotated[str, typer.Argument(help="One statement, such as SELECT * FROM bar.")],
    known_at: Annotated[
        str | None,
        typer.Option("--known-at", help="A date or time (UTC unless it says more); default: now."),
    ] = None,
    shape: Annotated[Shape, typer.Option("-o", "--output", help="text, json or csv.")] = Shape.TEXT,
) -> None:
    """Ask the lake in SQL: `bar`, `trade`, `feature`, ... are what was known at --known-at.

    `bar_asof` and others hold all that was ever believed, with known_from and known_to. Needs
    `asknown up --with trino`.
    """
    from asknown.cli.api import moment
    from asknown.reference.moments import parse_time
    from asknown.storage.trino import as_known, ask

    asked = moment(known_at, "--known-at")
    answer = ask(settings(), as_known(question, parse_time(asked or datetime.now(UTC))))
    if shape is Shape.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([answer.columns, *answer.rows])
        return
    output(Format(shape.value)).table("", answer.columns, answer.rows)
