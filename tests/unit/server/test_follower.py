"""Followers with a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest

from cellstorm.acquisitions import Acquisition, AcquisitionSettings
from cellstorm.errors import AcquisitionNotFound, Busy, ResultNotReady
from cellstorm.localizations import Localizations, concatenate
from cellstorm.messages import DELTA, SNAPSHOT, BinaryMessage, as_sent
from cellstorm.reconstruction import Reconstruction
from cellstorm.store import Commit, Store
from cellstorm_server import follower as module
from cellstorm_server.follower import Followers, Sources
from cellstorm_server.viewers import Outgoing, View
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
    made = commits(count)
    return View(store.get(acquisition_id), made, "0", sum(len(commit.table) for commit in made))


def test_a_table_does_not_depend_on_the_order_of_commits(store: Store, acquisition_id: str) -> None:
    forwards = view(store, acquisition_id, 4)
    backwards = replace(forwards, commits=forwards.commits[::-1])
    np.testing.assert_array_equal(forwards.table(), backwards.table())


def followed(store: Store, check: Callable[[Followers], Awaitable[None]]) -> None:
    async def scenario() -> None:
        followers = Followers(Sources(store, no_archive))
        try:
            await check(followers)
        finally:
            await followers.shutdown()

    asyncio.run(scenario())


async def next_rows(messages: AsyncIterator[Outgoing]) -> BinaryMessage:
    """The next binary message; progress that comes before it is passed over."""
    async for message in messages:
        if isinstance(message, bytes):
            return BinaryMessage.from_bytes(message)
    raise AssertionError("there was none")


def test_two_viewers_share_one_reading(store: Store, acquisition_id: str) -> None:
    async def check(followers: Followers) -> None:
        follower = followers.of(acquisition_id)
        async with follower.watch() as (_, first), follower.watch() as (_, second):
            for stream in (first, second):
                assert len((await next_rows(stream)).table) == 0
            table = star_localizations(9)
            await asyncio.to_thread(commit_chunk, store, acquisition_id, table)
            for stream in (first, second):
                decoded = await next_rows(stream)
                assert decoded.kind == DELTA
                np.testing.assert_array_equal(decoded.table, as_sent(table))
            assert followers.viewers == 2
        assert followers.viewers == 0

    followed(store, check)


def test_rows_are_read_in_batches_and_none_is_lost_between_them(
    store: Store, acquisition_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH_COMMITS", 2)
    tables = [star_localizations(3, seed=seed) for seed in range(7)]
    for table in tables:
        commit_chunk(store, acquisition_id, table)

    async def check(followers: Followers) -> None:
        async with followers.of(acquisition_id).watch() as (_, messages):
            seen: list[Localizations] = []
            while sum(map(len, seen)) < 21:
                seen.append((await next_rows(messages)).table)
            np.testing.assert_array_equal(concatenate(seen), as_sent(concatenate(tables)))
            assert len(seen) > 1

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


def test_commits_that_redis_lost_are_seen_once_when_they_were_made_anew(store: Store, acquisition_id: str) -> None:
    async def check(followers: Followers) -> None:
        follower = followers.of(acquisition_id)
        first, lost = star_localizations(50, seed=1), star_localizations(30, seed=2)
        commit_chunk(store, acquisition_id, first)
        older = {key: store.redis.dump(key) or b"" for key in store.redis.scan_iter()}
        commit_chunk(store, acquisition_id, lost)
        async with follower.watch() as (_, messages):
            assert len((await next_rows(messages)).table) == 80
            await follower.snapshot("gaussian", 20.0, keep=True)
            for key, value in older.items():
                store.redis.restore(key, 0, value, replace=True)
            await asyncio.to_thread(commit_chunk, store, acquisition_id, lost)
            again = await next_rows(messages)
        assert (again.kind, again.first_row) == (SNAPSHOT, 0)
        np.testing.assert_array_equal(again.table, as_sent(concatenate([first, lost])))
        assert (await follower.snapshot("gaussian", 20.0, keep=True)).localizations == 80
        np.testing.assert_array_equal(follower.view().table(), store.localizations(acquisition_id))

    followed(store, check)


def test_before_the_first_frame_there_is_no_image(store: Store, acquisition_id: str) -> None:
    async def check(followers: Followers) -> None:
        follower = followers.of(acquisition_id)
        await follower.read()
        with pytest.raises(ResultNotReady):
            await follower.snapshot("gaussian", 20.0, keep=True)

    followed(store, check)


def test_images_of_several_scales_grow_and_those_that_were_let_go_are_drawn_anew(
    store: Store, acquisition_id: str
) -> None:
    scales_nm = (20.0, 40.0, 80.0, 160.0, 320.0)  # one more than are kept
    tables = [star_localizations(50, seed=1), star_localizations(50, seed=2)]

    async def check(followers: Followers) -> None:
        follower = followers.of(acquisition_id)
        for table in tables:
            commit_chunk(store, acquisition_id, table)
            await follower.read()
            for scale_nm in scales_nm:
                await follower.snapshot("gaussian", scale_nm, keep=True)
        for scale_nm in scales_nm:
            grown = await follower.snapshot("gaussian", scale_nm, keep=True)
            whole = Reconstruction(64, 64, 100.0, scale_nm).add(concatenate(tables)).snapshot()
            np.testing.assert_allclose(grown.image, whole.image, rtol=1e-4, atol=1e-6)

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
        with followers.place(), pytest.raises(Busy), followers.place():
            raise AssertionError("there was another place")
        with followers.place():
            pass

    followed(store, check)
