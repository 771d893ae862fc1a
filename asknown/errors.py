"""Errors a person can act on: what was expected, what was found, what to do next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the `asknown` command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CHECK_FAILED = 3
    UNREACHABLE = 4


class AsknownError(Exception):
    """Carry one failure in the four parts a reader needs.

    `code` is stable (`ASKNOWN-INGEST-001`), `where` is a file:line, a topic[partition]@offset
    or a URL, and `hint` is the next command or change to make.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: str = "",
        hint: str = "",
        exit_code: ExitCode = ExitCode.FAILED,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        hint = f" Next: {self.hint}" if self.hint else ""
        return f"{self.code} {where}{self.message}{hint}"


class UsageError(AsknownError):
    """Report input that cannot be used; nothing has been written."""

    def __init__(self, code: str, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(code, message, where=where, hint=hint, exit_code=ExitCode.USAGE)


class UnreachableError(AsknownError):
    """Report a service that does not answer."""

    def __init__(self, code: str, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(code, message, where=where, hint=hint, exit_code=ExitCode.UNREACHABLE)
