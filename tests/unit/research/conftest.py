"""A lake with the small market of the API's tests, and the API over the same rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asknown.research import Connection, connect
from asknown.settings import Settings
from tests.unit.research.market import fill
from tests.unit.serving.conftest import NOW, api_port, config, filled

__all__ = ["api_port", "config", "filled"]  # fixtures: a ClickHouse, and the API over it
from tests.unit.storage.lake_rows import new_lake


@pytest.fixture(scope="session")
def lake_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a lake in a folder that holds the market."""
    folder = tmp_path_factory.mktemp("lake")
    found = new_lake(folder)
    fill(found)
    return found


@pytest.fixture(scope="session")
def asknown(lake_settings: Settings) -> Connection:
    """Return a connection to the lake whose clock stands still."""
    return connect(config=lake_settings, now=lambda: NOW)


@pytest.fixture(scope="session")
def over_http(api_port: int) -> Iterator[Connection]:
    """Yield a connection to the API over the same rows."""
    with connect(f"http://127.0.0.1:{api_port}") as found:
        yield found
