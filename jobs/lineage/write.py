"""Write schemas/lineage.json: `make lineage`, after a query or a contract has changed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from asknown.lineage.graph import RECORDED
from jobs.lineage.recording import JOBS, record


def main() -> None:
    """Record every job and write the file."""
    with tempfile.TemporaryDirectory(prefix="asknown-lineage-") as folder:
        found = {job: record(job, Path(folder) / job) for job in JOBS}
    RECORDED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
