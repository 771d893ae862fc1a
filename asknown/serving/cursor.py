"""Opaque, signed page cursors: where a page ended, and the knowledge the pages share.

A cursor holds the position of the last row, the `known_at` that the first page was answered with
(so that later pages see neither newer rows nor newer factors), and a fingerprint of the request.
It is signed: a cursor of another request, or one that was changed, is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from asknown.serving.problems import ApiError

_SIGNATURE = 16  # bytes
_LIMIT = 2_000  # characters of a cursor; ours are far shorter
Position = tuple[str | int, ...]


@dataclass(frozen=True)
class Cursor:
    """The end of a page: the key of its last row, and the knowledge time of all pages."""

    position: Position
    known_at: datetime


def fingerprint(request: Mapping[str, object]) -> str:
    """Return a short hash of the parameters that all pages of one request share."""
    text = json.dumps({k: str(v) for k, v in request.items()}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=9).hexdigest()


def seal(cursor: Cursor, request: str, key: bytes) -> str:
    """Return the text a client sends back as `next`; `request` is a fingerprint."""
    content = [request, cursor.known_at.isoformat(), *cursor.position]
    body = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_sign(body, key) + body).decode().rstrip("=")


def open_(text: str, request: str, key: bytes) -> Cursor:
    """Return what `seal` was given.

    Raises ApiError 400 for a cursor that is not ours, was changed, or belongs to another request.
    """
    try:
        if len(text) > _LIMIT:
            raise ValueError
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, _sign(body, key)):
            raise ValueError
        of_request, known_at, *position = json.loads(body)
    except (ValueError, binascii.Error):
        raise _refused("a cursor of this API, unchanged") from None
    if of_request != request:
        raise _refused("the same parameters as for the first page")
    return Cursor(tuple(position), datetime.fromisoformat(known_at))


def _sign(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:_SIGNATURE]


def _refused(expected: str) -> ApiError:
    return ApiError(
        HTTPStatus.BAD_REQUEST,
        "ASKNOWN-API-001",
        f"next: expected {expected}, found another.",
        hint="send back `next` as it came, with all other parameters (but limit) unchanged",
    )
