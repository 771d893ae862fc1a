"""Fixtures of the pipeline tests: each of them runs in a stream and in a batch."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path

import pytest
from pyflink.java_gateway import get_gateway

from jobs.backfill import pipeline as backfill
from jobs.derive import pipeline as derive
from jobs.normalize import pipeline as normalize
from jobs.normalize import sessions
from jobs.reference import pipeline as reference
from tests.pipelines.harness import Harness, Mode


@pytest.fixture(scope="session", autouse=True)
def jvm() -> None:
    """Start the JVM of PyFlink, which forgets the process and its pipes: no leak of ours."""
    # Workers in processes of their own, as on a cluster: threads of ours would outlive their job.
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112  # PyFlink's name
    # It plans much and computes little: what the second compiler does comes too late for a test.
    os.environ.setdefault("JVM_ARGS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        get_gateway()
        gc.collect()


@lru_cache(maxsize=1)
def session_sql() -> sessions.SessionSql:
    """Return the session expressions of the simulated venue."""
    return sessions.render({"XSIM": sessions.open_days("XSIM", date(2024, 10, 1))})


@pytest.fixture(params=list(Mode))
def mode(request: pytest.FixtureRequest) -> Mode:
    """Run the test once in each mode."""
    chosen: Mode = request.param
    return chosen


@pytest.fixture
def normalizing(tmp_path: Path) -> Callable[..., Harness]:
    """Return a maker of harnesses around the normalize pipeline."""
    return lambda mode, **more: Harness(
        lambda tables: normalize.build(tables, session_sql()), tmp_path, mode, **more
    )


@pytest.fixture
def normalizing_without_rules(tmp_path: Path) -> Callable[..., Harness]:
    """Return a maker of harnesses around the normalize pipeline as `--rules off` builds it."""
    return lambda mode, **more: Harness(
        lambda tables: normalize.build(tables, session_sql(), rules=False), tmp_path, mode, **more
    )


@pytest.fixture
def deriving(tmp_path: Path) -> Callable[..., Harness]:
    """Return a maker of harnesses around the derive pipeline."""
    return lambda mode, **more: Harness(derive.build, tmp_path, mode, **more)


@pytest.fixture
def backfilling(tmp_path: Path) -> Callable[..., Harness]:
    """Return a maker of harnesses around normalize and derive, one behind the other."""
    return lambda mode, **more: Harness(
        lambda tables: backfill.build(tables, session_sql()), tmp_path, mode, **more
    )


@pytest.fixture
def referring(tmp_path: Path) -> Callable[..., Harness]:
    """Return a maker of harnesses around the reference pipeline."""
    return lambda mode, **more: Harness(reference.build, tmp_path, mode, **more)
