"""The page of reason codes says what the code says."""

from __future__ import annotations

from pathlib import Path

from asknown.quality.page import PAGE, page, write
from asknown.quality.reasons import Reason


def test_page_of_reasons_is_as_rendered() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_page_of_reasons_explains_every_code(tmp_path: Path) -> None:
    write(tmp_path / "reasons.md")
    lines = (tmp_path / "reasons.md").read_text().splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| [`")]
    explained = {row[0].partition("`")[2].partition("`")[0]: row[-1] for row in rows}
    assert set(explained) == {str(reason) for reason in Reason}
    assert all(len(text) > 20 for text in explained.values())


def test_page_of_reasons_has_a_section_for_every_code_with_what_to_do_next() -> None:
    sections = page().split("\n## ")[1:]
    assert [section.partition("\n")[0] for section in sections] == [str(r) for r in Reason]
    assert [section for section in sections if "Next: " not in section] == []
