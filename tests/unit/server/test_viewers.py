"""What one viewer is sent, from views that the test makes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from cellstorm.acquisitions import Acquisition
from cellstorm.localizations import concatenate
from cellstorm.messages import DELTA, SNAPSHOT, BinaryMessage, as_sent
from cellstorm.store import Commit
from cellstorm_server import viewers as module
from cellstorm_server.viewers import Outgoing, Parts, View, Viewer, Wish
from tests.fakes import star_localizations

ROWS = 5
"""Of each commit."""


class Acquired:
    """What a follower has read; the test lets it grow."""

    def __init__(self, commits: int, waiting: int = 0) -> None:
        self.grow_to(commits, waiting)

    def grow_to(self, commits: int, waiting: int = 0) -> None:
        """`waiting` more are counted and not read yet."""
        self.commits = tuple(
            Commit(f"17-{n}", n, 10 * n, 10 * n + 10, 10, star_localizations(ROWS, seed=n)) for n in range(commits)
        )
        self.counted = (commits + waiting) * ROWS
        self.told = self._acquisition()

    def view(self) -> View:
        return View(self.told, self.commits, "0", len(self.commits) * ROWS)

    def tell(self) -> Acquisition:
        return self.told

    def _acquisition(self) -> Acquisition:
        counters = dict.fromkeys(
            ("frames_received", "frames_lost", "frames_damaged", "frames_processed", "chunks_received"), 0
        )
        unknown = dict.fromkeys(("frame_width", "frame_height", "roi", "frames_expected", "lag_s", "fps", "eta_s"))
        return Acquisition.model_validate(
            {
                "id": "a",
                "settings": {},
                "state": "receiving",
                "created_at": "2026-11-22T12:00:00Z",
                "localizations": self.counted,
                "chunks_processed": 0,
                "waiting_chunk_bytes": 0,
                "spooled_chunks": 0,
                **counters,
                **unknown,
            }
        )


def stream(viewer: Viewer, acquired: Acquired, parts: Parts | None = None) -> AsyncIterator[Outgoing]:
    return viewer.messages(acquired.view, acquired.tell, parts or Parts())


async def binary(messages: AsyncIterator[Outgoing]) -> BinaryMessage:
    message = await anext(messages)
    assert isinstance(message, bytes), message
    return BinaryMessage.from_bytes(message)


async def text(messages: AsyncIterator[Outgoing]) -> str:
    message = await anext(messages)
    assert isinstance(message, str)
    return str(json.loads(message)["kind"])


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows of one message at most."""
    monkeypatch.setattr(module, "PART_ROWS", 8)
    return 8


def test_everything_comes_once_and_in_order_in_messages_of_bounded_size(small_parts: int) -> None:
    async def scenario() -> None:
        acquired = Acquired(4)
        messages = stream(Viewer(Wish()), acquired)
        parts = [await binary(messages) for _ in range(3)]
        assert [part.kind for part in parts] == [SNAPSHOT, DELTA, DELTA]
        assert [part.first_row for part in parts] == [0, small_parts, 2 * small_parts]
        assert {part.total_rows for part in parts} == {20}
        whole = concatenate(commit.table for commit in acquired.commits)
        np.testing.assert_array_equal(concatenate(part.table for part in parts), as_sent(whole))
        assert await text(messages) == "progress"

    asyncio.run(scenario())


def test_a_viewer_who_is_slow_misses_nothing_but_old_progress(small_parts: int) -> None:
    async def scenario() -> None:
        acquired = Acquired(1)
        viewer = Viewer(Wish())
        messages = stream(viewer, acquired)
        assert len((await binary(messages)).table) == ROWS
        assert await text(messages) == "progress"
        for _ in range(50):  # while it does not ask
            acquired.grow_to(len(acquired.commits) + 1)
            viewer.wake()
        seen = 0
        while seen < 50 * ROWS:
            part = await binary(messages)
            assert len(part.table) <= small_parts
            seen += len(part.table)
        assert await text(messages) == "progress"
        viewer.close("finished")
        assert await text(messages) == "closing"

    asyncio.run(scenario())


def test_viewers_at_the_same_place_share_one_message() -> None:
    async def scenario() -> None:
        acquired, parts = Acquired(3), Parts()
        one = await anext(stream(Viewer(Wish()), acquired, parts))
        other = await anext(stream(Viewer(Wish()), acquired, parts))
        assert one is other

    asyncio.run(scenario())


def test_whoever_comes_back_goes_on_where_it_was() -> None:
    async def scenario() -> None:
        acquired = Acquired(4)
        history = Parts().history(acquired.view(), 12)
        part = await binary(stream(Viewer(Wish(history=history, rows=12)), acquired))
        assert (part.kind, part.first_row, len(part.table)) == (DELTA, 12, 8)
        np.testing.assert_array_equal(part.table[3:], as_sent(acquired.commits[3].table))

    asyncio.run(scenario())


