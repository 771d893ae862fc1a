"""Where the shared real data lies; tests that need it skip without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asknown.settings import CHECKOUT


@pytest.fixture(scope="session")
def lean_folder() -> Path:
    shared = Path(os.environ.get("ASKNOWN_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
    folder = shared / "lean"
    if not folder.is_dir():
        pytest.skip(f"real data is absent: no folder {folder} (set ASKNOWN_SHARED_DATA)")
    return folder
