"""Passwords of the local stack: made at first use, kept in files only their owner can read."""

from __future__ import annotations

import hashlib
import os
import re
import secrets as random_source
import tempfile
from pathlib import Path

from pydantic import SecretStr

from asknown.errors import UsageError
from asknown.settings import Settings, settings
from asknown.stack.paths import Paths

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def secret(name: str, config: Settings | None = None) -> str:
    """Return the secret of this name, making it at first use.

    A value configured as `ASKNOWN_<NAME>_PASSWORD` wins over the file. Two processes that ask at
    the same moment get the same value.

    Raises:
        UsageError: the name is not made of a-z, 0-9 and _.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "ASKNOWN-STACK-002", f"Expected a secret's name like 'clickhouse_reader', was {name!r}."
        )
    config = config or settings()
    configured = getattr(config, f"{name}_password", SecretStr(""))
    if configured.get_secret_value():
        return str(configured.get_secret_value())
    path = Paths.of(config).secrets / name
    if not path.exists():
        _create(path)
    return path.read_text()


def hashed(name: str, config: Settings | None = None) -> str:
    """Return the SHA-256 of a secret, as servers keep it in their configuration."""
    return hashlib.sha256(secret(name, config).encode()).hexdigest()


def _create(path: Path) -> None:
    """Write a new secret; when another process was quicker, keep what it wrote."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(dir=path.parent)  # mode 600
    with os.fdopen(handle, "w") as file:
        file.write(random_source.token_urlsafe(24))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
