"""Frames per second of `cellstorm reconstruct`, end to end, start of Python included: `python -m benchmarks.throughput [SIDE…]`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.streams import sample
from cellstorm_models.compression import Compression, write_mp4

_FRAMES: Final = 1000


def main(sides: list[int]) -> None:
    """Print one line of figures for each size."""
    for side in sides:
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "video.mp4"
            write_mp4(video, sample(side, _FRAMES), Compression(bits_per_pixel=0.27))
            command = [sys.executable, "-m", "cellstorm_cli.main", "reconstruct", str(video), "--out", f"{folder}/out"]
            begun = time.perf_counter()
            subprocess.run([*command, "--json"], check=True, capture_output=True)
            seconds = time.perf_counter() - begun
        print(json.dumps({"side_px": side, "frames": _FRAMES, "frames_per_s": round(_FRAMES / seconds, 1)}))


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [128])
