"""The chunks that were handed on last, in memory: what the newest frame is decoded from."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Final

from cellstorm.chunks import Chunk

_CHUNKS: Final = 4
_CHUNK_BYTES: Final = 8 * 2**20
_ACQUISITIONS: Final = 32
"""Of those that were handed on last."""
_ALL_BYTES: Final = 256 * 2**20


class RecentChunks:
    """The last chunks of each acquisition that this gateway has handed on; its methods may be called in any thread."""

    def __init__(self, max_bytes: int = _ALL_BYTES) -> None:
        self._max_bytes = max_bytes
        self._chunks: OrderedDict[str, deque[Chunk]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, acquisition_id: str, chunk: Chunk) -> None:
        """In place of the oldest; a very large one is not kept."""
        if _size(chunk) > _CHUNK_BYTES:
            return
        with self._lock:
            self._chunks.setdefault(acquisition_id, deque(maxlen=_CHUNKS)).append(chunk)
            self._chunks.move_to_end(acquisition_id)
            while len(self._chunks) > _ACQUISITIONS or self._is_too_large():
                self._chunks.popitem(last=False)

    def _is_too_large(self) -> bool:
        held = sum(_size(chunk) for chunks in self._chunks.values() for chunk in chunks)
        return len(self._chunks) > 1 and held > self._max_bytes

    def find(self, acquisition_id: str, frame_index: int) -> Chunk | None:
        """The chunk with this frame, if it is here."""
        with self._lock:
            return next((c for c in self._chunks.get(acquisition_id, ()) if holds(c, frame_index)), None)

    def forget(self, acquisition_id: str) -> None:
        """It is over, or deleted."""
        with self._lock:
            self._chunks.pop(acquisition_id, None)


def _size(chunk: Chunk) -> int:
    """In bytes."""
    return sum(chunk.header.payload_sizes)


def holds(chunk: Chunk, frame_index: int) -> bool:
    """Whether a frame is one of the chunk's."""
    return 0 <= frame_index - chunk.header.first_frame < chunk.header.frame_count
