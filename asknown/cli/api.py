"""Ask the stack's API, and word what goes wrong as every command does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Annotated, Any, Self

import httpx2
import typer

from asknown.errors import AsknownError, ExitCode, UnreachableError, UsageError
from asknown.settings import settings

TIMEOUT_S = 30
PAGE = 10_000  # rows

KnownAtOption = Annotated[
    str | None,
    typer.Option("--known-at", help="By the knowledge of this time; default: now."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Also what was superseded by then.")]


class RefusedError(AsknownError):
    """Report that the API answered with a problem; `data` is what it found instead."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem["code"]),
            str(problem["detail"]),
            hint=str(problem.get("hint", "")),
            exit_code=ExitCode.CHECK_FAILED,
        )
        self.data: dict[str, Any] = problem.get("data") or {}


class Api:
    """A connection to the API of this stack."""

    def __init__(self) -> None:
        """Prepare a client; nothing is asked yet."""
        self._url = settings().api_url
        self._client = httpx2.Client(base_url=self._url, timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        """Use the connection."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._client.close()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return an answer's body; parameters that are None are left out.

        Raises UnreachableError when the API or its store does not answer, UsageError for a
        parameter it cannot use, RefusedError for what it does not find.
        """
        given = {name: value for name, value in query.items() if value is not None}
        try:
            answer = self._client.get(path, params=given)
            body: dict[str, Any] = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise UnreachableError(
                "ASKNOWN-CLI-004",
                f"expected the API to answer, found: {str(error) or type(error).__name__}.",
                where=self._url,
                hint="`asknown status` shows whether it runs; `asknown up` starts it.",
            ) from None
        if answer.is_success:
            return body
        match answer.status_code:
            case 404 | 409:
                raise RefusedError(body)
            case 400 | 422:
                raise UsageError(body["code"], body["detail"], hint=body.get("hint", ""))
            case 503:
                raise UnreachableError(body["code"], body["detail"], hint=body.get("hint", ""))
        raise AsknownError(body["code"], body["detail"], hint=body.get("hint", ""))

    def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Return all rows of all pages."""
        body = self.get(path, **query, limit=PAGE)
        rows: list[dict[str, Any]] = body["data"]
        while body["next"] is not None:
            body = self.get(path, **query, limit=PAGE, next=body["next"])
            rows += body["data"]
        return rows


def moment(text: str | None, option: str) -> str | None:
    """Return a time as the API reads it: a date as it is, a time in UTC if it names no zone.

    Raises UsageError ASKNOWN-REFERENCE-022 for what is no time.
    """
    if text is None:
        return None
    try:
        if len(text) <= len("2010-02-10"):
            return date.fromisoformat(text).isoformat()
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "ASKNOWN-REFERENCE-022",
            f"expected a time such as 2010-02-10 or 2010-02-10T09:15:00+05:30, found {text!r}.",
            hint=f"{option} 2010-02-10",
        ) from None
    aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def shown(value: Any) -> Any:
    """Return a value for a table of text: times without empty milliseconds, floats in full."""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, bool) or not isinstance(value, str):
        return value
    return value.replace(".000Z", "Z") or None
