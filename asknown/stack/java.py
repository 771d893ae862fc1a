"""The Java runtime and the jars the stack needs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from asknown.errors import AsknownError


def java() -> str:
    """Return the path of the `java` to use: JAVA_HOME's, else the one on PATH.

    Raises:
        AsknownError: there is none.
    """
    home = os.environ.get("JAVA_HOME", "")
    candidate = shutil.which("java", path=str(Path(home, "bin"))) if home else None
    found = candidate or shutil.which("java")
    if not found:
        raise AsknownError(
            "ASKNOWN-STACK-003",
            "Expected a Java runtime, found none on PATH or in JAVA_HOME.",
            hint="apt-get install openjdk-17-jdk-headless",
        )
    return found


def require_jars(folder: Path, name: str) -> None:
    """Check that the setup has put jars into a folder.

    Raises:
        AsknownError: there is none.
    """
    if not any(folder.glob("*.jar")):
        raise AsknownError(
            "ASKNOWN-STACK-004",
            f"Expected the jars of {name}, found none.",
            where=str(folder),
            hint="make setup",
        )
