"""Exit codes, and errors in one line on standard error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from asknown.cli.main import COMMANDS, run
from asknown.cli.output import output
from asknown.errors import UsageError
from asknown.settings import CHECKOUT


def asknown(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command for a stack that does not run, on ports nobody uses."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASKNOWN_")}
    return subprocess.run(
        [sys.executable, "-m", "asknown.cli.main", *arguments],
        env={**kept, "ASKNOWN_DATA_DIR": str(data), "ASKNOWN_PORT_OFFSET": "27011"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["statsu"], 2, "Did you mean 'status'"),
        (["status", "--bogus"], 2, "asknown status --help"),
        (["status", "-o", "xml"], 2, "xml"),
        (["up", "--only", "kafak"], 2, "did you mean kafka?"),
        (["logs", "nothing"], 2, "ASKNOWN-STACK-051"),
        (["logs", "kafka"], 1, "it has not been started"),
        (["job", "submit", "normalise"], 2, "did you mean normalize?"),
        (["job", "submit", "normalize"], 4, "ASKNOWN-FLINK-001"),
        (["job", "ls"], 4, "asknown up --only flink"),
        (["job", "stop", "normalize"], 4, "ASKNOWN-FLINK-001"),
    ],
)
def test_error_is_one_line_with_its_exit_code(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = asknown(tmp_path / "data", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("ASKNOWN-")
    assert done.stdout == ""


def test_bad_command_line_writes_nothing(tmp_path: Path) -> None:
    asknown(tmp_path / "data", "up", "--only", "kafak")
    assert not (tmp_path / "data" / "run" / "supervisord.conf").exists()


def test_status_of_a_stopped_stack_is_json_and_succeeds(tmp_path: Path) -> None:
    done = asknown(tmp_path / "data", "status", "-o", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert {service["state"] for service in report["services"]} == {"stopped"}
    assert report["jobs"] == []


def test_down_of_a_stopped_stack_succeeds(tmp_path: Path) -> None:
    done = asknown(tmp_path / "data", "down", "-o", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"stopped": 0, "removed": []})


def test_purge_removes_what_the_stack_wrote_and_nothing_else(tmp_path: Path) -> None:
    for name in ("kafka", "warehouse", "mine"):
        (tmp_path / name).mkdir()
    done = asknown(tmp_path, "down", "--purge", "-o", "json")
    assert json.loads(done.stdout)["removed"] == ["kafka", "warehouse", "run"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_help_names_every_command_and_imports_none(tmp_path: Path) -> None:
    code = (
        "import sys; from asknown.cli.main import run; run(['--help']); "
        "print([m for m in sys.modules if m.startswith(('pyarrow', 'httpx2', 'asknown.stack'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("asknown ")


def test_table_is_the_same_in_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a", 1, None), ("b", 2500, 0.25)]
    output("json").table("t", ("name", "count", "rate"), rows)
    parsed = json.loads(capsys.readouterr().out)
    output("text").table("t", ("name", "count", "rate"), rows)
    text = capsys.readouterr().out
    assert parsed == [
        {"name": "a", "count": 1, "rate": None},
        {"name": "b", "count": 2500, "rate": 0.25},
    ]
    assert all(word in text for word in ("name", "count", "rate", "2,500"))


def test_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError):
        output("xml")


def test_variable_that_cannot_be_read_is_named_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "asknown.cli.main", "status"],
        env={**os.environ, "ASKNOWN_DATA_DIR": str(tmp_path), "ASKNOWN_PORT_OFFSET": "many"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("ASKNOWN-SETTINGS-001 ASKNOWN_PORT_OFFSET: ")
    assert done.stderr.count("\n") == 1
