"""Run a server that refuses to be root as an unprivileged user, when we are root."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from asknown.errors import AsknownError

USER = "nobody"
# Lets the server reach its data through folders only root may enter (a checkout under /root or in a
# private temporary folder); it gives no right to write.
_REACH = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def unprivileged(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command as the unprivileged user would run it; unchanged when we are not root."""
    return (*_prefix(), *command) if os.getuid() == 0 else command


def hand_over(folder: Path) -> None:
    """Give a folder to the user the server runs as."""
    if os.getuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(folder, user.pw_uid, user.pw_gid)


@lru_cache(maxsize=8)
def reachable(package: Path) -> Path:
    """Return a package's folder, or a copy of it where the unprivileged user may enter.

    Postgres asks with access(2) for its own program, which ignores the capability above. The copy
    is only made when we are root and some folder above the package is closed to others.

    Raises:
        AsknownError: the copy's place is taken by somebody else's folder.
    """
    parents = package.resolve().parents
    if os.getuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in parents):
        return package
    identity = f"{package} {package.stat().st_mtime_ns}"
    name = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    target = Path(tempfile.gettempdir()) / f"asknown-programs-{name}"
    if not target.exists():
        draft = Path(tempfile.mkdtemp(dir=target.parent))
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.name, symlinks=True)
        draft.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was quicker
            draft.rename(target)
    owner = target.stat()
    if owner.st_uid != 0 or owner.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise AsknownError(
            "ASKNOWN-STACK-006",
            "Expected a folder of root's, found one that others own or may write.",
            where=str(target),
            hint=f"rm -rf {target}",
        )
    return target / package.name


@lru_cache(maxsize=1)
def _prefix() -> tuple[str, ...]:
    user = pwd.getpwnam(USER)
    tool = shutil.which("setpriv")
    if tool is None:
        raise AsknownError(
            "ASKNOWN-STACK-005",
            "Expected setpriv, to run Postgres as another user than root, found none.",
            hint="apt-get install util-linux, or run as an ordinary user",
        )
    plain = (tool, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    # a container may have dropped the capability; then the folders' own rights must do
    trial = subprocess.run([*plain, *_REACH, "/bin/true"], capture_output=True, check=False)
    return (*plain, *_REACH) if trial.returncode == 0 else plain
