"""Run ClickHouse's HTTP server inside this process, from libchdb.

The library exports the entry point of `clickhouse local`. Told to start listening and then to run
a query that never ends, it is a server on a data folder. A kill at any moment loses nothing that
was acknowledged. Run as `python -m asknown.stack.clickhouse_server`.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from asknown.settings import settings
from asknown.stack.paths import Paths

# One row a second, for ever, without the limits that guard ordinary queries.
_FOR_EVER = (
    "SYSTEM START LISTEN HTTP; "
    "SELECT sleepEachRow(1) FROM system.numbers FORMAT Null "
    "SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0, "
    "max_execution_time = 0, max_memory_usage = 0"
)


def arguments(data: Path, config: Path, host: str, port: int) -> list[str]:
    """Return the command line for the library's entry point."""
    return [
        "clickhouse",
        f"--config-file={config}",
        f"--path={data}",
        f"--http_port={port}",
        f"--listen_host={host}",
        "--log-level=warning",  # it does not take this from the file
        f"--query={_FOR_EVER}",
    ]


def serve(library: Path, line: list[str]) -> None:
    """Run the server; returns only when it cannot start."""
    clickhouse = ctypes.CDLL(str(library))
    entry = clickhouse.chdb_query_cmdline
    entry.argtypes = (ctypes.c_int, ctypes.POINTER(ctypes.c_char_p))
    entry.restype = ctypes.c_void_p
    values = (ctypes.c_char_p * len(line))(*(value.encode() for value in line))
    result = entry(len(line), values)
    if result:
        message = clickhouse.chdb_result_error
        message.argtypes, message.restype = (ctypes.c_void_p,), ctypes.c_char_p
        sys.stderr.write(f"{(message(result) or b'').decode(errors='replace')}\n")


def main() -> None:
    """Serve ClickHouse for this checkout; exits with 1 when the server ends."""
    config = settings()
    paths = Paths.of(config)
    file = paths.run / "clickhouse" / "config.xml"
    port = config.port(config.clickhouse_port)
    serve(paths.libchdb, arguments(paths.clickhouse, file, config.host, port))
    sys.exit(1)


if __name__ == "__main__":
    main()
