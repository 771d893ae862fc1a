"""A registry that is killed at any moment gives no id away twice and forgets none it answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.unit.stack.conftest import RegistryServer

ROUNDS = 3
WRITERS = 4
BEFORE_THE_KILL = 25  # answers of a round, so that the kill falls into the middle of others


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryServer]:
    """Return a registry of this test alone."""
    server = RegistryServer(tmp_path)
    yield server
    server.kill()


def schema(number: int) -> str:
    return json.dumps({"type": "record", "name": f"R{number}", "fields": []})


def register(url: str, number: int) -> int | None:
    """Return the id that was answered; None when the registry went away instead."""
    path = f"{url}/subjects/s{number % WRITERS}-{number}/versions"
    try:
        answer = httpx2.post(path, json={"schema": schema(number)}, timeout=10)
    except httpx2.HTTPError:
        return None
    return int(answer.json()["id"])


def round_of(registry: RegistryServer, first: int, answered: dict[int, int]) -> int:
    """Register from several threads, kill in between; return the first number not tried yet."""

    def write(offset: int) -> int:
        number = first + offset
        while (schema_id := register(registry.url, number)) is not None:
            answered[number] = schema_id
            number += WRITERS
        return number

    with ThreadPoolExecutor(WRITERS) as pool:
        before = len(answered)
        writers = [pool.submit(write, offset) for offset in range(WRITERS)]
        while len(answered) < before + BEFORE_THE_KILL:
            assert not all(writer.done() for writer in writers)
        registry.kill()
        return max(writer.result() for writer in writers) + WRITERS


def test_registry_killed_in_the_middle_of_registrations_keeps_every_answered_id(
    registry: RegistryServer,
) -> None:
    answered: dict[int, int] = {}
    following = 0
    for _ in range(ROUNDS):
        following = round_of(registry, following, answered)
        registry.start()
        again = {number: register(registry.url, number) for number in answered}
        assert again == answered
    assert len(answered) >= ROUNDS * BEFORE_THE_KILL
    assert len(set(answered.values())) == len(answered)
    for number, schema_id in answered.items():
        found = httpx2.get(f"{registry.url}/schemas/ids/{schema_id}").json()
        assert found == {"schema": schema(number)}


def test_registry_killed_between_registrations_counts_on(registry: RegistryServer) -> None:
    ids = []
    for number in range(4):
        ids.append(register(registry.url, number))
        registry.kill()
        registry.start()
    assert ids == [1, 2, 3, 4]
