"""The chunks that were handed on last."""

from __future__ import annotations

import numpy as np

from cellstorm.chunks import Chunk
from cellstorm_server.recent_chunks import RecentChunks


def chunk(number: int, side: int = 8) -> Chunk:
    counts = np.random.default_rng(number).integers(0, 255, (10, side, side)).astype(np.uint8)
    return Chunk.of_counts(number, 10 * number, [0.1 * n for n in range(10)], counts)


def test_a_frame_is_found_in_its_chunk() -> None:
    recent = RecentChunks()
    for number in range(3):
        recent.keep("a", chunk(number))
    found = recent.find("a", 19)
    assert found is not None
    assert found.header.number == 1
    assert recent.find("a", 30) is None
    assert recent.find("b", 19) is None


def test_only_a_few_chunks_of_a_few_acquisitions_are_kept() -> None:
    recent = RecentChunks()
    for number in range(9):
        recent.keep("long", chunk(number))
    assert recent.find("long", 0) is None
    assert recent.find("long", 89) is not None
    for other in range(40):
        recent.keep(f"other-{other}", chunk(0))
    assert recent.find("long", 89) is None
    assert recent.find("other-39", 5) is not None


def test_the_oldest_acquisitions_give_way_where_all_together_are_too_large() -> None:
    recent = RecentChunks(max_bytes=2 * sum(chunk(0).header.payload_sizes))
    for name in ("a", "b", "c"):
        recent.keep(name, chunk(0))
    assert [recent.find(name, 0) is not None for name in ("a", "b", "c")] == [False, True, True]


def test_a_very_large_chunk_is_not_kept() -> None:
    recent = RecentChunks()
    recent.keep("a", chunk(0, side=1024))
    assert recent.find("a", 0) is None


def test_an_acquisition_that_is_over_leaves_nothing() -> None:
    recent = RecentChunks()
    for name in ("a", "b"):
        recent.keep(name, chunk(0))
    recent.forget("a")
    recent.forget("nobody-knows-it")
    assert [recent.find(name, 0) is not None for name in ("a", "b")] == [False, True]
