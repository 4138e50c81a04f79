"""Has freed memory go back to the system: glibc by itself keeps hundreds of megabytes of it for good.

Its threshold above which a block has a mapping of its own, that goes when it is freed, grows with the largest block that was
ever freed, up to 32 MiB, and what each thread's arena may keep at its end grows to twice that (mallopt(3)). A gateway that
has drawn large images in a few threads would hold them for ever. Both stay where they begin once they are set.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""Of malloc.h."""

_OWN_MAPPING_BYTES: Final = 256 * 1024
_KEPT_BYTES: Final = 1024 * 1024
_ARENAS: Final = 4
"""Threads mostly wait here; by default there are eight for each core, and each keeps what its threads have used."""


def return_what_is_freed() -> None:
    """To be called before there are threads; where there is no glibc, nothing."""
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for option, value in (
        (_M_MMAP_THRESHOLD, _OWN_MAPPING_BYTES),
        (_M_TRIM_THRESHOLD, _KEPT_BYTES),
        (_M_ARENA_MAX, _ARENAS),
    ):
        mallopt(option, value)
