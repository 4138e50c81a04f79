"""A viewer's mailbox, and followers with a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest

from cellstorm.acquisitions import Acquisition, AcquisitionSettings
from cellstorm.errors import AcquisitionNotFound, Busy, ResultNotReady
from cellstorm.localizations import concatenate
from cellstorm.messages import DELTA, SNAPSHOT, BinaryMessage
from cellstorm.reconstruction import Reconstruction
from cellstorm.store import Commit, Store
from cellstorm_server import follower as module
from cellstorm_server.follower import Followers, Outgoing, Sources, View, Viewer
from tests.fakes import star_localizations
from tests.gateway import commit_chunk


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store.connect(redis_url)


@pytest.fixture
def acquisition_id(store: Store) -> str:
    store.create("acquisition-1", AcquisitionSettings(), owner="test", token_digest="")
    return "acquisition-1"


def no_archive(acquisition: Acquisition) -> Commit:
    raise AssertionError("the archive was asked for")


def commits(count: int) -> tuple[Commit, ...]:
    return tuple(Commit(f"{n}-1", n, 10 * n, 10 * n + 10, 10, star_localizations(3, seed=n)) for n in range(count))


def view(store: Store, acquisition_id: str, count: int) -> View:
    return View(store.get(acquisition_id), commits(count), "0")


async def take(messages: AsyncIterator[Outgoing], count: int) -> list[Outgoing]:
    return [await anext(messages) for _ in range(count)]


def test_a_table_does_not_depend_on_the_order_of_commits(store: Store, acquisition_id: str) -> None:
    forwards = view(store, acquisition_id, 4)
    backwards = replace(forwards, commits=forwards.commits[::-1])
    np.testing.assert_array_equal(forwards.table(), backwards.table())


def test_a_viewer_who_keeps_up_hears_everything_once(store: Store, acquisition_id: str) -> None:
    async def scenario() -> None:
        left_out: list[int] = []
        viewer = Viewer(left_out.append, capacity=4)
        messages = viewer.messages(lambda: view(store, acquisition_id, 2))
        snapshot, _ = await take(messages, 2)
        assert isinstance(snapshot, bytes)
        assert BinaryMessage.from_bytes(snapshot).kind == SNAPSHOT
        assert len(BinaryMessage.from_bytes(snapshot).table) == 6
        for number in range(20):
            viewer.put(b"%d" % number)
            assert await take(messages, 1) == [b"%d" % number]
        assert left_out == []

    asyncio.run(scenario())


def test_a_viewer_who_is_too_slow_is_told_and_gets_a_new_snapshot(store: Store, acquisition_id: str) -> None:
    async def scenario() -> None:
        left_out: list[int] = []
        viewer = Viewer(left_out.append, capacity=4)
        seen = 2
        messages = viewer.messages(lambda: view(store, acquisition_id, seen))
        await take(messages, 2)
        for _ in range(4):
            viewer.put(b"delta")
        seen = 7
        viewer.put(b"the one too many")
        viewer.put(b"in the snapshot anyhow")
        snapshot, _ = await take(messages, 2)
        assert isinstance(snapshot, bytes)
        decoded = BinaryMessage.from_bytes(snapshot)
        assert (decoded.kind, decoded.left_out, len(decoded.table)) == (SNAPSHOT, 5, 21)
        assert left_out == [5]
        viewer.put(b"after it")
        assert await take(messages, 1) == [b"after it"]

    asyncio.run(scenario())


def test_what_waits_is_heard_before_the_farewell(store: Store, acquisition_id: str) -> None:
    async def scenario() -> None:
        viewer = Viewer(lambda _: None)
        messages = viewer.messages(lambda: view(store, acquisition_id, 0))
        await take(messages, 2)
        viewer.put(b"last words")
        viewer.close("finished")
        viewer.put(b"too late")
        rest = [message async for message in messages]
        assert rest == [b"last words", '{"kind":"closing","reason":"finished"}']

    asyncio.run(scenario())


def followed(store: Store, check: Callable[[Followers], Awaitable[None]]) -> None:
    async def scenario() -> None:
        followers = Followers(Sources(store, no_archive, lambda _: None))
        try:
            await check(followers)
        finally:
            await followers.shutdown()

    asyncio.run(scenario())


def test_two_viewers_share_one_reading(store: Store, acquisition_id: str) -> None:
    async def check(followers: Followers) -> None:
        follower = followers.of(acquisition_id)
        async with follower.watch() as (first, _), follower.watch() as (second, _):
            streams = [first.messages(follower.view), second.messages(follower.view)]
            for stream in streams:
                await take(stream, 2)
            table = star_localizations(9)
            await asyncio.to_thread(commit_chunk, store, acquisition_id, table)
            for stream in streams:
                message = await anext(stream)
                while isinstance(message, str):
                    message = await anext(stream)
                decoded = BinaryMessage.from_bytes(message)
                assert decoded.kind == DELTA
                np.testing.assert_array_equal(decoded.table, table)
            assert followers.viewers == 2
        assert followers.viewers == 0

    followed(store, check)


def test_the_kept_image_equals_one_drawn_at_once(store: Store, acquisition_id: str) -> None:
    async def check(followers: Followers) -> None:
        follower = followers.of(acquisition_id)
        tables = [star_localizations(50, seed=seed) for seed in range(3)]
        for table in tables:
            commit_chunk(store, acquisition_id, table)
            await follower.read()
            grown = await follower.snapshot("gaussian", 20.0, keep=True)
        whole = Reconstruction(64, 64, 100.0, 20.0).add(concatenate(tables)).snapshot()
        np.testing.assert_allclose(grown.image, whole.image, atol=1e-5)
        assert grown.localizations == 150

    followed(store, check)


def test_before_the_first_frame_there_is_no_image(store: Store, acquisition_id: str) -> None:
    async def check(followers: Followers) -> None:
        follower = followers.of(acquisition_id)
        await follower.read()
        with pytest.raises(ResultNotReady):
            await follower.snapshot("gaussian", 20.0, keep=True)

    followed(store, check)


def test_an_unknown_acquisition_cannot_be_followed(store: Store) -> None:
    async def check(followers: Followers) -> None:
        with pytest.raises(AcquisitionNotFound):
            await followers.of("nobody-knows-it").read()

    followed(store, check)


def test_followers_that_nobody_needs_make_room(
    store: Store, acquisition_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FOLLOWERS", 1)
    store.create("acquisition-2", AcquisitionSettings(), owner="test", token_digest="")

    async def check(followers: Followers) -> None:
        first = followers.of(acquisition_id)
        async with first.watch():
            with pytest.raises(Busy):
                followers.of("acquisition-2")
        assert followers.of("acquisition-2") is not first

    followed(store, check)


def test_only_so_many_viewers_have_a_place(store: Store, acquisition_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VIEWERS", 1)

    async def check(followers: Followers) -> None:
        followers.require_place()
        async with followers.of(acquisition_id).watch():
            with pytest.raises(Busy):
                followers.require_place()

    followed(store, check)
