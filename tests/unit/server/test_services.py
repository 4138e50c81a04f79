from __future__ import annotations

import asyncio

import pytest

from cellstorm.errors import Busy
from cellstorm_server.services import Renders


def test_renders_wait_for_a_place_and_too_many_are_turned_away() -> None:
    async def scenario() -> None:
        renders = Renders(at_once=1, waiting=1)
        order: list[str] = []
        may_end = asyncio.Event()

        async def render(name: str) -> None:
            async with renders.place():
                order.append(name)
                await may_end.wait()

        first = asyncio.create_task(render("first"))
        second = asyncio.create_task(render("second"))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await render("third")
        assert order == ["first"]
        may_end.set()
        await asyncio.gather(first, second)
        await render("fourth")
        assert order == ["first", "second", "fourth"]

    asyncio.run(scenario())
