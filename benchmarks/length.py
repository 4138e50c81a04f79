"""Whether a frame costs more in a long recording than in a short one: `python -m benchmarks.length [SHORT] [LONG] [SIDE]`.

Each recording is reconstructed in a process of its own. Processor time is told rather than time by the clock, so that what
else the machine does matters little.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.streams import sample
from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.results.folder import write_results
from cellstorm.sources import open_source
from cellstorm_cli.reconstruct import Task, localize_recording, results_of
from cellstorm_models.compression import Compression, write_mp4
from cellstorm_worker.onnx_generator import WarmGenerators

_PATTERN_FRAMES: Final = 500
_ONE: Final = "--one"


def main(short: int = 1000, long: int = 20_000, side: int = 64) -> None:
    """Print both, and the ratio of their costs per frame."""
    with tempfile.TemporaryDirectory() as folder:
        pattern = sample(side, _PATTERN_FRAMES)
        videos = {}
        for frames in (short, long):
            videos[frames] = Path(folder) / f"{frames}.mp4"
            repeated = pattern[np.arange(frames) % _PATTERN_FRAMES]
            write_mp4(videos[frames], repeated, Compression(bits_per_pixel=0.27))
        measured = [_in_a_process(videos[frames]) for frames in (short, long, short)]
    before, cost, after = (each["localizing_cpu_ms_per_frame"] for each in measured)
    ratio = round(2 * cost / (before + after), 3)
    print(json.dumps({"side_px": side, "recordings": measured, "cost_ratio": ratio}))


def _in_a_process(video: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.length", _ONE, str(video)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def measure(video: Path) -> dict[str, Any]:
    """Reconstruct it, here."""
    settings = AcquisitionSettings(name="benchmark")
    generator = WarmGenerators(None, threads=1).get("default")
    source = open_source(video)
    done, spent_s = [0], [time.process_time()]

    def note(frames: int) -> None:
        done.append(done[-1] + frames)
        spent_s.append(time.process_time())

    tally = localize_recording(source, generator, settings, note)
    results = results_of(tally, source, Task(video, settings), generator, datetime.now(UTC))
    began = time.process_time()
    write_results(video.parent / f"{video.stem}-results", results)
    writing_s = time.process_time() - began
    frames = tally.frames_processed
    return {
        "frames": frames,
        "localizations": len(results.localizations),
        "localizing_cpu_ms_per_frame": round(1000 * (spent_s[-1] - spent_s[0]) / frames, 4),
        "last_half_over_first": round(_last_half_over_first(np.array(done), np.array(spent_s)), 3),
        "results_cpu_s": round(writing_s, 2),
        "largest_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _last_half_over_first(done: NDArray[np.integer], spent_s: NDArray[np.floating]) -> float:
    """Cost of the recording's second half by that of its first: within one process, other load matters least."""
    middle = float(np.interp(done[-1] / 2, done, spent_s))
    return float((spent_s[-1] - middle) / (middle - spent_s[0]))


if __name__ == "__main__":
    if sys.argv[1:2] == [_ONE]:
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
