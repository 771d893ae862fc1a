"""The golden DDL: what every contract rendered to when it was last reviewed.

`python -m asknown.contracts.golden` rewrites the files under tests/contracts/golden; look at the
difference before committing it, for it is what happens to the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from asknown.contracts.catalog import Contract, contracts
from asknown.contracts.render import (
    BRONZE,
    arrow_schema,
    clickhouse_ddl,
    flink_columns,
    flink_flat_columns,
    iceberg_schema,
)
from asknown.contracts.tables import lake_tables
from asknown.settings import CHECKOUT

FOLDER = CHECKOUT / "tests" / "contracts" / "golden"


def _flink(c: Contract) -> str:
    flat = "\n".join(f"{name} {kind}" for name, kind in flink_flat_columns(c))
    return f"-- on the wire\n{flink_columns(c)}\n\n-- in the store\n{flat}"


def _arrow(c: Contract) -> str:
    return "\n".join(
        f"{f.name}: {f.type}{'' if f.nullable else ' not null'}" for f in arrow_schema(c)
    )


ENGINES: Mapping[str, Callable[[Contract], str]] = {
    "flink": _flink,
    "iceberg": lambda c: str(iceberg_schema(c)),
    "arrow": _arrow,
    "clickhouse": clickhouse_ddl,
}


def golden_texts() -> dict[str, str]:
    """Return the text of each golden file by its path below the folder."""
    topics = {
        f"{engine}/{name}.txt": render(c) + "\n"
        for engine, render in ENGINES.items()
        for name, c in contracts().items()
        if engine != "clickhouse" or c.topic.namespace != BRONZE
    }
    tables = {f"lake/{name}.txt": f"{t.iceberg_schema()}\n" for name, t in lake_tables().items()}
    return topics | tables


def rewrite(folder: Path = FOLDER) -> list[str]:
    """Write the golden files, remove those of no contract, and return what was changed."""
    texts = golden_texts()
    changed = []
    for path in sorted(folder.rglob("*.txt")):
        if str(path.relative_to(folder)) not in texts:
            path.unlink()
            changed.append(f"removed {path.relative_to(folder)}")
    for name, text in texts.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(f"wrote {name}")
    return changed


if __name__ == "__main__":
    print("\n".join(rewrite()) or "golden files are up to date")
