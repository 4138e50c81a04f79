"""Feeding with a real store and a feeder that has no room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellstorm.acquisitions import AcquisitionSettings, Priority, State
from cellstorm.chunks import Chunk
from cellstorm.settings import Settings
from cellstorm.store import Store
from cellstorm_server import feeding as module
from cellstorm_server.claims import Claims
from cellstorm_server.feeding import Feeding
from cellstorm_server.library import Library


class FullFeeder:
    """Takes nothing, until it has room."""

    def __init__(self) -> None:
        self.has_room = False
        self.offered: set[str] = set()

    def put_recorded(self, acquisition_id: str, chunk: Chunk, priority: Priority) -> bool:
        self.offered.add(acquisition_id)
        return self.has_room

    def workers(self) -> int:
        return 1


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store.connect(redis_url)


def given(store: Store, library: Library, acquisition_id: str) -> None:
    """A recording that has come whole."""
    store.create(acquisition_id, AcquisitionSettings(), owner="test", token_digest="")
    store.transition(acquisition_id, State.RECEIVING)
    library.create(acquisition_id)
    tifffile.imwrite(library.upload(acquisition_id), np.zeros((4, 16, 16), np.uint8), photometric="minisblack")


async def until_offered(feeder: FullFeeder, count: int) -> None:
    for _ in range(2000):
        if len(feeder.offered) >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(feeder.offered)


def test_nothing_more_is_read_while_too_much_waits_for_room(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HELD_BYTES", 1)
    library, feeder = Library(tmp_path, 0), FullFeeder()

    async def scenario() -> None:
        feeding = Feeding(store, feeder, library, Settings(), Claims(store))  # type: ignore[arg-type]  # a fake
        names = [f"acquisition-{number}" for number in range(6)]
        for name in names:
            given(store, library, name)
        await feeding.start(names[0])
        await until_offered(feeder, 1)
        for name in names[1:]:
            await feeding.start(name)
        await asyncio.sleep(0.5)
        assert feeder.offered == {names[0]}
        feeder.has_room = True
        await until_offered(feeder, 6)
        await feeding.shutdown()

    asyncio.run(scenario())


def test_a_shutdown_ends_it_though_a_recording_has_just_come(store: Store, tmp_path: Path) -> None:
    library, feeder = Library(tmp_path, 0), FullFeeder()

    async def scenario() -> None:
        feeding = Feeding(store, feeder, library, Settings(), Claims(store))  # type: ignore[arg-type]  # a fake
        for name in ("first", "second"):
            given(store, library, name)
        await feeding.start("first")
        await until_offered(feeder, 1)
        await feeding.start("second")
        async with asyncio.timeout(10):
            await feeding.shutdown()
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("feed ")]

    asyncio.run(scenario())