def test_rows_of_another_order_are_of_no_use_to_whoever_comes_back() -> None:
    async def scenario() -> None:
        acquired = Acquired(4)
        for wish in (Wish(history=1, rows=12), Wish(history=Parts().history(acquired.view(), 20), rows=21)):
            part = await binary(stream(Viewer(wish), acquired))
            assert (part.kind, part.first_row) == (SNAPSHOT, 0)

    asyncio.run(scenario())


def test_whether_it_has_these_rows_is_seen_when_they_have_been_read() -> None:
    async def scenario() -> None:
        acquired = Acquired(4)
        history = Parts().history(acquired.view(), 20)
        acquired.grow_to(2, waiting=3)
        viewer = Viewer(Wish(history=history, rows=20))
        first = asyncio.ensure_future(binary(stream(viewer, acquired)))
        await asyncio.sleep(0.01)
        assert not first.done()
        acquired.grow_to(5)
        viewer.wake()
        assert ((part := await first).kind, part.first_row, len(part.table)) == (DELTA, 20, ROWS)

    asyncio.run(scenario())


def test_where_commits_were_lost_and_made_anew_a_snapshot_replaces_what_was_sent() -> None:
    async def scenario() -> None:
        acquired = Acquired(3)
        viewer, parts = Viewer(Wish()), Parts()
        messages = stream(viewer, acquired, parts)
        assert (await binary(messages)).kind == SNAPSHOT
        assert await text(messages) == "progress"
        first, lost, other = acquired.commits
        acquired.commits = (first, replace(other, position="17-8"), replace(lost, position="17-9"))
        viewer.wake()
        again = await binary(messages)
        assert (again.kind, again.first_row) == (SNAPSHOT, 0)
        whole = concatenate(commit.table for commit in acquired.commits)
        np.testing.assert_array_equal(again.table, as_sent(whole))

    asyncio.run(scenario())


def test_whoever_came_back_gets_a_snapshot_too_where_commits_were_lost_since() -> None:
    async def scenario() -> None:
        acquired = Acquired(2)
        last = await binary(stream(Viewer(Wish()), acquired))
        acquired.grow_to(3)
        viewer = Viewer(Wish(history=last.history, rows=2 * ROWS))
        messages = stream(viewer, acquired)
        assert (await binary(messages)).kind == DELTA
        assert await text(messages) == "progress"
        anew = replace(acquired.commits[2], position="18-2")
        acquired.commits = (*acquired.commits[:2], anew)  # the rows that it came with are as they were
        viewer.wake()
        again = await binary(messages)
        assert (again.kind, again.first_row, len(again.table)) == (SNAPSHOT, 0, 3 * ROWS)

    asyncio.run(scenario())


def test_whoever_holds_little_gets_the_newest_rows_and_is_told_how_many_there_are() -> None:
    async def scenario() -> None:
        part = await binary(stream(Viewer(Wish(newest=7)), Acquired(4)))
        assert (part.kind, part.first_row, part.total_rows, len(part.table)) == (SNAPSHOT, 13, 20, 7)

    asyncio.run(scenario())


def test_the_newest_rows_are_waited_for_while_older_ones_are_still_read() -> None:
    async def scenario() -> None:
        acquired = Acquired(1, waiting=3)
        viewer = Viewer(Wish(newest=7))
        asked = asyncio.create_task(binary(stream(viewer, acquired)))
        await asyncio.sleep(0)
        assert not asked.done()
        acquired.grow_to(4)
        viewer.wake()
        assert (await asked).first_row == 13

    asyncio.run(scenario())


def test_progress_is_told_only_when_all_rows_have_come_that_were_counted_on_joining() -> None:
    async def scenario() -> None:
        acquired = Acquired(1, waiting=3)
        viewer = Viewer(Wish())
        messages = stream(viewer, acquired)
        assert len((await binary(messages)).table) == ROWS
        asked = asyncio.create_task(binary(messages))  # fails where progress comes
        await asyncio.sleep(0)
        acquired.grow_to(4)
        viewer.wake()
        assert len((await asked).table) == 3 * ROWS
        assert await text(messages) == "progress"

    asyncio.run(scenario())


def test_an_acquisition_without_rows_still_has_a_snapshot() -> None:
    async def scenario() -> None:
        messages = stream(Viewer(Wish()), Acquired(0))
        assert (await binary(messages)).kind == SNAPSHOT
        assert await text(messages) == "progress"

    asyncio.run(scenario())
