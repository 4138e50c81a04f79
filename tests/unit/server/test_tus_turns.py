"""Who may work on an upload."""

from __future__ import annotations

import asyncio

import pytest

from cellstorm_server.tus.protocol import TusError
from cellstorm_server.tus.turns import Turns, to_its_end, undisturbed


def test_a_stalled_request_gives_way_and_puts_down_what_it_has() -> None:
    async def scenario() -> list[str]:
        turns, stalls = Turns(), asyncio.Event()
        happened: list[str] = []

        async def stall() -> None:
            try:
                stalls.set()
                await asyncio.Future()
            finally:
                await undisturbed(happened.append, "flushed")

        async def resume() -> str:
            happened.append("resumed")
            return "done"

        stalled = asyncio.create_task(turns.take("one", stall))
        await stalls.wait()
        assert await turns.take("one", resume) == "done"
        with pytest.raises(TusError) as raised:
            await stalled
        assert raised.value.status == 400
        return happened

    assert asyncio.run(scenario()) == ["flushed", "resumed"]


def test_what_is_being_written_is_waited_for_however_often_it_is_told_to_stop() -> None:
    async def scenario() -> bool:
        release = asyncio.Event()
        happened: list[str] = []

        async def write() -> None:
            await release.wait()
            happened.append("written")

        writing = asyncio.create_task(to_its_end(write()))
        for _ in range(3):
            await asyncio.sleep(0)
            writing.cancel()
        await asyncio.sleep(0)
        assert not writing.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await writing
        return happened == ["written"]

    assert asyncio.run(scenario())


def test_what_does_not_give_way_in_time_keeps_its_turn() -> None:
    async def scenario() -> None:
        turns, release, begun = Turns(patience_s=0.01), asyncio.Event(), asyncio.Event()

        async def stubborn() -> str:
            begun.set()
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return "done"

        async def other() -> None:
            raise AssertionError

        first = asyncio.create_task(turns.take("one", stubborn))
        await begun.wait()
        with pytest.raises(TusError) as raised:
            await turns.take("one", other)
        assert raised.value.status == 423
        release.set()
        assert await first == "done"

    asyncio.run(scenario())


def test_what_is_short_is_waited_for() -> None:
    async def scenario() -> tuple[str, str]:
        turns, release, begun = Turns(), asyncio.Event(), asyncio.Event()

        async def look() -> str:
            begun.set()
            await release.wait()
            return "looked"

        async def append() -> str:
            return "appended"

        looking = asyncio.create_task(turns.take("one", look, is_short=True))
        await begun.wait()
        appending = asyncio.create_task(turns.take("one", append))
        release.set()
        return await looking, await appending

    assert asyncio.run(scenario()) == ("looked", "appended")
