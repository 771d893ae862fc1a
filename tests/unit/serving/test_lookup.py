"""Questions that wait for the store are asked together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from asknown.errors import UnreachableError
from asknown.reference.identifiers import Identifier
from asknown.reference.naming import Row
from asknown.serving.identity import read
from asknown.serving.lookup import MAX_VALUES, Lookup
from asknown.serving.quick import Quick
from asknown.serving.store import Store as ServingStore
from asknown.settings import Settings


def row(value: str) -> Row:
    return Row(Identifier(f"e_{value}", "SYMBOL", value, "XSIM", "", 0, 1, 0, 1), "LIST", "", "raw")


class Store:
    """Rows of any value; the first statement waits until it may go on."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.go_on = threading.Event()

    def read(self, values: Sequence[str]) -> list[Row]:
        self.asked.append([*values])
        assert self.go_on.wait(10)
        if "BAD" in values:
            raise ValueError("BAD")
        return [row(value) for value in values]


def test_questions_asked_during_a_statement_share_the_next_one() -> None:
    store = Store()

    async def ask() -> list[list[Row]]:
        lookup = Lookup(store.read)
        first = asyncio.create_task(lookup.rows({"A"}))
        while not store.asked:
            await asyncio.sleep(0)
        others = [asyncio.create_task(lookup.rows({value, "B"})) for value in "CDE"]
        await asyncio.sleep(0)
        store.go_on.set()
        answers = await asyncio.gather(first, *others)
        lookup.close()
        return answers

    answers = asyncio.run(ask())
    assert store.asked == [["A"], ["B", "C", "D", "E"]]
    assert [[r.identifier.id_value for r in rows] for rows in answers] == [
        ["A"],
        ["B", "C"],
        ["B", "D"],
        ["B", "E"],
    ]


def test_failure_reaches_everybody_who_shared_the_statement_and_nobody_later() -> None:
    store = Store()
    store.go_on.set()

    async def ask() -> None:
        lookup = Lookup(store.read)
        answers = await asyncio.gather(
            lookup.rows({"BAD"}), lookup.rows({"A"}), return_exceptions=True
        )
        assert all(isinstance(answer, ValueError) for answer in answers)
        with pytest.raises(ValueError, match="BAD"):
            await lookup.rows({"BAD"})
        assert await lookup.rows({"A"}) == [row("A")]
        lookup.close()

    asyncio.run(ask())


def test_statement_holds_a_bounded_number_of_values() -> None:
    store = Store()
    store.go_on.set()

    async def ask() -> None:
        lookup = Lookup(store.read)
        await asyncio.gather(*(lookup.rows({f"{n}", f"x{n}"}) for n in range(MAX_VALUES)))
        await lookup.rows({f"y{n}" for n in range(2 * MAX_VALUES)})
        lookup.close()

    asyncio.run(ask())
    assert [len(values) for values in store.asked] == [MAX_VALUES, MAX_VALUES, 2 * MAX_VALUES]


def test_quick_connection_reads_what_the_client_reads_and_survives_its_loss(
    filled: Settings,
) -> None:
    quick, store = Quick(filled), ServingStore(filled)
    values = ["OLD", "X:ACME", "nobody", "it's", "a\\b", "t\tb", "n\nb", "💥"]
    expected = {r.identifier for r in read(store, values)}
    assert len(expected) == 4
    assert {r.identifier for r in read(quick, values)} == expected
    assert quick._connection is not None
    assert quick._connection.sock is not None
    quick._connection.sock.close()  # as a server that closed an idle connection
    assert {r.identifier for r in read(quick, values)} == expected
    with pytest.raises(UnreachableError) as refused:
        quick.lines("SELECT nothing FROM nowhere", {})
    assert "nowhere" in str(refused.value.__notes__)
    quick.close()
    store.close()


def test_quick_connection_to_nobody_is_unreachable(config: Settings) -> None:
    quick = Quick(config.model_copy(update={"clickhouse_port": 1}))
    with pytest.raises(UnreachableError, match="does not answer"):
        quick.lines("SELECT 1", {})
