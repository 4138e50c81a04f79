"""What a teaching lab does to software: processes die in the middle of things, and nothing is lost or counted twice."""

from __future__ import annotations

import os
import signal
import time

import pytest

from cellstorm.store import Store
from cellstorm_cli.service import LocalService
from tests.e2e.conftest import FPS, Filming, filming, recording


def check_nothing_lost(service: LocalService, film: Filming) -> None:
    """Each frame that was received is accounted for once, and each chunk was committed once."""
    result = film.result
    assert result is not None
    assert result.frames_processed == result.frames_received - result.frames_damaged
    assert result.chunks_processed == result.chunks_received
    store = Store.connect(service.redis_url)
    commits = store.commits_after(film.acquisition_id, limit=10_000)
    assert sorted(commit.chunk for commit in commits) == list(range(result.chunks_received))
    assert sum(len(commit.table) for commit in commits) == result.localizations
    store.redis.close()


def kill(service: LocalService, name: str) -> None:
    os.kill(service.supervisor.process_id(name), signal.SIGKILL)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_workers_lose_nothing_and_count_nothing_twice(service: LocalService, kills: int) -> None:
    with filming(service, recording(round(FPS * 3 * (kills + 1)))) as film:
        for _ in range(kills):
            time.sleep(2.7)
            kill(service, "worker-1")
    assert film.result is not None
    assert film.result.frames_received == film.frames_sent
    assert film.result.frames_damaged == 0
    check_nothing_lost(service, film)


def test_a_restarted_redis_does_not_end_an_acquisition(service: LocalService) -> None:
    with filming(service, recording(round(FPS * 12))) as film:
        time.sleep(4)
        kill(service, "redis")
    assert film.result is not None
    assert film.result.frames_received == film.frames_sent
    assert film.result.frames_damaged == 0
    check_nothing_lost(service, film)


def test_a_phone_finds_a_restarted_gateway_and_continues_the_same_image(service: LocalService) -> None:
    with filming(service, recording(round(FPS * 14))) as film:
        time.sleep(5)
        kill(service, "gateway")
    assert film.sessions == 2
    assert film.result is not None
    # what was sent while nobody listened is gone, a few seconds at most, and counted
    assert film.frames_sent - film.result.frames_received < 6 * FPS
    assert film.result.frames_lost == film.frames_sent - film.result.frames_received
    (gap,) = film.result.gaps
    assert 0 < gap.frames_lost <= film.result.frames_lost
    assert gap.away_s > 1
    check_nothing_lost(service, film)
