"""Read the rows of identifiers; questions that wait for the store are asked together.

A statement costs ClickHouse about the same for one value as for ten. So while one is under way,
the next questions gather, and one statement answers all of them: under load an answer waits for at
most two statements, and the store is asked once for many. Nothing is kept: every answer is read
after its question came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from asknown.reference.naming import Row

MAX_VALUES = 400  # of one statement
Waiting = tuple[Collection[str], "asyncio.Future[list[Row]]"]


class Lookup:
    """Answer questions for the rows of values, many by one statement; for one event loop."""

    def __init__(self, read: Callable[[Sequence[str]], list[Row]]) -> None:
        """Keep the function that reads the rows of values from the store."""
        self._read = read
        self._waiting: list[Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._pool = ThreadPoolExecutor(1, "lookup")

    async def rows(self, values: Collection[str]) -> list[Row]:
        """Return the rows of some values.

        Raises what reading them raises.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Row]] = loop.create_future()
        self._waiting.append((values, answer))
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await answer

    def close(self) -> None:
        """Stop the thread that reads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        """Read until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._next()
            wanted = sorted({value for values, _ in batch for value in values})
            try:
                rows = await loop.run_in_executor(self._pool, self._read, wanted)
            except Exception as error:  # noqa: BLE001  # whoever asked gets it
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for values, answer in batch:
                if not answer.done():  # or the client went away
                    mine = [row for row in rows if row.identifier.id_value in values]
                    answer.set_result(mine)

    def _next(self) -> list[Waiting]:
        """Return the questions of the next statement; at least one, whatever it asks for."""
        count, size = 0, 0
        for values, _ in self._waiting:
            size += len(values)
            if count and size > MAX_VALUES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch
