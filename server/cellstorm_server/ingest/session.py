"""One phone's connection to an acquisition: encoded frames in; kept video and chunks out; and a watch on its silence.

Peer ── frames, on the event loop ──► bounded queue ──► thread: cut → keep on disk → store
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

import structlog

from cellstorm.acquisitions import State
from cellstorm.chunks import Chunk
from cellstorm.cutting import ChunkCutter, CutChunk
from cellstorm.errors import AcquisitionNotFound, CellstormError, StorageFull, WrongState
from cellstorm.gaps import LinkGap
from cellstorm.h264 import TICKS_PER_SECOND, AccessUnit
from cellstorm.mp4 import FragmentedWriter
from cellstorm.roi import RegionOfInterest
from cellstorm.settings import Settings
from cellstorm.store import STORE_TROUBLE, Store
from cellstorm_server.feeder import Feeder
from cellstorm_server.ingest.assembly import EncodedFrame
from cellstorm_server.ingest.beginnings import begin
from cellstorm_server.ingest.pace import Pace
from cellstorm_server.ingest.peer import Peer
from cellstorm_server.ingest.waiting_frames import WaitingFrames
from cellstorm_server.library import Library

log = structlog.get_logger()

MAX_WAITING_FRAMES: Final = 600
"""Between network and disk: twenty seconds."""
FIRST_CHUNK_FRAMES: Final = 4
"""After so many a key frame is asked for, which ends the first chunk: the first localizations wait for that."""
_TICK_S: Final = 0.25

Ending = Literal["closed", "replaced", "silent", "disconnected", "refused", "shutting_down"]


class Intake:
    """What the session does with frames: all of it blocks, all of it happens in one thread at a time."""

    def __init__(self, acquisition_id: str, session_id: str, store: Store, feeder: Feeder, library: Library) -> None:
        self._id = acquisition_id
        self._session_id = session_id
        self._store = store
        self._feeder = feeder
        self._library = library
        self._writer: FragmentedWriter | None = None
        self._pace = Pace()
        self._offset_ticks: int | None = None
        self._end_ticks = 0
        self._roi_known = False
        self._cutter: ChunkCutter | None = None
        self._beginning = threading.Lock()

    def tell_gap(self, told: LinkGap) -> None:
        """What the phone has missed before this session: its frames are numbered behind that.

        Raises
        ------
        WrongState
            If frames have come already.
        """
        with self._beginning:
            if self._offset_ticks is not None:
                raise WrongState("frames of this session have come already; tell of the gap before the first one")
            self._cutter = self._begun(told)

    def take(self, frames: list[tuple[EncodedFrame, float]]) -> None:
        """Encoded frames with the Unix times of their arrival, in their order.

        Raises
        ------
        CellstormError
            If the stream cannot go on, such as for `FrameSizeChanged`; what came before is kept.
        """
        if self._offset_ticks is None and frames:
            self._begin(*frames[0])
        assert self._cutter is not None
        assert self._offset_ticks is not None
        for frame, received_at_s in frames:
            lost_before = self._pace.lost_before(frame.timestamp, follows_gap=frame.follows_gap)
            self._end_ticks = frame.timestamp + self._offset_ticks + 1
            unit = AccessUnit(frame.data, frame.timestamp + self._offset_ticks, received_at_s)
            for cut in self._cutter.add(unit, lost_before):
                self._keep(cut)

    def finish(self) -> None:
        """Keep what is left, and close the video."""
        try:
            for cut in self._cutter.finish() if self._cutter is not None else ():
                self._keep(cut)
            if self._offset_ticks is not None:
                with contextlib.suppress(*STORE_TROUBLE):  # it only matters if the clock is set back besides
                    self._store.set_fields(self._id, end_ticks=self._end_ticks)
        finally:
            if self._writer is not None:
                self._writer.close()

    def _begin(self, frame: EncodedFrame, received_at_s: float) -> None:
        with self._beginning:
            self._cutter = self._cutter or self._begun(None)
            self._offset_ticks = self._start_ticks(received_at_s) - frame.timestamp

    def _begun(self, told: LinkGap | None) -> ChunkCutter:
        first_chunk, first_frame = begin(self._id, self._session_id, told, self._store, self._feeder)
        return ChunkCutter(
            first_frame=first_frame,
            first_chunk=first_chunk,
            first_timestamp=0,
            first_chunk_frames=FIRST_CHUNK_FRAMES,
        )

    def _start_ticks(self, received_at_s: float) -> int:
        """Where this session begins on the acquisition's clock, which runs from the first frame of its first session.

        Never before an earlier session's end, though this machine's clock may have been set back in between.
        """
        started = self._store.field(self._id, "started_at")
        if started is None:
            self._store.set_fields(self._id, started_at=received_at_s)
            return 0
        elapsed = round((received_at_s - float(started)) * TICKS_PER_SECOND)
        return max(elapsed, int(self._store.field(self._id, "end_ticks") or 0))

    def _keep(self, cut: CutChunk) -> None:
        """On disk first: should the process die in between, the chunk is read back from there."""
        try:
            if cut.chunk is not None and not self._roi_known:
                self._decide_roi(cut.chunk)
            self._write(cut.units)
        except (CellstormError, *STORE_TROUBLE):
            self._cutter = None  # chunks are numbered without a gap, so none may follow one that was not kept
            raise
        if cut.chunk is not None:
            self._feeder.put(self._id, cut.chunk)

    def _write(self, units: Sequence[AccessUnit]) -> None:
        try:
            if self._writer is None:
                self._library.check_room()
                self._writer = FragmentedWriter(self._library.new_part(self._id), units[0], first_timestamp=0)
            self._writer.append(units)
        except OSError as error:
            raise StorageFull(f"the video cannot be kept ({error.strerror}); make room on the server's disk") from error

    def _decide_roi(self, chunk: Chunk) -> None:
        header = chunk.header
        acquisition = self._store.get(self._id)
        acquisition.check_frame_size(header.width, header.height)
        if acquisition.roi is None:
            wanted = acquisition.settings.roi or RegionOfInterest.default(header.width, header.height)
            roi = wanted.check_inside(header.width, header.height)
            self._store.set_frame_size(self._id, header.width, header.height, roi)
        self._roi_known = True


class Session:
    """Runs until the phone leaves, falls silent, or is told to go, or the acquisition is over; then all that came is in the store
    or on disk.
    """

    def __init__(
        self, session_id: str, acquisition_id: str, peer: Peer, intake: Intake, store: Store, settings: Settings
    ) -> None:
        self.id = session_id
        self.acquisition_id = acquisition_id
        self._peer = peer
        self._intake = intake
        self._store = store
        self._settings = settings
        self._waiting = WaitingFrames(MAX_WAITING_FRAMES)
        self._arrived = asyncio.Event()
        self._newest_at = time.monotonic()
        self._asked_at = 0.0
        self._is_receiving = False
        self._ending: Ending | None = None
        self._task = asyncio.create_task(self._run(), name=f"session {session_id}")
        self.frames_received = 0

    async def tell_gap(self, told: LinkGap) -> None:
        """Before the first frame: what the phone has missed.

        Raises
        ------
        WrongState
            If frames have come already.
        """
        await asyncio.to_thread(self._intake.tell_gap, told)

    async def end(self, ending: Ending) -> None:
        """End it, and wait until everything that came is kept. Again is no error."""
        self._ending = self._ending or ending
        self._arrived.set()
        await asyncio.shield(self._task)

    @property
    def is_over(self) -> bool:
        return self._task.done()

    def when_over(self, tell: Callable[[str], object]) -> None:
        """Call `tell` with its id then."""
        self._task.add_done_callback(lambda _: tell(self.id))

    async def _run(self) -> None:
        helpers = [asyncio.create_task(self._receive()), asyncio.create_task(self._watch())]
        try:
            await self._process()
        except (CellstormError, *STORE_TROUBLE) as error:
            self._ending = "refused"
            await self._tell_error(error)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._peer.close()
            await self._close_down()
            log.info(
                "session over",
                session=self.id,
                acquisition=self.acquisition_id,
                ending=self._ending,
                dropped=self._waiting.dropped,
            )

    async def _receive(self) -> None:
        """From the peer's queue, which has no bound, into ours, which has one."""
        async for frame in self._peer.frames():
            self._waiting.add(frame, time.time())
            self.frames_received += 1
            self._newest_at = time.monotonic()
            self._arrived.set()
            if self.frames_received == FIRST_CHUNK_FRAMES:
                await self._ask_for_key_frame()
        self._ending = self._ending or "disconnected"
        self._arrived.set()

    async def _process(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if frames := self._waiting.take():
                await asyncio.to_thread(self._intake.take, frames)
            if self._ending is not None and not self._waiting:
                return

    async def _watch(self) -> None:
        """Ask for key frames; notice silence, and that it is over; end what nobody sends to any more."""
        while self._ending is None:
            now = time.monotonic()
            silent_s = now - self._newest_at
            if silent_s > self._settings.freed_after_s:
                self._ending = "silent"
            elif self._peer.ended.is_set():
                self._ending = "disconnected"
            if now - self._asked_at >= self._settings.key_frame_interval_s:
                await self._ask_for_key_frame()
            await self._tell_receiving(bool(self._waiting) or silent_s < self._settings.silent_after_s)
            await asyncio.sleep(_TICK_S)
        self._arrived.set()

    async def _ask_for_key_frame(self) -> None:
        self._asked_at = time.monotonic()
        await self._peer.request_key_frame()

    async def _tell_receiving(self, is_receiving: bool) -> None:
        """The first frame, not the connection, makes an acquisition `receiving`; silence makes it `waiting` again."""
        if is_receiving == self._is_receiving or (is_receiving and not self.frames_received):
            return
        state = State.RECEIVING if is_receiving else State.WAITING
        try:
            await asyncio.to_thread(self._store.transition, self.acquisition_id, state)
        except STORE_TROUBLE:
            return  # asked again at the next tick
        except CellstormError:  # finished or deleted meanwhile
            self._ending = self._ending or "closed"
        self._is_receiving = is_receiving

    async def _close_down(self) -> None:
        try:
            await asyncio.to_thread(self._intake.finish)
        except (CellstormError, *STORE_TROUBLE) as error:
            await self._tell_error(error)
        await self._tell_receiving(False)

    async def _tell_error(self, error: Exception) -> None:
        log.warning("session", session=self.id, acquisition=self.acquisition_id, error=str(error))
        if isinstance(error, AcquisitionNotFound):
            return  # where it has failed, the reason for that is what is to be read
        with contextlib.suppress(CellstormError, *STORE_TROUBLE):
            await asyncio.to_thread(self._store.set_fields, self.acquisition_id, error=str(error))
