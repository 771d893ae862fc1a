"""Bad command lines: one line, exit code 2, before anything is asked of a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from asknown.cli.main import run
from asknown.errors import ExitCode


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ingest", "lean", "no-such-folder"], "ASKNOWN-INGEST-040"),
        (["ingest", "lean", "{empty}"], "ASKNOWN-INGEST-041"),
        (["ingest", "samples", "--symbols", "TSLA"], "ASKNOWN-INGEST-031"),
        (["ingest", "samples", "--symbols", ","], "ASKNOWN-INGEST-031"),
        (["ingest", "samples", "--speed", "0"], "ASKNOWN-INGEST-010"),
        (["ingest", "synthetic", "--events", "5"], "ASKNOWN-INGEST-020"),
        (["ingest", "synthetic", "--speed", "-1"], "ASKNOWN-INGEST-010"),
        (["reference", "load", "lean", "no-such-folder"], "ASKNOWN-INGEST-040"),
        (["symbol", "resolve", "X", "--on", "yesterday"], "ASKNOWN-REFERENCE-022"),
    ],
)
def test_bad_command_line_ends_with_code_two_and_one_line(
    arguments: list[str], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [argument.replace("{empty}", str(tmp_path)) for argument in arguments]
    assert run(filled) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(code)
    assert printed.err.count("\n") == 1
