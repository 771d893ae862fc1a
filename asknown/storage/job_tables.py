"""Tables that a bounded job has written into a folder of its own."""

from __future__ import annotations

import re
from pathlib import Path

from pyiceberg.table import StaticTable

from asknown.contracts.catalog import Contract

_RUN = "run"  # the namespace of the job's tables


def job_table(folder: Path, c: Contract) -> StaticTable | None:
    """Return the table of a topic in a job's folder; None where the job has made none."""
    name = c.topic.name.replace(".", "_")
    metadata = sorted((folder / _RUN / name / "metadata").glob("*.metadata.json"), key=_version)
    return StaticTable.from_metadata(metadata[-1].as_uri()) if metadata else None


def _version(path: Path) -> int:
    number = re.search(r"\d+", path.name)  # v3.metadata.json, or 00003-some-id.metadata.json
    return int(number[0]) if number else 0
