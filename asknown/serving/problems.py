"""Errors as RFC 9457 problem documents: what was expected, what was found, what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from asknown.errors import AsknownError, UnreachableError

MEDIA_TYPE = "application/problem+json"
_FOUND_LIMIT = 100  # characters of a refused value that are sent back
_log = logging.getLogger(__name__)


class ParameterError(BaseModel):
    """One refused parameter."""

    pointer: str = Field(examples=["query.start"])
    expected: str = Field(examples=["a time like 2024-10-28T03:45:00Z"])
    found: str = Field(examples=["yesterday"])


class Problem(BaseModel):
    """The body of every answer that is not a success."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["No instrument had the symbol RELIANC."])
    instance: str = Field(examples=["/v1/trades"])
    code: str = Field(examples=["ASKNOWN-API-404"])
    hint: str = Field(default="", examples=["nearest: RELIANCE"])
    errors: list[ParameterError] = []
    data: dict[str, Any] | None = Field(
        default=None, description="What was found instead: of an identifier, its candidates."
    )


class ApiError(AsknownError):
    """Refuse a request with an HTTP status."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        *,
        hint: str = "",
        errors: tuple[ParameterError, ...] = (),
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.status = status
        self.errors = errors
        self.data: dict[str, Any] | None = None

    def with_data(self, data: dict[str, Any]) -> Self:
        """Add what was found instead, for programs."""
        self.data = data
        return self


def bad_parameter(name: str, expected: str, found: object, *, hint: str = "") -> ApiError:
    """Return the error for one query parameter that cannot be used."""
    shown = str(found)[:_FOUND_LIMIT]
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "ASKNOWN-API-422",
        f"{name}: expected {expected}, found {shown!r}.",
        hint=hint,
        errors=(ParameterError(pointer=f"query.{name}", expected=expected, found=shown),),
    )


def install(app: FastAPI) -> None:
    """Make every failure of an app a problem document."""
    app.add_exception_handler(AsknownError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_anything)


def _answer(request: Request, status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    problem = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.url.path,
        code=code,
        **more,
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status, media_type=MEDIA_TYPE)


async def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AsknownError)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, ApiError):
        status = error.status
    elif isinstance(error, UnreachableError):
        status = HTTPStatus.SERVICE_UNAVAILABLE
    more: dict[str, Any] = {"hint": error.hint}
    if isinstance(error, ApiError):
        more |= {"errors": list(error.errors), "data": error.data}
    answer = _answer(request, status, error.code, error.message, **more)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "5"
    return answer


async def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        ParameterError(
            pointer=".".join(str(part) for part in found["loc"]),
            expected=str(found["msg"]).removeprefix("Value error, ").removeprefix("expected "),
            found=str(found.get("input"))[:_FOUND_LIMIT],
        )
        for found in error.errors()
    ]
    detail = "; ".join(f"{e.pointer}: expected {e.expected}, found {e.found!r}" for e in errors)
    return _answer(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "ASKNOWN-API-422",
        detail,
        errors=errors,
        hint="GET /openapi.json describes every parameter",
    )


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = _answer(
        request,
        error.status_code,
        f"ASKNOWN-API-{error.status_code}",
        f"{request.method} {request.url.path}: {error.detail}",
        hint="GET / lists what there is",
    )
    answer.headers.update(error.headers or {})
    return answer


async def _of_anything(request: Request, error: Exception) -> JSONResponse:
    _log.error("unexpected failure of %s", request.url.path, exc_info=error)
    return _answer(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "ASKNOWN-API-500",
        "The request could not be answered; the API's log has the reason.",
        hint="`asknown logs api -n 50`",
    )
