"""What every benchmark stands on: a stack of its own, what the machine is, where results go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = CHECKOUT / ".asknown" / "bench"
RESULTS = CHECKOUT / "bench" / "results"
ASKNOWN = (sys.executable, "-m", "asknown.cli.main")


@contextmanager
def own_stack(settings: Mapping[str, str], services: Sequence[str], *, keep: bool) -> Iterator[Any]:
    """Start services with their own ports and data folder; stop them and delete it at the end.

    `settings` are environment variables; what the caller's environment says goes before them.
    With `keep` the stack and its data stay.
    """
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    from asknown.stack import down, up  # reads the environment set above

    data_dir = Path(os.environ["ASKNOWN_DATA_DIR"])
    down()
    shutil.rmtree(data_dir, ignore_errors=True)
    say(f"starting {', '.join(services)} in {data_dir}")
    try:
        up(services, report=lambda o: say(f"  {o.name:<10} {o.state} {o.seconds:.1f} s"))
        yield
    finally:
        if not keep:
            down()
            shutil.rmtree(data_dir, ignore_errors=True)


def say(text: str) -> None:
    """Print progress where it does not disturb the result on standard output."""
    print(text, file=sys.stderr, flush=True)


def asknown(*arguments: str, timeout: float | None = None) -> None:
    """Run a command as a user would; raise `RuntimeError` when it fails, after its own words."""
    done = subprocess.run(
        (*ASKNOWN, *arguments), cwd=CHECKOUT, stdout=sys.stderr, timeout=timeout, check=False
    )
    if done.returncode:
        said = f"asknown {' '.join(arguments)}"
        raise RuntimeError(f"expected `{said}` to succeed, it exited with {done.returncode}")


def write_result(name: str, result: Mapping[str, Any], *, quoted: bool) -> None:
    """Write a result to bench/results, under its day and commit; a short try is no result."""
    folder = RESULTS if quoted else HOME
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    path = folder / f"{name}-{day}-{result['conditions']['commit']}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    say(f"wrote {path}")


def conditions() -> dict[str, Any]:
    """Return what the figures of every benchmark depend on: machine, date, commit, load."""
    memory = Path("/proc/meminfo").read_text().split()[1]
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "cpu_model": models[0] if models else "unknown",
        "memory_gb": round(int(memory) / 1e6, 1),
        "kernel": os.uname().release,
        "java": _first_line("java", "-version"),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": _first_line("git", "rev-parse", "--short", "HEAD") or "uncommitted",
        # A result that was written just before changes nothing that is measured.
        "dirty": bool(_first_line("git", "status", "--porcelain", "--", ".", ":!bench/results")),
        "load_average_before": os.getloadavg()[0],
    }


def versions() -> dict[str, str]:
    """Return the versions of Flink and of the broker."""
    from importlib.metadata import version

    from asknown.settings import settings

    jars = (settings().home / "jars" / "kafka").glob("kafka_2.13-*.jar")
    kafka = next((jar.stem.rpartition("-")[2] for jar in jars), "unknown")
    return {"flink": version("apache-flink"), "kafka": kafka}


def _first_line(*command: str) -> str:
    """Return the first line a tool prints, '' when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)
    text = (done.stdout or done.stderr).strip() if done.returncode == 0 else ""
    return text.splitlines()[0] if text else ""
