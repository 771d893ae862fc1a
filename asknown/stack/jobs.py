"""Submit Flink jobs with Flink's own client, and know which were submitted."""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.errors import AsknownError, UnreachableError, UsageError
from asknown.settings import CHECKOUT, Settings
from asknown.stack.flink import FlinkRest
from asknown.stack.flink_cluster import flink_environment
from asknown.stack.paths import Paths
from asknown.stack.root_cause import root_cause

if TYPE_CHECKING:
    from asknown.lineage.events import Events, Told

_SUBMITTED = re.compile(r"JobID ([0-9a-f]{32})")
_ENDED = ("FINISHED", "CANCELED", "FAILED", "SUSPENDED")
_POLL_SECONDS = 0.25
_NOTE_SECONDS = 10.0
# A live job is tried again for ever, for its stream waits. Behind a batch waits a person: it gets
# over a lost TaskManager, and on a full disk it ends with the reason.
_OF_A_BATCH = {
    "execution.runtime-mode": "BATCH",
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "10",
    "restart-strategy.fixed-delay.delay": "2 s",
}
_MAX_FAILURES = 3  # restarts before the first checkpoint that make a submission a failure

Note = Callable[[str], None]


@dataclass(frozen=True)
class Submission:
    """One job to run.

    `arguments` go to the job's main program, `options` to Flink (`-Dkey=value`). `restore` is the
    savepoint or checkpoint to start from; without one a job reads its topics from the beginning. A
    `batch` job is waited for until it has finished.
    """

    name: str
    arguments: tuple[str, ...] = ()
    parallelism: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    restore: str = ""
    batch: bool = False
    timeout: float = 240.0
    folder: Path = CHECKOUT / "jobs"


@dataclass(frozen=True)
class Started:
    """A job that runs, and how long each stage took: planning, all tasks, first checkpoint."""

    name: str
    job_id: str
    state: str
    submitted_seconds: float
    running_seconds: float
    checkpoint_seconds: float | None


def submit(job: Submission, config: Settings, note: Note = lambda _: None) -> Started:
    """Submit a job and return when it runs and its first checkpoint is complete.

    Raises:
        UsageError: there is no such job, or it is running already.
        UnreachableError: Flink does not answer.
        AsknownError: the job failed; the message is the root cause, the whole trace is in a file.
    """
    main = _main_program(job)
    with FlinkRest(config.flink_url) as rest:
        _require_room(job, rest, config)
        with _telling(job, config, note) as (events, run):
            began, began_at = time.monotonic(), datetime.now(UTC)
            run.job_id = _flink_run(job, main, config, note)
            _remember(config, job, run.job_id)
            submitted = time.monotonic() - began
            events.tell(run, "START", at=began_at)
            watch = _Watch(job, run.job_id, rest, config, note)
            running, checkpoint, state = watch.until_up()
        events.tell(run, "COMPLETE" if job.batch else "RUNNING")
    return Started(job.name, run.job_id, state, submitted, running, checkpoint)


@contextmanager
def _telling(job: Submission, config: Settings, note: Note) -> Iterator[tuple[Events, Told]]:
    """Yield what tells of a submission; if that fails, tell so, and let the failure go on."""
    # Here, since a third of a second of importing is nothing for `asknown status` to wait for.
    from asknown.lineage.events import Events, Told

    events, run = Events(config, note), Told(job.name, "", job.batch)
    try:
        yield events, run
    except AsknownError as error:
        events.tell(run, "FAIL", str(error))
        raise


def submitted(config: Settings) -> dict[str, dict[str, Any]]:
    """Return the last submission of every job by name: job_id, arguments, restored, at, ..."""
    return {
        path.stem: json.loads(path.read_text())
        for path in sorted(Paths.of(config).jobs.glob("*.json"))
    }


def forget(config: Settings, name: str, *, savepoint: str = "") -> None:
    """Note that a job is meant not to run any more, and the savepoint it was stopped with."""
    from asknown.lineage.events import Events, Told

    path = Paths.of(config).jobs / f"{name}.json"
    if path.exists():
        record = json.loads(path.read_text())
        run = Told(name, str(record["job_id"]), batch=False)
        Events(config).tell(run, "COMPLETE" if savepoint else "ABORT")
        path.write_text(json.dumps({**record, "stopped": True, "savepoint": savepoint}))


