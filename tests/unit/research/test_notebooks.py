"""The notebooks run from the first cell to the last, on the samples, with warnings as errors."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from asknown.settings import CHECKOUT

NOTEBOOKS = sorted((CHECKOUT / "docs" / "notebooks").glob("*.ipynb"))


def cells_of(path: Path) -> list[str]:
    """Return the code of a notebook."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in document["cells"] if c["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebook_runs_and_what_it_asserts_holds(path: Path):
    names: dict[str, Any] = {"__name__": "__main__"}
    code = cells_of(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, cell in enumerate(code, start=1):
            exec(compile(cell, f"{path.name}[{number}]", "exec"), names)  # noqa: S102  # ours
    assert any("assert " in cell for cell in code)


def test_notebooks_store_no_output():
    assert len(NOTEBOOKS) == 2
    for path in NOTEBOOKS:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert not any(cell.get("outputs") for cell in document["cells"])
