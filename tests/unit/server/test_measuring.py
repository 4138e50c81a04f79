"""Drift and resolution of what is watched while it still comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from cellstorm.acquisitions import Acquisition, AcquisitionSettings, State
from cellstorm.store import Commit, Store
from cellstorm_server.follower import Followers, Sources
from cellstorm_server.measuring import Measuring
from tests.fakes import blinking_localizations, filaments_and_rings_nm
from tests.gateway import commit_chunk

FRAMES = 1000
CHUNK_FRAMES = 200
DRIFT_NM = 80.0


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store.connect(redis_url)


@pytest.fixture
def acquisition_id(store: Store) -> str:
    store.create("acquisition-1", AcquisitionSettings(), owner="test", token_digest="")
    store.transition("acquisition-1", State.RECEIVING)
    return "acquisition-1"


def film(store: Store, acquisition_id: str, until: int = FRAMES) -> None:
    """Frames of a stage that goes 80 nm to the right in the whole."""
    table = blinking_localizations(filaments_and_rings_nm(4000), FRAMES, 15, precision_nm=15)
    table["x_nm"] += DRIFT_NM * table["frame"] / FRAMES
    for start in range(0, until, CHUNK_FRAMES):
        rows = table[(table["frame"] >= start) & (table["frame"] < start + CHUNK_FRAMES)]
        commit_chunk(store, acquisition_id, rows, frames=CHUNK_FRAMES)


def no_archive(acquisition: Acquisition) -> Commit:
    raise AssertionError("the archive was asked for")


def measured(store: Store, check: Callable[[Followers, Measuring], Awaitable[None]]) -> None:
    async def scenario() -> None:
        followers = Followers(Sources(store, no_archive))
        try:
            await check(followers, Measuring(store, followers))
        finally:
            await followers.shutdown()

    asyncio.run(scenario())


def test_drift_and_resolution_are_told_while_it_still_comes(store: Store, acquisition_id: str) -> None:
    film(store, acquisition_id)

    async def check(followers: Followers, measuring: Measuring) -> None:
        async with followers.of(acquisition_id).watch():
            await followers.of(acquisition_id).read()
            await measuring.round()

    measured(store, check)
    acquisition = store.get(acquisition_id)
    assert acquisition.drift_nm == pytest.approx(DRIFT_NM, abs=15)
    assert acquisition.resolution_nm is not None
    assert 15 < acquisition.resolution_nm < 200


def test_what_nobody_watches_is_not_measured(store: Store, acquisition_id: str) -> None:
    film(store, acquisition_id)

    async def check(followers: Followers, measuring: Measuring) -> None:
        await followers.of(acquisition_id).read()
        await measuring.round()

    measured(store, check)
    assert store.get(acquisition_id).drift_nm is None


def test_it_is_not_measured_again_before_its_pause_is_over(
    store: Store, acquisition_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(store, acquisition_id)
    rounds: list[int] = []

    async def check(followers: Followers, measuring: Measuring) -> None:
        monkeypatch.setattr(measuring, "_measure", lambda _, view: rounds.append(view.rows))
        async with followers.of(acquisition_id).watch():
            await followers.of(acquisition_id).read()
            await measuring.round()
            await measuring.round()

    measured(store, check)
    assert len(rounds) == 1


def test_what_is_no_longer_known_is_told_no_longer(store: Store, acquisition_id: str) -> None:
    store.set_fields(acquisition_id, drift_nm=12.5, resolution_nm=50.0)
    commit_chunk(store, acquisition_id, blinking_localizations(np.zeros((3, 2)), 10, 1, precision_nm=20)[:3])

    async def check(followers: Followers, measuring: Measuring) -> None:
        async with followers.of(acquisition_id).watch():
            await followers.of(acquisition_id).read()
            await measuring.round()

    assert store.get(acquisition_id).drift_nm == 12.5
    measured(store, check)
    acquisition = store.get(acquisition_id)
    assert (acquisition.drift_nm, acquisition.resolution_nm) == (None, None)


def test_few_localizations_leave_both_unknown(store: Store, acquisition_id: str) -> None:
    commit_chunk(store, acquisition_id, blinking_localizations(np.zeros((3, 2)), 10, 1, precision_nm=20)[:3])

    async def check(followers: Followers, measuring: Measuring) -> None:
        async with followers.of(acquisition_id).watch():
            await followers.of(acquisition_id).read()
            await measuring.round()

    measured(store, check)
    acquisition = store.get(acquisition_id)
    assert (acquisition.drift_nm, acquisition.resolution_nm) == (None, None)
