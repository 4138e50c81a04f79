"""A gateway's inner parts, and what a phone sends them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cellstorm.acquisitions import AcquisitionSettings, State
from cellstorm.chunks import Chunk
from cellstorm.gaps import LinkGap
from cellstorm.h264 import AccessUnit
from cellstorm.mp4 import join
from cellstorm.settings import Settings
from cellstorm.sources import open_source
from cellstorm.store import Store
from cellstorm_server.feeder import Feeder
from cellstorm_server.ingest.assembly import EncodedFrame
from cellstorm_server.ingest.session import Intake
from cellstorm_server.library import Library
from cellstorm_server.queueing import JobQueues
from tests.fakes import encode_h264, numbered_frames

ID = "intake-test"
GROUP = 10


class Bench:
    """A gateway's inner parts on a real Redis and a real disk."""

    def __init__(self, redis_url: str, folder: Path, **settings: int) -> None:
        self.settings = Settings(data=folder, redis_url=redis_url, **settings)  # type: ignore[arg-type]  # all are numbers
        self.store = Store.connect(redis_url)
        self.queues = JobQueues(self.store.redis)
        self.library = Library(folder, min_free_bytes=0)
        self.feeder = Feeder(self.store, self.queues, self.library, self.settings)
        if not self.store.ids():
            self.store.create(ID, AcquisitionSettings(), owner="me", token_digest="")
            self.library.create(ID)
            self.store.transition(ID, State.RECEIVING)

    def intake(self) -> Intake:
        return self.begin("session")

    def begin(self, session_id: str, told: LinkGap | None = None) -> Intake:
        intake = Intake(ID, session_id, self.store, self.feeder, self.library)
        if told is not None:
            intake.tell_gap(told)
        return intake

    def stored(self) -> list[Chunk]:
        """Chunks in the store, by number."""
        chunks = [self.store.get_chunk(ID, number) for number in sorted(self.store.pending(ID))]
        return [chunk for chunk in chunks if chunk is not None]

    def kept(self, folder: Path) -> list[Chunk]:
        """Chunks of the video that is kept in the end."""
        join(self.library.parts(ID), folder / "video.mp4")
        return list(open_source(folder / "video.mp4").chunks())


def frames_of(
    units: Sequence[AccessUnit], lost: frozenset[int] = frozenset(), start_s: float = 1000.0
) -> list[tuple[EncodedFrame, float]]:
    """As they come from the network; a gap is told where units are missing."""
    return [
        (EncodedFrame(unit.data, unit.timestamp, follows_gap=(n - 1) in lost), start_s + n / 30)
        for n, unit in enumerate(units)
        if n not in lost
    ]


def recording(count: int, width: int = 96) -> list[AccessUnit]:
    return encode_h264(numbered_frames(count, width), group=GROUP)


def headers(chunks: Sequence[Chunk]) -> list[tuple[int, int, int, int, int, tuple[float, ...]]]:
    """What must agree between live and kept video."""
    return [
        (h.number, h.first_frame, h.frame_count, h.lost, h.damaged, tuple(round(t, 6) for t in h.times_s))
        for h in (chunk.header for chunk in chunks)
    ]
