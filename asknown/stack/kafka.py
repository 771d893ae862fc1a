"""The Kafka broker: one node, KRaft, from plain jars."""

from __future__ import annotations

import base64
import subprocess
import uuid
from functools import partial
from pathlib import Path

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack.java import java, require_jars
from asknown.stack.paths import INFRA, Paths
from asknown.stack.process import Process, Service, environment, render
from asknown.stack.sizes import sizes


def kafka_service(config: Settings) -> Service:
    """Return the broker as a service; without processes when another Kafka is configured."""
    service = Service(
        name="kafka", url=config.bootstrap_servers, ready=partial(_ready, config.bootstrap_servers)
    )
    if config.kafka_bootstrap:
        return service
    return Service(
        name=service.name,
        url=service.url,
        ready=service.ready,
        processes=(broker_process(config),),
        prepare=partial(_prepare, config),
        ports=(config.port(config.kafka_port), config.port(config.kafka_controller_port)),
    )


def broker_process(config: Settings) -> Process:
    """Return the command of the broker."""
    heap = sizes().kafka_heap
    options = (
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=20",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        *sizes().java_options.split(),
    )
    return Process(
        name="kafka",
        command=_command(config, options, "kafka.Kafka", str(_properties(config))),
        environment=environment(config),
        stop_seconds=30,
    )


def _properties(config: Settings) -> Path:
    return Paths.of(config).run / "kafka.properties"


def _command(config: Settings, options: tuple[str, ...], *main: str) -> tuple[str, ...]:
    logging = f"-Dlog4j2.configurationFile={INFRA / 'kafka' / 'log4j2.properties'}"
    classes = str(Paths.of(config).kafka_jars / "*")
    return (java(), *options, logging, "-cp", classes, *main)


def _prepare(config: Settings) -> None:
    """Write the configuration and format the log folder where that has not been done."""
    paths = Paths.of(config)
    require_jars(paths.kafka_jars, "kafka")
    render(
        INFRA / "kafka" / "server.properties",
        _properties(config),
        {
            "host": config.host,
            "port": config.port(config.kafka_port),
            "controller_port": config.port(config.kafka_controller_port),
            "log_dir": paths.kafka,
        },
    )
    if (paths.kafka / "meta.properties").exists():
        return
    # a leading letter: the tool takes an id that starts with '-' for an option
    cluster = "a" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
    arguments = ("format", "-t", cluster, "-c", str(_properties(config)), "--ignore-formatted")
    command = _command(config, ("-Xmx128m",), "kafka.tools.StorageTool", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AsknownError(
            "ASKNOWN-STACK-010",
            f"Expected Kafka's log folder to be formatted, found: {done.stderr.strip()[-400:]}",
            where=str(paths.kafka),
            hint="free disk space or remove that folder, then `asknown up`",
        )


def _ready(bootstrap: str) -> str:
    """Return what is missing until the broker serves metadata."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient(
        {"bootstrap.servers": bootstrap, "socket.timeout.ms": 2000, "log_level": 0}
    )
    try:
        metadata = client.list_topics(timeout=2)
    except KafkaException as error:
        return f"no metadata from {bootstrap}: {error.args[0].str()}"
    return "" if metadata.brokers else f"{bootstrap} knows no broker yet"
