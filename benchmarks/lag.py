"""Lag from a frame's sending to its localizations in the live view: `python -m benchmarks.lag [SECONDS] [SIDE] [FPS]`."""

from __future__ import annotations

import asyncio
import json
import sys

import numpy as np

from benchmarks.streams import sample, service, stream


def main(seconds: float = 30.0, side: float = 128, fps: float = 20.0) -> None:
    """Print quantiles of the lag in seconds."""
    counts = sample(int(side), 200)
    with service() as running:
        result = asyncio.run(stream(running, counts, fps, seconds))
    lags = result.lags_s()
    acquisition = result.acquisition
    assert acquisition is not None
    figures = {
        "side_px": int(side),
        "fps": fps,
        "frames_sent": len(result.sent),
        "frames_seen": len(lags),
        "frames_lost": acquisition.frames_lost,
        "frames_damaged": acquisition.frames_damaged,
        "lag_s": {str(q): round(float(np.quantile(lags, q)), 3) for q in (0.05, 0.5, 0.95, 0.99, 1.0)},
        "within_2.5_s": round(float((lags < 2.5).mean()), 4),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
