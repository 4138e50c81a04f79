"""Clips made in a process of their own while the network trains, in the order of their numbers."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import time
from multiprocessing.queues import Queue
from types import TracebackType
from typing import Self

from cellstorm_models.clips import Clip, make_clip

_AHEAD = 16  # clips that wait for the trainer at most


class ClipStream:
    """Clips first, first + 1, … of a seed; to be used in a `with` statement."""

    def __init__(self, seed: int, first: int) -> None:
        context = multiprocessing.get_context("spawn")  # a forked child of a process that runs torch may hang
        self._clips: Queue[tuple[Clip, float]] = context.Queue(_AHEAD)
        self._process = context.Process(target=_produce, args=(seed, first, self._clips, os.getpid()), daemon=True)
        self.cpu_s = 0.0
        """Processor time that the clips taken so far have cost."""

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()
        self._clips.cancel_join_thread()
        self._clips.close()

    def take(self, count: int) -> list[Clip]:
        """The next `count` clips; waits for them."""
        clips = []
        for _ in range(count):
            clip, self.cpu_s = self._clips.get()
            clips.append(clip)
        return clips


def _produce(seed: int, first: int, clips: Queue[tuple[Clip, float]], parent: int) -> None:
    for number in itertools.count(first):
        clip = make_clip(seed, number)
        while True:
            try:
                clips.put((clip, time.process_time()), timeout=2.0)
                break
            except queue.Full:
                if os.getppid() != parent:  # the trainer was killed; nobody will ever take it
                    clips.cancel_join_thread()
                    return
