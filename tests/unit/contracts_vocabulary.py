"""Contracts of another day: a copy of schemas/ that a test may change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asknown.contracts import catalog

Fields = list[dict[str, Any]]
CHECKED_IN = catalog.SCHEMAS


@dataclass
class Contracts:
    """A folder of contracts in place of the checkout's, for one test."""

    folder: Path
    patch: pytest.MonkeyPatch

    @classmethod
    def copied(cls, folder: Path, patch: pytest.MonkeyPatch) -> Contracts:
        """Copy the checkout's contracts and use the copy from now on."""
        shutil.copytree(CHECKED_IN, folder)
        patch.setattr(catalog, "SCHEMAS", folder)
        found = cls(folder, patch)
        found.reread()
        return found

    def reread(self) -> None:
        """Forget what was read, as a new process would have."""
        catalog.contracts.cache_clear()

    def payload(self, topic: str, change: Callable[[Fields], object]) -> None:
        """Change the payload fields of a topic in place."""
        self._change(topic, lambda avro: change(avro["fields"][-1]["type"][1]["fields"]))

    def envelope(self, topic: str, change: Callable[[Fields], object]) -> None:
        """Change the envelope fields of a topic in place."""
        self._change(topic, lambda avro: change(avro["fields"]))

    def _change(self, topic: str, change: Callable[[Any], object]) -> None:
        path = self.folder.joinpath(*topic.split(".")).with_suffix(".avsc")
        avro = json.loads(path.read_text())
        change(avro)
        path.write_text(json.dumps(avro, indent=2) + "\n")
        self.reread()


def optional(name: str, kind: Any = "string", doc: str = "A later field.") -> dict[str, Any]:
    """Return a field as it has to be when it comes later."""
    return {"name": name, "type": ["null", kind], "doc": doc, "default": None}


def without(name: str) -> Callable[[Fields], None]:
    """Return a change that takes a field away."""

    def change(fields: Fields) -> None:
        fields[:] = [f for f in fields if f["name"] != name]

    return change
