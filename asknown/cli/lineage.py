"""The commands that show the datasets, and what is made of what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asknown.cli.output import Format, FormatOption, Output, output

if TYPE_CHECKING:
    from asknown.lineage.graph import Edge, Node, Tree

SHOWN_COLUMNS = 5
WORDS = {
    "kept": "as it is",
    "computed": "computed",
    "operator": "by an operator in Python",
    "declared": "by a command",
}


def register(root: typer.Typer) -> None:
    """Add `datasets` and `lineage` to the root."""

    @root.command()
    def datasets(
        name: Annotated[
            str | None, typer.Argument(help="A topic or a table; without one, all of them.")
        ] = None,
        fmt: FormatOption = Format.TEXT,
    ) -> None:
        """List every dataset, or show one: its columns, where it is kept, who makes it."""
        if name is None:
            _list(output(fmt))
        else:
            _show(name, fmt)

    @root.command()
    def lineage(
        name: Annotated[
            str, typer.Argument(help="A topic or a table, or a column of one: silver.trade.price.")
        ],
        down: Annotated[
            bool, typer.Option("--down/--up", help="What is made of it; else what it is made of.")
        ] = False,
        depth: Annotated[int, typer.Option(min=1, help="How many jobs far.")] = 99,
        fmt: FormatOption = Format.TEXT,
    ) -> None:
        """Show what a dataset or a column is made of, job by job, down to what came in.

        A dataset's lineage has whatever decides about its rows; a column's has values only.
        """
        from asknown.lineage import graph

        node = graph.resolve(name)
        whole = graph.lineage()
        tree = whole.down(node, depth) if down else whole.up(node, depth)
        printer = output(fmt)
        if fmt is Format.JSON:
            printer.record(_document(tree))
            return
        printer.line(f"{node}{_kept_in(node)}")
        rows = list(_rows(tree, down=down))
        title = "made of it" if down else "made of"
        printer.table(
            "", (title, "by", "how"), rows or [("nothing: it comes in like this", "", "")]
        )


def _list(printer: Output) -> None:
    from asknown.lineage.graph import columns_by_dataset, lineage

    found = lineage()
    rows = [
        (
            dataset,
            _table(dataset),
            len(columns),
            ", ".join(found.made_by(dataset)) or "gateway",
            ", ".join(found.read_by(dataset)) or "-",
        )
        for dataset, columns in columns_by_dataset().items()
    ]
    printer.table("", ("dataset", "table", "columns", "made_by", "read_by"), rows)


def _show(name: str, fmt: Format) -> None:
    from asknown.contracts.catalog import contracts
    from asknown.contracts.render import store_fields
    from asknown.contracts.tables import lake_table
    from asknown.lineage.graph import lineage, resolve

    dataset, printer = resolve(name).dataset, output(fmt)
    c = contracts().get(dataset)
    fields = store_fields(c) if c else lake_table(dataset).fields
    values = {
        "dataset": dataset,
        "topic": dataset if c else None,
        "table": _table(dataset),
        "key": list(c.topic.key if c else lake_table(dataset).key),
        "made_by": lineage().made_by(dataset) or ["gateway"],
        "read_by": lineage().read_by(dataset),
    }
    names = ("column", "type", "nullable", "meaning")
    rows = [(f.name, str(f.type.kind), f.nullable, f.doc) for f in fields]
    if fmt is Format.JSON:
        printer.record(values | {"columns": [dict(zip(names, row, strict=True)) for row in rows]})
        return
    printer.record({k: ", ".join(v) if isinstance(v, list) else v for k, v in values.items()})
    printer.table("Columns", names, rows)


def _rows(tree: Tree, *, down: bool, indent: int = 0) -> Iterator[tuple[str, str, str]]:
    for job, edges, below in tree.below:
        again = " (see above)" if below.opened_elsewhere else ""
        yield f"{'  ' * indent}{below.node}{again}", job, _how(below.node, edges, down=down)
        yield from _rows(below, down=down, indent=indent + 1)


def _how(other: Node, edges: Sequence[Edge], *, down: bool) -> str:
    """Return how a column is used; of a dataset, which columns are."""
    if other.column:
        return WORDS[edges[0].how]
    columns = sorted({(e.target if down else e.source).column for e in edges} - {""})
    if not columns:
        return WORDS[edges[0].how]
    more = f" and {len(columns) - SHOWN_COLUMNS} more" if len(columns) > SHOWN_COLUMNS else ""
    return f"{', '.join(columns[:SHOWN_COLUMNS])}{more}"


def _document(tree: Tree) -> dict[str, Any]:
    """Return a tree as JSON has it."""
    below = [
        {
            "job": job,
            "columns": sorted(
                {(str(e.source), str(e.target), e.how) for e in edges if e.source.column}
            ),
            **_document(under),
        }
        for job, edges, under in tree.below
    ]
    return {"name": str(tree.node), "opened_elsewhere": tree.opened_elsewhere, "below": below}


def _table(dataset: str) -> str:
    from asknown.contracts.catalog import contracts

    return contracts()[dataset].topic.table if dataset in contracts() else dataset


def _kept_in(node: Node) -> str:
    table = _table(node.dataset)
    return "" if table == node.dataset else f", kept in {table}"
