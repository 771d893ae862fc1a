"""Values as JSON and CSV show them, the same wherever they are written."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from asknown.reference.adjusting import shortest
from asknown.reference.moments import iso


def plain(value: Any) -> Any:
    """Return a decimal as an exact text, a time as RFC 3339, a date as ISO 8601; all else as is."""
    if isinstance(value, Decimal):
        return shortest(value)
    if isinstance(value, datetime):
        return iso(value)
    return value.isoformat() if isinstance(value, date) else value
