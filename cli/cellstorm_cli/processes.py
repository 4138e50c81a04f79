"""Child processes that belong together: one that dies is started again, and all end with this one.

They are started in stages and end in reverse: what was started last goes first, so that a store outlives its users.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from cellstorm.errors import RuntimeUnavailable

log = structlog.get_logger()

REFUSED: Final = 2
"""Exit code of a process that cannot do its job as things are; it has said why, and is not started again."""
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 2.0
"""However often a worker is killed, work goes on soon after."""
_STEADY_S: Final = 5.0
"""A process that ran for so long begins anew with the shortest pause."""
_POLL_S: Final = 0.1
_GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process to run; what it prints goes to `log_file`, or to where this process prints."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    log_file: Path | None = None


class _Child:
    """A process and its successors."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.restarts = 0
        self._pause_s = _FIRST_PAUSE_S
        self._start_at: float | None = None
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._started_at = time.monotonic()
        command = [sys.executable, "-m", "cellstorm_cli.tied", str(os.getpid()), *self.spec.command]
        with ExitStack() as files:
            output = None if self.spec.log_file is None else files.enter_context(self.spec.log_file.open("ab"))
            # In a session of its own: Ctrl-C reaches this process alone, which then ends the others in their order.
            return subprocess.Popen(  # noqa: S603  # our own commands, without a shell
                command,
                env={**os.environ, **self.spec.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def revive(self) -> bool:
        """Start it again when it has died and its pause is over; False once it has refused."""
        code = self.process.poll()
        if code is None:
            return True
        if code == REFUSED:
            return False
        now = time.monotonic()
        if self._start_at is None:
            if now - self._started_at > _STEADY_S:
                self._pause_s = _FIRST_PAUSE_S
            self._start_at = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            log.warning("process ended", name=self.spec.name, code=code)
        elif now >= self._start_at:
            self._start_at = None
            self.process = self._start()
            self.restarts += 1
        return True

    def last_words(self) -> str:
        """What it printed last, where that is not to be seen anyway."""
        if self.spec.log_file is None:
            return "what is wrong is said above"
        return self.spec.log_file.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]

    def end(self, deadline: float) -> None:
        """Wait for it to end after SIGTERM; kill it at the deadline."""
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("process killed", name=self.spec.name)
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Runs processes until it is left as a context manager.

    Attributes
    ----------
    refused
        Set once a process has ended with exit code REFUSED; `check` then raises.
    """

    def __init__(self) -> None:
        self.refused = threading.Event()
        self._stages: list[list[_Child]] = []
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        with self._lock:
            for stage in reversed(self._stages):
                for child in stage:
                    child.process.terminate()
                deadline = time.monotonic() + _GRACE_S
                for child in stage:
                    child.end(deadline)
        self._ended.set()
        self._watcher.join()

    def start(self, *specs: ProcessSpec) -> None:
        """Start processes as the next stage. To be called in the main thread: they are tied to the one that calls."""
        with self._lock:
            self._stages.append([])
            for spec in specs:
                self._stages[-1].append(_Child(spec))

    def process_id(self, name: str) -> int:
        """Of the process that runs, or ran last, under that name."""
        return self._child(name).process.pid

    def restarts(self, name: str) -> int:
        """How often it was started again."""
        return self._child(name).restarts

    def wait_until(self, is_ready: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until something that the processes bring about is there.

        Raises
        ------
        RuntimeUnavailable
            If it is not there in time, or a process has refused to start.
        """
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeUnavailable(f"{what} is not ready after {timeout_s:.0f} s; what it printed may tell why")
            time.sleep(_POLL_S)

    def check(self) -> None:
        """Nothing, while all go on.

        Raises
        ------
        RuntimeUnavailable
            If a process has refused to do its work.
        """
        for child in self._children():
            if child.process.poll() == REFUSED:
                raise RuntimeUnavailable(f"{child.spec.name} could not go on: {child.last_words()}")

    def _children(self) -> list[_Child]:
        return [child for stage in self._stages for child in stage]

    def _child(self, name: str) -> _Child:
        return next(child for child in self._children() if child.spec.name == name)

    def _watch(self) -> None:
        while not self._leaving.wait(_POLL_S):
            with self._lock:
                if self._leaving.is_set():
                    break
                alive = [child.revive() for child in self._children()]
            if not all(alive):
                self.refused.set()
        self._ended.wait()  # what this thread has started is tied to it
