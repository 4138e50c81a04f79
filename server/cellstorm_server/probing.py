"""Looks into an uploaded file in a process of its own (cellstorm.sources.probe): a hostile one may end that, and that alone."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from cellstorm.errors import InvalidVideo
from cellstorm.sources.probe import Finding, Probe, Refusal

_PROBE_S: Final = 90.0
"""By the wall clock: the processor's time has a limit of its own."""
_AT_ONCE: Final = 2
_KEPT_VARIABLES: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
"""The process gets no secret that lies in the environment."""
NAMELESS: Final = "the file"
"""What is said of one whose name was not sent."""


class Prober:
    """Looks into a few files at once; the others wait."""

    def __init__(self, patience_s: float = _PROBE_S) -> None:
        self._patience_s = patience_s
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def probe(self, path: Path, frame_rate: float | None = None, name: str | None = None) -> Probe:
        """What lies in a file; `name` is what its sender calls it.

        Raises
        ------
        InvalidVideo
            If it cannot be read, or looking into it took too much time or memory, or ended the process.
        """
        async with self._places:
            found = await self._apart(path, frame_rate, _in_a_line(name or NAMELESS))
        if isinstance(found, Refusal):
            raise found.error()
        return found

    async def _apart(self, path: Path, frame_rate: float | None, name: str) -> Probe | Refusal:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cellstorm.sources.probe",
            str(path),
            "" if frame_rate is None else str(frame_rate),
            name,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
        )
        try:
            async with asyncio.timeout(self._patience_s):
                printed, _ = await process.communicate()
            return Finding.model_validate_json(printed).found
        except TimeoutError as error:
            raise InvalidVideo(
                "the file took too long to look into; convert it to H.264 in MP4, and try again"
            ) from error
        except ValidationError as error:
            raise InvalidVideo("the file cannot be read; convert it to H.264 in MP4, and try again") from error
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _in_a_line(name: str) -> str:
    """Whatever somebody has sent for a name, as a part of a message and of a command."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