def job_id_of(config: Settings, rest: FlinkRest, name: str) -> str:
    """Return the id for a job's name, an id, or the beginning of one.

    Raises:
        UsageError: no running job fits, or several do.
    """
    live = {row["jid"]: row["name"] for row in rest.jobs() if row["state"] not in _ENDED}
    record = submitted(config).get(name, {})
    if record.get("job_id") in live:
        return str(record["job_id"])
    fitting = [jid for jid, title in live.items() if title == name or jid.startswith(name)]
    if len(fitting) == 1:
        return str(fitting[0])
    known = ", ".join(sorted({*live.values(), *live})) or "none"
    raise UsageError(
        "ASKNOWN-JOB-003",
        f"Expected one running job called {name!r}, found {len(fitting)} (running: {known}).",
        hint="asknown job ls",
    )


def is_live(config: Settings, name: str) -> bool:
    """Return whether Flink has the job and has not ended it; False when Flink does not answer.

    A job that is being restarted is live.
    """
    try:
        with FlinkRest(config.flink_url) as rest:
            job_id_of(config, rest, name)
    except (UnreachableError, UsageError):
        return False
    return True


def resume_point(config: Settings, name: str) -> str:
    """Return where a job that has run before goes on; nothing for one that is to begin anew.

    That is the savepoint it was stopped with, else its newest checkpoint, else what its last run
    itself went on from: a run that ended before its first checkpoint has moved nothing.
    """
    record = submitted(config).get(name, {})
    return str(
        record.get("savepoint")
        or _newest_checkpoint(config, str(record.get("job_id", "-")))
        or record.get("restored", "")
    )


def _newest_checkpoint(config: Settings, job_id: str) -> str:
    folder = Paths.of(config).checkpoints / job_id
    complete = [path.parent for path in folder.glob("chk-*/_metadata")]
    if not complete:
        return ""
    return f"file://{max(complete, key=lambda path: int(path.name.removeprefix('chk-')))}"


def command(job: Submission, main: Path, config: Settings) -> list[str]:
    """Return the `flink run` command line of a submission."""
    home = Paths.of(config).flink / "home"
    options = {**job.options, **(_OF_A_BATCH if job.batch else {})}
    line = ["/bin/bash", str(home / "bin" / "flink"), "run", "-d"]
    line += ["-m", f"{config.host}:{config.port(config.flink_port)}"]
    line += [f"-D{key}={value}" for key, value in options.items()]
    if job.parallelism:
        line += ["-p", str(job.parallelism)]
    if job.restore:
        line += ["-s", job.restore]
    line += ["-pyexec", sys.executable, "-pyclientexec", sys.executable]
    line += ["-py", str(main), "-pyfs", str(Paths.of(config).flink / "python")]
    # Under this name: Flink's client reads its own options among the program's, and takes them out.
    width = ["--width", str(job.parallelism)] if job.parallelism else []
    return [*line, *width, *job.arguments]


def _main_program(job: Submission) -> Path:
    names = sorted(path.parent.name for path in job.folder.glob("*/main.py"))
    if job.name in names:
        return job.folder / job.name / "main.py"
    near = difflib.get_close_matches(job.name, names, n=1)
    raise UsageError(
        "ASKNOWN-JOB-001",
        f"Expected a job ({', '.join(names)}), was {job.name!r}.",
        hint=f"did you mean {near[0]}?" if near else "",
    )


def _require_room(job: Submission, rest: FlinkRest, config: Settings) -> None:
    live = {row["jid"]: row["state"] for row in rest.jobs() if row["state"] not in _ENDED}
    known = submitted(config).get(job.name, {}).get("job_id")
    if known in live:
        raise UsageError(
            "ASKNOWN-JOB-002",
            f"Expected {job.name} not to run, found it {live[known]} as {known}.",
            where=f"{rest.url}/#/job/running/{known}/overview",
            hint=f"asknown job stop {job.name}",
        )
    free, wanted = (rest.overview()["slots-available"], job.parallelism or config.job_parallelism)
    if free < wanted:
        raise AsknownError(
            "ASKNOWN-JOB-005",
            f"Expected {wanted} free task slots, found {free}.",
            where=rest.url,
            hint="asknown job ls; asknown status (are both TaskManagers up?)",
        )


