from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_DRAW_IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import psutil

from cellstorm_server.allocation import return_what_is_freed

return_what_is_freed()
together = Barrier(8)

def draw(_):
    together.wait()
    for mib in (2, 8, 16, 30, 30, 30):
        image = np.ones(mib * 2**20, np.uint8)
        half = image[::2].copy()
        del image, half

with ThreadPoolExecutor(8) as threads:
    before = psutil.Process().memory_info().rss
    list(threads.map(draw, range(8)))
    print((psutil.Process().memory_info().rss - before) // 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators give back by themselves")
def test_what_threads_have_freed_goes_back_to_the_system() -> None:
    """In a process of its own: what was set cannot be taken back."""
    command = [sys.executable, "-c", _DRAW_IN_THREADS]
    kept_mib = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert kept_mib < 24
