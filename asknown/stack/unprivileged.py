"""Run a server that refuses to be root as an unprivileged user, when we are root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from asknown.errors import AsknownError

USER = "nobody"
# Lets the server reach its programs and data through folders only root may enter (a checkout
# under /root or in a private temporary folder); it gives no right to write.
_REACH = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def unprivileged(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command as the unprivileged user would run it; unchanged when we are not root."""
    return (*_prefix(), *command) if os.getuid() == 0 else command


def hand_over(folder: Path) -> None:
    """Give a folder to the user the server runs as."""
    if os.getuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(folder, user.pw_uid, user.pw_gid)


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
