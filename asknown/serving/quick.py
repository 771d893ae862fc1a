"""Ask ClickHouse for a few texts over one plain connection.

For the statement that most requests begin with: the client library costs more processor time than
the statement is worth. The library still writes the parameters.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from clickhouse_connect.driver.binding import format_bind_value

from asknown.errors import UnreachableError
from asknown.serving.store import LIMITS, unreachable
from asknown.settings import Settings
from asknown.stack.secrets import secret

TIMEOUT_S = 30


class Quick:
    """One connection as the reader, made when first needed and again after a failure."""

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._headers: dict[str, str] = {}

    def lines(self, sql: str, parameters: Mapping[str, Any]) -> list[bytes]:
        """Return the texts that a statement of one column gives.

        Raises UnreachableError when ClickHouse does not answer, or not with rows.
        """
        bound = {f"param_{name}": format_bind_value(value) for name, value in parameters.items()}
        with self._lock:
            fresh = self._connection is None
            try:
                return self._ask(sql, bound)
            except (http.client.HTTPException, OSError) as error:
                self.close()
                if fresh:
                    raise unreachable() from error
            try:  # the server may have closed a connection that nobody used
                return self._ask(sql, bound)
            except (http.client.HTTPException, OSError) as error:
                self.close()
                raise unreachable() from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, sql: str, bound: Mapping[str, Any]) -> list[bytes]:
        connection = self._connected()
        path = "/?" + urlencode({**bound, **LIMITS, "max_threads": 1})
        connection.request("POST", path, f"{sql} FORMAT TSVRaw".encode(), self._headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != HTTPStatus.OK:
            raise _failed(body)
        return body.splitlines()

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            url = urlsplit(self._config.clickhouse_url)
            secure = url.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            self._headers = {
                "X-ClickHouse-User": self._config.clickhouse_reader,
                "X-ClickHouse-Key": secret("clickhouse_reader", self._config),
            }
            self._connection = kind(url.hostname or "", url.port, timeout=TIMEOUT_S)
        return self._connection


def _failed(body: bytes) -> UnreachableError:
    first = body.decode(errors="replace").strip().splitlines()[:1]
    error = unreachable()
    error.add_note(first[0] if first else "no reason given")
    return error
