"""A schema registry for the local stack, with the endpoints and error codes of Confluent's.

Enough of them for confluent-kafka's client, Flink's avro-confluent format and Trino; in production
any Confluent-compatible registry takes its place. Run as `python -m asknown.stack.registry`.
"""

from __future__ import annotations

from functools import partial

import httpx2

from asknown.settings import Settings, settings
from asknown.stack.paths import Paths
from asknown.stack.process import Process, Service, environment, python_module


def registry_service(config: Settings) -> Service:
    """Return the registry as a service; without processes when another one is configured."""
    process = Process(
        name="registry",
        command=python_module("asknown.stack.registry"),
        environment=environment(config),
    )
    return Service(
        name="registry",
        url=config.registry_url,
        ready=partial(_ready, config.registry_url),
        processes=() if config.registry_address else (process,),
        ports=() if config.registry_address else (config.port(config.registry_port),),
    )


def _ready(url: str) -> str:
    """Return what is missing until the registry answers."""
    try:
        httpx2.get(f"{url}/subjects", timeout=2).raise_for_status()
    except httpx2.HTTPError as error:
        return f"no answer from {url}: {str(error) or type(error).__name__}"
    return ""


def main() -> None:
    """Serve the registry of this checkout until it is told to stop."""
    import uvicorn

    from asknown.stack.registry_api import application
    from asknown.stack.registry_store import Store

    config = settings()
    app = application(Store(Paths.of(config).registry))
    port = config.port(config.registry_port)
    uvicorn.run(app, host=config.host, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