def _flink_run(job: Submission, main: Path, config: Settings, note: Note) -> str:
    """Run Flink's client and return the job's id."""
    log = Paths.of(config).logs / f"submit-{job.name}.log"
    line = command(job, main, config)
    began = time.monotonic()
    noted = began
    with log.open("w") as file:
        client = subprocess.Popen(
            line, stdout=file, stderr=subprocess.STDOUT, env=flink_environment(config), cwd=CHECKOUT
        )
        try:
            while client.poll() is None:
                time.sleep(_POLL_SECONDS)
                now = time.monotonic()
                if now - noted > _NOTE_SECONDS:
                    noted = now
                    note(f"{job.name}: flink run is at it, {now - began:.0f} s so far")
                # The program of a batch waits for its end, however long that takes.
                if now - began > job.timeout and not job.batch:
                    raise _failure(job, f"flink run has not ended after {job.timeout:.0f} s", log)
        finally:
            if client.poll() is None:
                client.kill()
                client.wait()
    text = log.read_text(errors="replace")
    ids = _SUBMITTED.findall(text)
    if client.returncode != 0 or not ids:
        cause = "\n  ".join(root_cause(text)) or "flink run said nothing"
        raise _failure(job, cause, log, ran=bool(ids))
    return str(ids[-1])


def _remember(config: Settings, job: Submission, job_id: str) -> None:
    folder = Paths.of(config).jobs
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "job_id": job_id,
        "arguments": list(job.arguments),
        "parallelism": job.parallelism,
        "batch": job.batch,
        "restored": job.restore,
        "at": time.time(),
    }
    (folder / f"{job.name}.json").write_text(json.dumps(record))


def _failure(job: Submission, cause: str, log: Path, *, ran: bool = False) -> AsknownError:
    what = "failed" if ran else "did not start"
    return AsknownError(
        "ASKNOWN-JOB-006", f"{job.name} {what}:\n  {cause}\n", hint=f"whole trace: {log}"
    )


class _Watch:
    """Follow a submitted job until it is up, has ended, or has failed."""

    def __init__(
        self, job: Submission, job_id: str, rest: FlinkRest, config: Settings, note: Note
    ) -> None:
        self.job, self.job_id, self.rest, self.note = job, job_id, rest, note
        self.log = Paths.of(config).logs / f"failure-{job.name}.log"

    def until_up(self) -> tuple[float, float | None, str]:
        """Return the seconds to RUNNING, to the first checkpoint, and the state reached."""
        began = noted = time.monotonic()
        running: float | None = None
        while True:
            now = time.monotonic()
            detail = self.rest.job(self.job_id)
            tasks = [vertex["status"] for vertex in detail["vertices"]]
            if detail["state"] == "FINISHED":
                return running or now - began, None, "FINISHED"
            self._fail_if_broken(detail["state"])
            if running is None and tasks and all(task in ("RUNNING", "FINISHED") for task in tasks):
                running = now - began
            if running is not None and self._has_checkpoint():
                return running, now - began, "RUNNING"
            if now - noted > _NOTE_SECONDS:
                noted = now
                self.note(self._waiting_for(running, tasks, now - began))
            if now - began > self.job.timeout and not self.job.batch:
                self._give_up(self._waiting_for(running, tasks, now - began))
            time.sleep(_POLL_SECONDS)

    def _has_checkpoint(self) -> bool:
        """Whether a streaming job has completed a checkpoint; a batch job never does."""
        return not self.job.batch and bool(
            self.rest.checkpoints(self.job_id)["counts"]["completed"]
        )

    def _waiting_for(self, running: float | None, tasks: list[str], seconds: float) -> str:
        if running is None:
            up = sum(task == "RUNNING" for task in tasks)
            what = f"{up} of {len(tasks)} tasks run"
        else:
            what = "the end of the batch" if self.job.batch else "the first checkpoint"
        return f"{self.job.name}: waiting for {what}, {seconds:.0f} s so far"

    def _fail_if_broken(self, state: str) -> None:
        if state in ("FAILED", "CANCELED", "SUSPENDED"):
            self._report(self.rest.exceptions(self.job_id), f"the job is {state}")
        failures = self.rest.exceptions(self.job_id) if state != "RUNNING" else []
        if len(failures) >= _MAX_FAILURES:
            self.rest.cancel(self.job_id)
            self._report(failures, f"restarted {len(failures)} times, then cancelled")

    def _give_up(self, reason: str) -> None:
        failures = self.rest.exceptions(self.job_id)
        self._report(failures, f"{reason}; the job is left as it is")

    def _report(self, failures: list[dict[str, Any]], reason: str) -> None:
        traces = [str(failure.get("stacktrace", "")) for failure in failures]
        self.log.write_text("\n\n".join(traces) or reason)
        lines = root_cause(traces[0]) if traces else []
        raise _failure(self.job, "\n  ".join([reason, *lines]), self.log, ran=self.job.batch)
