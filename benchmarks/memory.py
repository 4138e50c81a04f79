"""Memory of gateway, worker and Redis over a long stream: `python -m benchmarks.memory [SECONDS] [SIDE] [FPS]`."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import defaultdict
from typing import Final

import numpy as np
import psutil

from benchmarks.streams import sample, service, stream
from cellstorm_cli.service import LocalService

_EVERY_S: Final = 5.0
_WARM_UP_SHARE: Final = 0.2
_MIB: Final = 2**20


def main(seconds: float = 600.0, side: float = 128, fps: float = 20.0) -> None:
    """Print each process's memory in MiB over time, and its growth per minute after a warm-up."""
    counts = sample(int(side), 200)
    with service() as running:
        stop = threading.Event()
        series: dict[str, list[tuple[float, float]]] = defaultdict(list)
        sampling = threading.Thread(target=_sample, args=(running, stop, series))
        sampling.start()
        result = asyncio.run(stream(running, counts, fps, seconds))
        stop.set()
        sampling.join()
    acquisition = result.acquisition
    assert acquisition is not None
    lags = result.lags_s()
    print(
        json.dumps(
            {
                "seconds": seconds,
                "frames_received": acquisition.frames_received,
                "frames_lost": acquisition.frames_lost,
                "localizations": acquisition.localizations,
                "lag_s_0.95": round(float(np.quantile(lags, 0.95)), 3),
                "memory": {name: _summary(points, seconds) for name, points in series.items()},
            }
        )
    )


def _sample(running: LocalService, stop: threading.Event, series: dict[str, list[tuple[float, float]]]) -> None:
    elapsed = 0.0
    while not stop.wait(_EVERY_S):
        elapsed += _EVERY_S
        for name in ("gateway", "worker-1", "redis"):
            process = psutil.Process(running.supervisor.process_id(name))
            series[name].append((elapsed, process.memory_info().rss / _MIB))


def _summary(points: list[tuple[float, float]], seconds: float) -> dict[str, object]:
    """The slope is of a straight line through the points behind the warm-up and before the end, where archives are written."""
    steady = np.array([point for point in points if _WARM_UP_SHARE * seconds < point[0] < seconds])
    slope = float(np.polyfit(steady[:, 0] / 60, steady[:, 1], 1)[0]) if len(steady) > 2 else None
    return {
        "first_mib": round(points[0][1], 1),
        "last_mib": round(points[-1][1], 1),
        "growth_mib_per_minute": None if slope is None else round(slope, 3),
        "series_mib": [round(mib, 1) for _, mib in points[:: max(1, len(points) // 24)]],
    }


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
