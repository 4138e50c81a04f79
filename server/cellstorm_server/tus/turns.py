"""One request at a time works on an upload, and the newest wins: what has stalled gives way to what resumes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from cellstorm_server.tus.protocol import is_locked, taken_over

T = TypeVar("T")

PATIENCE_S: Final = 10.0
"""For whoever is at work to put down what it has."""


class Turns:
    """Of one gateway; other gateways are kept away by `Storage.locked`."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._at_work: dict[str, asyncio.Task[Any]] = {}
        self._short: set[str] = set()

    def is_taken(self, key: str) -> bool:
        return key in self._at_work

    async def take(self, key: str, work: Callable[[], Coroutine[Any, Any, T]], *, is_short: bool = False) -> T:
        """What `work` gives, once whoever was at work on `key` has stopped; what `is_short` is waited for instead.

        Raises
        ------
        TusError
            423, if they did not stop in time; 400, if somebody else took this turn over.
        """
        await self.interrupt(key)
        task = asyncio.create_task(work(), name=f"upload {key}")
        self._at_work[key] = task
        if is_short:
            self._short.add(key)
        task.add_done_callback(lambda _: self._leave(key))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        if task.cancelled():
            raise taken_over()
        return task.result()

    async def interrupt(self, key: str) -> None:
        """Nobody is at work on `key` when this returns.

        Raises
        ------
        TusError
            423, if they did not stop in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        while (task := self._at_work.get(key)) is not None:
            if key not in self._short:
                task.cancel()
            done, _ = await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
            if not done:
                raise is_locked()

    def _leave(self, key: str) -> None:
        del self._at_work[key]
        self._short.discard(key)


async def undisturbed(function: Callable[..., T], *arguments: object) -> T:
    """What a blocking function gives, in a thread. A cancellation waits for it: nobody else may write meanwhile."""
    return await to_its_end(asyncio.to_thread(function, *arguments))


async def to_its_end(doing: Coroutine[Any, Any, T]) -> T:
    """What `doing` gives; a cancellation is obeyed when it is done, however often it is repeated."""
    task = asyncio.create_task(doing)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # has been looked at: the cancellation is what counts
    raise cancelled
