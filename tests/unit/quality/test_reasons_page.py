"""The page of reason codes says what the code says."""

from __future__ import annotations

from pathlib import Path

from asknown.quality.page import PAGE, page, write
from asknown.quality.reasons import Reason


def test_page_of_reasons_is_as_rendered() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_page_of_reasons_explains_every_code(tmp_path: Path) -> None:
    write(tmp_path / "reasons.md")
    rows = [row.split(" | ") for row in (tmp_path / "reasons.md").read_text().splitlines()]
    explained = {row[0].strip("| `"): row[-1] for row in rows if row[0].startswith("| `")}
    assert set(explained) == {str(reason) for reason in Reason}
    assert all(len(text) > 20 for text in explained.values())
