"""A service and a phone for benchmarks, and when each frame was sent and seen."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import connect

from cellstorm.acquisitions import Acquisition, AcquisitionSettings
from cellstorm.messages import BinaryMessage
from cellstorm.settings import Settings
from cellstorm_cli.gateway_client import GatewayClient
from cellstorm_cli.machine import free_port
from cellstorm_cli.phone import Phone
from cellstorm_cli.playback import Picture, TimedFrames, encode
from cellstorm_cli.service import LocalService, local_service
from cellstorm_models.simulation import SimulationConfig, simulate


@contextmanager
def service() -> Iterator[LocalService]:
    """Redis, a gateway and a worker of their own, quiet."""
    with tempfile.TemporaryDirectory(prefix="cellstorm-bench-") as folder:
        settings = Settings.load(data=Path(folder), port=free_port())
        with local_service(settings, workers=1, log_file=Path(folder) / "log") as running:
            yield running


def sample(side: int, frames: int) -> NDArray[np.uint8]:
    """(frames, side, side) simulated counts."""
    config = SimulationConfig(frames=frames, width=side, height=side, emitters_per_frame=17.0 * (side / 128) ** 2)
    counts: NDArray[np.uint8] = simulate(config, np.random.default_rng(1)).counts.astype(np.uint8)
    return counts


def endless(counts: NDArray[np.uint8], fps: float, seconds: float, first_frame: int) -> Iterator[TimedFrames]:
    """The sample again and again, for so long."""
    frames = round(fps * seconds)
    for index, image in zip(range(frames), cycle(counts), strict=False):
        if index >= first_frame:
            yield TimedFrames(index, (index / fps,), image[np.newaxis])


@dataclass(slots=True)
class Stream:
    """What happened, by frame index and Unix time."""

    sent: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)
    acquisition: Acquisition | None = None

    def lags_s(self) -> NDArray[np.float64]:
        """Seconds from sending to the WebSocket's delta, of each frame that was seen."""
        return np.array([self.seen[frame] - at for frame, at in self.sent.items() if frame in self.seen])


async def stream(running: LocalService, counts: NDArray[np.uint8], fps: float, seconds: float) -> Stream:
    """Publish in real time and watch the live view."""
    result = Stream()
    async with GatewayClient(running.url, running.admin_token) as client:
        created = await client.create(AcquisitionSettings(name="benchmark"))
        watching = asyncio.create_task(_watch(created.live_url, created.token, result))
        phone = Phone(client, created.whip_url, give_up_after_s=10.0)
        await phone.publish(
            lambda first: encode(endless(counts, fps, seconds, first), None), lambda picture: _note(picture, result)
        )
        await client.finish(created.id)
        result.acquisition = await client.wait_until_over(created.id, 300.0)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return result


def _note(picture: Picture, result: Stream) -> None:
    result.sent[picture.frame_index] = time.time()


async def _watch(live_url: str, token: str, result: Stream) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(live_url, additional_headers=headers, max_size=None) as socket:
        async for message in socket:
            if isinstance(message, bytes):
                end = BinaryMessage.from_bytes(message).end_frame
                for frame in range(len(result.seen), end):
                    result.seen[frame] = time.time()
