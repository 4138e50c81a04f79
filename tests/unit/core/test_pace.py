from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from cellstorm.pace import Milestone, Pace, Pause, merged


def simulated(
    frames: int,
    chunk_frames: int = 250,
    chunk_s: float = 10.0,
    workers: Sequence[float] = (0.0,),
    pause: Pause | None = None,
    scatter: float = 0.1,
    seed: int = 1,
) -> list[Milestone]:
    """What workers that begin at these times do with a recording, each chunk taking about as long."""
    random = np.random.default_rng(seed)
    free_s = list(workers)
    lumps = []
    for start in range(0, frames, chunk_frames):
        worker = int(np.argmin(free_s))
        free_s[worker] += chunk_s * (1 + scatter * random.standard_normal())
        lumps.append((free_s[worker], min(chunk_frames, frames - start)))
    done, milestones = 0, [Milestone(min(workers), 0)]
    for time_s, count in sorted(lumps):
        done += count
        milestones.append(Milestone(_delayed(time_s, pause), done))
    return milestones


def _delayed(time_s: float, pause: Pause | None) -> float:
    return time_s if pause is None or time_s <= pause.start_s else time_s + pause.stop_s - pause.start_s


def errors(milestones: list[Milestone], pauses: Sequence[Pause] = (), from_share: float = 0.1) -> list[float]:
    """How wrong the ETA is, as a share of what is really left, asked between lumps from the first tenth to nine tenths."""
    total, end_s = milestones[-1].frames, milestones[-1].time_s
    wrong = []
    for place, (before, after) in enumerate(pairwise(milestones)):
        if not from_share * total <= before.frames <= 0.9 * total:
            continue
        now_s = (before.time_s + after.time_s) / 2
        if any(pause.start_s <= now_s <= pause.stop_s for pause in pauses):
            continue
        past = [pause for pause in pauses if pause.stop_s <= now_s]
        future_s = sum(pause.stop_s - pause.start_s for pause in pauses if pause.start_s > now_s)
        eta_s = Pace(milestones[: place + 1], past).eta_s(total - before.frames, now_s)
        assert eta_s is not None
        left_s = end_s - now_s - future_s
        wrong.append(abs(eta_s - left_s) / left_s)
    return wrong


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_the_eta_is_within_a_fifth_after_the_first_tenth(workers: int) -> None:
    wrong = errors(simulated(60_000, workers=[0.0] * workers))
    assert len(wrong) > 100
    assert max(wrong) < 0.2


def test_a_pause_does_not_count() -> None:
    pause = Pause(700.0, 4000.0)
    milestones = simulated(60_000, workers=[0.0, 0.0], pause=pause)
    assert max(errors(milestones, [pause])) < 0.2
    assert max(errors(milestones)) > 1


def test_the_eta_follows_workers_that_are_added() -> None:
    added_at_s = 300.0
    milestones = simulated(120_000, workers=[0.0, 0.0, added_at_s, added_at_s])
    settled = next(each.frames for each in milestones if each.time_s > 1.6 * added_at_s) / milestones[-1].frames
    assert settled < 0.3
    assert max(errors(milestones, from_share=settled)) < 0.2


def test_while_nothing_comes_the_time_left_runs_down_and_then_grows() -> None:
    pace = Pace([Milestone(10.0 * place, 250 * place) for place in range(21)])
    told = [pace.eta_s(5000, 200.0 + later_s) for later_s in (0, 5, 10, 60, 300)]
    assert told[0] == pytest.approx(200)
    assert told[2] == pytest.approx(190)
    assert all(later is not None for later in told)
    assert sorted(told[3:]) == told[3:]  # type: ignore[type-var]  # none is None, as asserted
    assert (told[4] or 0) > 250


def test_the_rate_that_is_shown_is_of_late() -> None:
    slow = [Milestone(10.0 * place, 100 * place) for place in range(11)]
    fast = [Milestone(100.0 + place, 1000 + 100 * place) for place in range(1, 21)]
    assert Pace([*slow, *fast]).fps(120.0) == pytest.approx(100)


def test_nothing_is_told_before_the_first_lump() -> None:
    for milestones in ([], [Milestone(5.0, 0)]):
        assert Pace(milestones).fps(60.0) is None
        assert Pace(milestones).eta_s(100, 60.0) is None
    assert Pace([]).eta_s(0, 1.0) == 0


def test_a_batch_has_the_pace_of_all_its_files_together() -> None:
    files = [[Milestone(10.0 * place, 0), Milestone(10.0 * place + 10, 40)] for place in range(50)]
    together = merged(files)
    assert together[0] == Milestone(0.0, 0)
    assert together[-1] == Milestone(500.0, 2000)
    assert Pace(together).fps(500.0) == pytest.approx(4)
    assert Pace(together).eta_s(400, 500.0) == pytest.approx(100)
    assert merged([]) == []
