"""Looks into a file before anything else is done with it, as a process that can harm nobody: `python -m cellstorm.sources.probe`.

Whoever sends a file may mean harm, and FFmpeg reads a hundred formats in C. So the process gives up memory, time, files
and writing before it opens the file, prints what it found as one line of JSON, and ends.
"""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from cellstorm.errors import FrameSizeChanged, InvalidInput, InvalidVideo
from cellstorm.sources import SourceDescription, open_source

MEMORY_BYTES: Final = 2 * 2**30
"""On top of what Python and its libraries take: a decoder holds some sixteen frames, which may have 8192x8192 pixels."""
CPU_S: Final = 60
_FILES: Final = 32
_WRITTEN_BYTES: Final = 2**16
"""Enough for what is printed, should that go into a file."""


class Probe(BaseModel):
    """What a file says of itself, and that its first frames can be read."""

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    frame_count_estimate: int | None
    description: SourceDescription


class Refusal(BaseModel):
    """Why a file cannot be used."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["InvalidVideo", "FrameSizeChanged"]
    message: str

    def error(self) -> InvalidInput:
        return {"InvalidVideo": InvalidVideo, "FrameSizeChanged": FrameSizeChanged}[self.kind](self.message)


class Finding(BaseModel):
    """Either."""

    model_config = ConfigDict(frozen=True)

    found: Probe | Refusal


def probe(path: Path, frame_rate: float | None = None, name: str | None = None) -> Probe:
    """Blocks. What lies in a file whose first chunk can be read; `frame_rate` and `name` as in `open_source`.

    Raises
    ------
    InvalidVideo
        If it cannot be read, or not one frame can be had.
    """
    source = open_source(path, frame_rate=frame_rate, name=name)
    next(source.chunks())
    width, height = source.frame_size
    return Probe(
        width=width,
        height=height,
        frame_count_estimate=source.frame_count_estimate,
        description=source.description,
    )


def give_up_power() -> None:
    """From here on this process can take little memory and time, open few files and write next to nothing.

    Should the machine or the container run out of memory, it is the first to go.
    """
    with suppress(OSError):  # only Linux has it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    _limit(resource.RLIMIT_AS, _memory_now() + MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, CPU_S)
    _limit(resource.RLIMIT_NOFILE, _FILES)
    _limit(resource.RLIMIT_FSIZE, _WRITTEN_BYTES)
    _limit(resource.RLIMIT_CORE, 0)


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(what, (allowed, allowed))
    except (ValueError, OSError):  # macOS refuses some; the wall clock of whoever started us still holds
        return


def _memory_now() -> int:
    """Address space of this process; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 0
    return pages * resource.getpagesize()


def main(path: str, frame_rate: str = "", name: str = "") -> None:
    """Print a `Finding`."""
    give_up_power()
    found: Probe | Refusal
    try:
        found = probe(Path(path), float(frame_rate) if frame_rate else None, name or None)
    except (InvalidVideo, FrameSizeChanged) as error:
        found = Refusal(kind=type(error).__name__, message=str(error))  # type: ignore[arg-type]  # one of the two
    except MemoryError:
        found = Refusal(kind="InvalidVideo", message="the file asks for far too much memory; export it again, as H.264")
    print(Finding(found=found).model_dump_json(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
