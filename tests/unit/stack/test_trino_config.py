"""Which JDK Trino gets, what it is told, and that it is asked for explicitly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack import trino
from asknown.stack.paths import Paths
from asknown.stack.services import services


def jdk(folder: Path, version: str) -> Path:
    """Make what looks like the folder of a JDK."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").write_text("#!/bin/sh\n")
    (folder / "bin" / "java").chmod(0o755)
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """Return the settings of a stack with a Trino that was unpacked."""
    found = Settings(
        data_dir=tmp_path / "data",
        home=tmp_path / "home",
        with_trino=True,
        trino_java=str(jdk(tmp_path / "jdk-25", "25.0.1")),
    )
    lib = Paths.of(found).trino_server / "lib"
    lib.mkdir(parents=True)
    (lib / "trino-main.jar").touch()
    return found


def test_java_home_takes_the_first_one_that_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    old, new = jdk(tmp_path / "jvm" / "jdk-17", "17.0.2"), jdk(tmp_path / "jvm" / "jdk-24", "24")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(old / "bin"))
    assert trino.java_home(Settings()) == new


def test_java_home_without_one_that_is_new_enough_says_what_it_found(tmp_path: Path):
    old = jdk(tmp_path / "jdk-17", "17.0.2")
    with pytest.raises(AsknownError, match="24 or later") as caught:
        trino.java_home(Settings(trino_java=str(old)))
    assert caught.value.code == "ASKNOWN-STACK-090"
    assert "(17)" in caught.value.message
    assert "ASKNOWN_TRINO_JAVA" in caught.value.hint


def test_stack_has_no_trino_until_it_is_asked_for(tmp_path: Path):
    config = Settings(data_dir=tmp_path / "data")
    assert "trino" not in [service.name for service in services(config)]
    trino.want(config)
    assert "trino" in [service.name for service in services(config)]


def test_service_without_a_server_says_how_to_get_one(tmp_path: Path):
    config = Settings(data_dir=tmp_path / "data", home=tmp_path / "home")
    with pytest.raises(AsknownError) as caught:
        trino.trino_service(config).prepare()
    assert (caught.value.code, caught.value.hint) == ("ASKNOWN-STACK-091", "make trino")


def test_configuration_gives_the_lake_to_everybody_for_reading_only(config: Settings):
    trino.trino_service(config).prepare()
    etc = Paths.of(config).trino / "etc"
    assert "iceberg.security=READ_ONLY" in (etc / "catalog" / "lake.properties").read_text()
    rules = json.loads((etc / "rules.json").read_text())
    own = trino.keeper(config)
    assert rules["catalogs"][0] == {"user": own, "catalog": "keeper", "allow": "all"}
    assert [r for r in rules["catalogs"] if r["allow"] == "all" and "user" not in r] == []
    assert rules["impersonation"] == [{"new_user": ".*", "allow": False}]


def test_configuration_is_readable_by_its_owner_only(config: Settings):
    trino.trino_service(config).prepare()
    for path in (Paths.of(config).trino / "etc").rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path


def test_process_does_not_show_who_may_make_views(config: Settings):
    (process,) = trino.trino_service(config).processes
    shown = " ".join([*process.command, *process.environment.values()])
    assert trino.keeper(config) not in shown
