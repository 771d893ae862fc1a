"""What the stack writes for its servers, and how it names, waits and refuses."""

from __future__ import annotations

import shlex
import socket
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from pydantic import SecretStr

from asknown.errors import AsknownError, UsageError
from asknown.settings import CHECKOUT, Settings
from asknown.stack import flink_cluster
from asknown.stack.doctor import expected_jars
from asknown.stack.flink_cluster import prepare_home
from asknown.stack.flink_launch import JOBMANAGER, TASKMANAGER, launcher
from asknown.stack.kafka import broker_process
from asknown.stack.leftovers import port_is_free
from asknown.stack.paths import INFRA, Paths
from asknown.stack.process import render
from asknown.stack.report import environment_lines
from asknown.stack.secrets import secret
from asknown.stack.services import chosen, services
from asknown.stack.sizes import Sizes

EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a stack whose Flink home has been made, twice."""
    config = Settings(data_dir=tmp_path_factory.mktemp("flink") / "data", port_offset=31)
    prepare_home(config)
    prepare_home(config)
    return config


@pytest.fixture
def written(cluster: Settings) -> dict[str, object]:
    text = (Paths.of(cluster).flink / "conf" / "config.yaml").read_text()
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, dict)
    return loaded


def test_flink_listens_on_loopback_and_this_checkouts_ports(
    cluster: Settings, written: dict[str, object]
) -> None:
    hosts = [value for key, value in written.items() if key.endswith(("host", "address"))]
    assert len(hosts) == 6
    assert set(hosts) == {"127.0.0.1"}
    assert written["rest.port"] == cluster.port(cluster.flink_port)
    assert written["jobmanager.rpc.port"] == cluster.port(cluster.flink_rpc_port)


def test_flink_runs_python_with_this_interpreter(written: dict[str, object]) -> None:
    assert written["python.executable"] == sys.executable
    assert written["python.client.executable"] == sys.executable


def test_flink_home_holds_the_wheels_jars_and_the_connectors_once(cluster: Settings) -> None:
    home = Paths.of(cluster).flink / "home"
    names = sorted(path.name for path in (home / "lib").iterdir())
    assert any(name.startswith("flink-dist-") for name in names)
    assert any(name.startswith("flink-sql-connector-kafka-") for name in names)
    assert not any(name.startswith("flink-sql-gateway") for name in names)
    assert all((home / "lib" / name).exists() for name in names)
    assert (home / "bin" / "flink").stat().st_mode & stat.S_IXUSR


def test_flink_home_drops_a_connector_that_is_gone(config: Settings, tmp_path: Path) -> None:
    jars = tmp_path / "home" / "jars" / "flink"
    jars.mkdir(parents=True)
    for name in ("a.jar", "b.jar"):
        (jars / name).write_bytes(EMPTY_ZIP)
    moved = config.model_copy(update={"home": tmp_path / "home"})
    prepare_home(moved)
    (jars / "b.jar").unlink()
    prepare_home(moved)
    lib = Paths.of(moved).flink / "home" / "lib"
    assert (lib / "a.jar").is_symlink()
    assert not (lib / "b.jar").is_symlink()


def test_flink_launchers_are_made_once_for_a_configuration(cluster: Settings) -> None:
    flink = Paths.of(cluster).flink
    scripts = [launcher(flink, role) for role in (JOBMANAGER, TASKMANAGER)]
    texts = [script.read_text() for script in scripts]
    times = [script.stat().st_mtime_ns for script in scripts]
    prepare_home(cluster)
    assert [script.stat().st_mtime_ns for script in scripts] == times
    assert all("exec /" in text and " -Xmx" in text for text in texts)
    assert "-XX:+UseParallelGC" in texts[1]
    assert TASKMANAGER.main in texts[1]


@pytest.mark.parametrize("options", ["", "-Dmine=yes", " -Dmine=yes  -XX:TieredStopAtLevel=1 "])
def test_flink_launchers_pass_every_option_as_a_word_of_its_own(
    options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flink_cluster, "sizes", lambda: Sizes(java_options=options))
    config = Settings(data_dir=tmp_path / "data", port_offset=31)
    prepare_home(config)
    text = launcher(Paths.of(config).flink, TASKMANAGER).read_text()
    words = shlex.split(text.splitlines()[-1])
    before_classes = words[2 : words.index("-classpath")]
    assert {"-XX:+UseParallelGC", *options.split()} <= set(before_classes)
    assert [word for word in before_classes if not word.startswith("-")] == []


def test_every_template_names_only_known_values() -> None:
    with pytest.raises(AsknownError) as caught:
        render(INFRA / "kafka" / "server.properties", Path("/nowhere/x"), {"host": "127.0.0.1"})
    assert caught.value.code == "ASKNOWN-STACK-001"


def test_clickhouse_users_are_xml_without_any_password(config: Settings, tmp_path: Path) -> None:
    clickhouse = next(s for s in services(config) if s.name == "clickhouse")
    clickhouse.prepare()
    text = (Paths.of(config).run / "clickhouse" / "users.xml").read_text()
    users = ElementTree.fromstring(text).find("users")
    assert users is not None
    assert [user.tag for user in users] == ["default", "writer", "reader"]
    assert secret("clickhouse_reader", config) not in text


def test_processes_carry_this_stacks_folder_and_offset(config: Settings) -> None:
    variables = broker_process(config).environment
    assert variables["ASKNOWN_PORT_OFFSET"] == "31"
    assert variables["ASKNOWN_STACK"] == variables["ASKNOWN_DATA_DIR"] == str(config.data_dir)


def test_every_service_has_ports_of_its_own(config: Settings) -> None:
    ports = [port for service in services(config) for port in service.ports]
    assert len(ports) == len(set(ports)) >= 9


def test_configured_servers_are_not_started(tmp_path: Path) -> None:
    config = Settings(
        data_dir=tmp_path,
        kafka_bootstrap="127.0.0.1:1",
        registry_address="http://127.0.0.1:2",
        clickhouse_address="http://127.0.0.1:3",
        catalog_address="postgresql+psycopg2://u:hidden@127.0.0.1:4/db",
    )
    found = services(config)
    external = [service.name for service in found if service.external]
    assert external == ["kafka", "registry", "postgres", "clickhouse"]
    assert not any("hidden" in service.url for service in found)


def test_unreachable_server_says_so_instead_of_failing(tmp_path: Path) -> None:
    config = Settings(
        data_dir=tmp_path,
        registry_address="http://127.0.0.1:1",
        clickhouse_address="http://127.0.0.1:1",
        catalog_address="postgresql+psycopg2://u@127.0.0.1:1/db",
    )
    assert all(service.ready() for service in services(config) if service.external)


def test_unknown_service_is_refused_with_the_nearest_name(config: Settings) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(services(config), ["kafak"])
    assert caught.value.hint == "did you mean kafka?"


def test_every_service_stands_after_those_it_needs(config: Settings) -> None:
    found = services(config)
    names = [service.name for service in found]
    later = [
        (service.name, need)
        for position, service in enumerate(found)
        for need in service.needs
        if need not in names[:position]
    ]
    assert later == []
    assert any(service.needs for service in found)


def test_healer_is_a_service_only_when_it_is_switched_on(config: Settings) -> None:
    names = [service.name for service in services(config)]
    on = config.model_copy(update={"heal_every_seconds": 300.0})
    healer = services(on)[-1]
    assert "heal" not in names
    assert healer.processes[0].command[-3:] == ("heal", "--every", "300.0")


def test_port_in_use_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not port_is_free("127.0.0.1", port)
    assert port_is_free("127.0.0.1", port)


def test_secret_is_made_once_and_readable_by_its_owner_only(config: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda _: secret("clickhouse_reader", config), range(32)))
    folder = Paths.of(config).secrets
    assert len(set(values)) == 1
    assert len(values[0]) >= 32
    assert [path.name for path in folder.iterdir()] == ["clickhouse_reader"]
    assert stat.S_IMODE((folder / "clickhouse_reader").stat().st_mode) == 0o600


def test_configured_password_wins_over_the_file(tmp_path: Path) -> None:
    config = Settings(data_dir=tmp_path, clickhouse_reader_password=SecretStr("given"))
    assert secret("clickhouse_reader", config) == "given"
    assert not Paths.of(config).secrets.exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A"])
def test_name_that_is_no_secrets_is_refused(config: Settings, name: str) -> None:
    with pytest.raises(UsageError):
        secret(name, config)


def test_expected_jars_of_both_poms_are_what_the_setup_fetched() -> None:
    flink = set(expected_jars(INFRA / "flink-cluster" / "pom.xml"))
    kafka = set(expected_jars(INFRA / "kafka" / "pom.xml"))
    assert "asknown-flink-formats-0.1.0.jar" in flink
    assert "kafka_2.13-4.3.1.jar" in kafka
    home = Paths.of(Settings(home=CHECKOUT / ".asknown"))
    assert flink <= {jar.name for jar in home.flink_jars.glob("*.jar")}
    assert kafka <= {jar.name for jar in home.kafka_jars.glob("*.jar")}


def test_environment_lines_can_be_evaluated_and_name_no_password(config: Settings) -> None:
    lines = environment_lines(config)
    assert f"export KAFKA_BOOTSTRAP_SERVERS={config.bootstrap_servers}" in lines
    assert all(line.startswith("export ") for line in lines)
    assert not any("PASSWORD" in line for line in lines)
