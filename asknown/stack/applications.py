"""The platform's own servers as services of the stack: the loaders, the API, the healer."""

from __future__ import annotations

from functools import partial

import httpx2

from asknown.settings import Settings
from asknown.stack.process import Process, Service, environment, python_module


def loader_service(config: Settings) -> Service:
    """Return the loader from Kafka to ClickHouse as a service."""
    port = config.port(config.loader_metrics_port)
    return _reader_of_kafka(config, "loader", port, "clickhouse")


def live_service(config: Settings) -> Service:
    """Return the process that keeps Redis up to date as a service."""
    return _reader_of_kafka(config, "live", config.port(config.live_metrics_port), "redis")


def _reader_of_kafka(config: Settings, name: str, port: int, store: str) -> Service:
    """Return a process that fills a store from Kafka; it is ready when its metrics answer."""
    url = f"http://{config.host}:{port}/metrics"
    return Service(
        name=name,
        url=url,
        ready=partial(_answers, url),
        processes=(_process(config, name, f"asknown.storage.{name}"),),
        ports=(port,),
        needs=("kafka", "registry", store),
    )


def api_service(config: Settings) -> Service:
    """Return the API as a service."""
    return Service(
        name="api",
        url=config.api_url,
        ready=partial(_answers, f"{config.api_url}/healthz"),
        processes=(_process(config, "api", "asknown.serving.main"),),
        ports=(config.port(config.api_port),),
        needs=("clickhouse",),
    )


def heal_service(config: Settings) -> Service:
    """Return the repeated healing of late records as a service; its log says what it did."""
    every = ("heal", "--every", str(max(1.0, config.heal_every_seconds)))
    command = python_module("asknown.cli.main", *every)
    return Service(
        name="heal",
        url=f"each {config.heal_every_seconds:.0f} s",
        ready=lambda: "",  # it waits for whatever is not there yet
        processes=(Process(name="heal", command=command, environment=environment(config)),),
        needs=("kafka", "registry", "flink", "postgres"),
    )


def _process(config: Settings, name: str, module: str) -> Process:
    return Process(name=name, command=python_module(module), environment=environment(config))


def _answers(url: str) -> str:
    """Return what is missing until a server answers without an error."""
    try:
        answer = httpx2.get(url, timeout=3)
    except httpx2.HTTPError as error:
        return f"no answer from {url}: {str(error) or type(error).__name__}"
    return "" if answer.is_success else f"{url} answers {answer.status_code}"
