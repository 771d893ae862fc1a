"""Lanes beside the way of accepted records: what is set aside, by whom and why."""

from __future__ import annotations

from asknown.quality.rules.ruleset import NO_TEXT
from jobs.runtime.tables import Tables

_STAGES = {"raw.security": "reference", "raw.corporate_action": "reference"}


def unread(tables: Tables, topic: str, reason: str, condition: str, *, name: str = "unread") -> str:
    """Return the lane of the records of `topic` that are set aside before any look-up."""
    return _lane(tables, topic, name, {"reason": reason, "condition": condition})


def refused(tables: Tables, topic: str, reason: str, detail: str) -> str:
    """Return the lane of the records of `topic` that have a reason; `detail` says it in words."""
    verdict = {"reason": reason, "condition": f"({reason}) IS NOT NULL", "detail": detail}
    return _lane(tables, topic, "unread", verdict)


def _lane(tables: Tables, topic: str, name: str, verdict: dict[str, str]) -> str:
    raw = topic.startswith("raw.")
    stage = _STAGES.get(topic, "normalize" if raw else "derive")
    view = f"{name}_{topic.replace('.', '_')}"
    parts = {"topic": topic, "stage": stage, "raw": tables[topic], "detail": NO_TEXT} | verdict
    return tables.view(view, "lane/unread.sql", **parts)
