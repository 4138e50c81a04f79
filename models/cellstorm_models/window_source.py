"""Training windows from clips that are made on many cores, a step's windows always the same.

Which clips a step draws from follows from its number, and a clip from its own number: however many processes make them, and
wherever a run was interrupted, it sees the same data.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np

from cellstorm_models.clips import Clip, WindowBatch, sample_windows

MakeClip = Callable[[int, int], Clip]
"""From a seed and a number to that clip, always the same."""


class Draws(Protocol):
    """What of a run's settings decides which windows its steps see."""

    @property
    def seed(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def side_px(self) -> int: ...
    @property
    def context_frames(self) -> int: ...
    @property
    def pool_clips(self) -> int: ...
    @property
    def windows_per_clip(self) -> int: ...


_AHEAD: Final = 4  # clips for each process that are under way or wait for the trainer
_LOOK_S: Final = 5.0


class WindowSource:
    """Batches of steps `first_step`, first_step + 1, …; to be used in a `with` statement."""

    def __init__(self, config: Draws, first_step: int, processes: int, make: MakeClip) -> None:
        """With no processes, clips are made in this one; else `make` must be what can be sent to others."""
        self._config = config
        self._make = make
        self._step = first_step
        self._executor = _executor(processes) if processes else None
        self._clips = self._made(self._clips_before(max(0, first_step - 1)), _AHEAD * processes)
        self._pool: deque[Clip] = deque(maxlen=config.pool_clips)
        self.processor_s = 0.0
        """Processor time of other processes, for the clips taken so far."""

    def __enter__(self) -> Self:
        self._pool.extend(itertools.islice(self._clips, self._config.pool_clips))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def take(self) -> WindowBatch:
        """The next step's windows."""
        new = self._clips_before(self._step) - self._clips_before(max(0, self._step - 1))
        self._pool.extend(itertools.islice(self._clips, new))
        rng = np.random.default_rng([self._config.seed, self._step, 1])
        self._step += 1
        config = self._config
        return sample_windows(list(self._pool), config.batch, config.side_px, rng, context_frames=config.context_frames)

    def _clips_before(self, step: int) -> int:
        return step * self._config.batch // self._config.windows_per_clip

    def _made(self, first: int, ahead: int) -> Iterator[Clip]:
        """Clips in the order of their numbers; `ahead` of them are asked for before they are wanted."""
        numbers = itertools.count(first)
        if self._executor is None:
            yield from (self._make(self._config.seed, number) for number in numbers)
            return
        asked: deque[Future[tuple[Clip, float]]] = deque()
        for number in numbers:
            asked.append(self._executor.submit(_timed, self._make, self._config.seed, number))
            if len(asked) > ahead:
                clip, processor_s = asked.popleft().result()
                self.processor_s += processor_s
                yield clip


def _timed(make: MakeClip, seed: int, number: int) -> tuple[Clip, float]:
    """The clip, and the processor time that it took."""
    began_s = time.process_time()
    return make(seed, number), time.process_time() - began_s


def _executor(processes: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a forked child of a process that runs torch may hang
    return ProcessPoolExecutor(processes, context, initializer=_end_with, initargs=(os.getpid(),))


def _end_with(parent: int) -> None:
    """A trainer that was killed cannot end its processes: each looks after it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
