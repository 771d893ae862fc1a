"""Libraries that are used where they are installed."""

from __future__ import annotations

import importlib
from typing import Any

from asknown.errors import UsageError


def polars() -> Any:
    """Return Polars. Raises UsageError ASKNOWN-RESEARCH-004 when it is not installed."""
    try:
        return importlib.import_module("polars")
    except ImportError as error:
        raise UsageError(
            "ASKNOWN-RESEARCH-004",
            f"expected Polars to be installed, found: {error}.",
            hint="pip install polars, or use to_pandas() or to_arrow().",
        ) from error
