"""Windows are the same however many processes make their clips, and wherever a run goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellstorm_models.clips import WindowBatch, make_clip
from cellstorm_models.window_source import WindowSource


@dataclass(frozen=True, slots=True)
class _Draws:
    seed: int = 3
    batch: int = 4
    side_px: int = 32
    context_frames: int = 3
    pool_clips: int = 2
    windows_per_clip: int = 4


def _steps(first_step: int, steps: int, processes: int) -> list[WindowBatch]:
    with WindowSource(_Draws(), first_step, processes, make_clip) as source:
        batches = [source.take() for _ in range(steps)]
        assert (source.processor_s > 0) == (processes > 0)
    return batches


def test_other_processes_give_the_windows_that_this_one_gives() -> None:
    for here, there in zip(_steps(0, 3, processes=0), _steps(0, 3, processes=1), strict=True):
        np.testing.assert_array_equal(here.windows, there.windows)
        np.testing.assert_array_equal(here.emitters, there.emitters)


def test_a_resumed_run_sees_what_it_would_have_seen() -> None:
    whole, rest = _steps(0, 4, processes=0), _steps(2, 2, processes=0)
    for one, other in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(one.windows, other.windows)
