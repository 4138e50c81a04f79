"""What one viewer is sent: all rows in their order, from a place of its own, and news of the acquisition.

Rows are never thrown away, and nothing is queued for a viewer: it has a place among the rows, and the next message is
made when the last one has gone. Whoever is slow is behind by rows, not by memory. Viewers at the same place share one message.

Rows keep their places until Redis loses commits (it came back a second older, or failed over), which are then made anew, in another
order. So each message tells which commits hold the rows up to its end, as a checksum; where that is no longer so, the viewer is
sent a snapshot.
"""

from __future__ import annotations

import asyncio
import zlib
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from cellstorm import localizations
from cellstorm.acquisitions import Acquisition
from cellstorm.localizations import Localizations
from cellstorm.messages import DELTA, PART_ROWS, SNAPSHOT, BinaryMessage, Closing, Progress
from cellstorm.store import Commit

_SHARED_MESSAGES: Final = 16
"""Of one acquisition: 3 MB, whatever the number of viewers."""

Outgoing = str | bytes
"""A JSON text or a binary message."""

Reason = Literal["finished", "failed", "cancelled", "deleted", "shutting_down"]


@dataclass(frozen=True, slots=True)
class View:
    """What a follower has read, at one moment; safe to hand to another thread."""

    acquisition: Acquisition
    commits: tuple[Commit, ...]
    event: str
    """Position of the newest event in it."""
    rows: int = 0
    """Of all commits in it."""
    renewals: int = 0
    """How often commits were lost, and all were read anew."""

    @property
    def position(self) -> str:
        """Of the newest commit in it."""
        return self.commits[-1].position if self.commits else "0"

    @property
    def beginning(self) -> tuple[str, int]:
        """Another one after commits were lost and made anew, or were archived: what was made of earlier views holds no longer."""
        return (self.commits[0].position if self.commits else "0", self.renewals)

    def has_chunk_of(self, commits: Iterable[Commit]) -> bool:
        """Whether one of them is of a chunk whose commit it has already: that one was lost since, and made anew."""
        return not {commit.chunk for commit in self.commits}.isdisjoint(commit.chunk for commit in commits)

    def table(self) -> Localizations:
        """By chunk: the same table whatever the order in which chunks were committed."""
        return localizations.concatenate(c.table for c in sorted(self.commits, key=lambda commit: commit.chunk))


class _Index:
    """What all messages of one view need to know of its commits, gone through once."""

    def __init__(self, view: View) -> None:
        self._commits = view.commits
        self._starts = list(accumulate((len(commit.table) for commit in view.commits), initial=0))
        positions = (commit.position.encode() for commit in view.commits)
        self._histories = list(
            accumulate(positions, lambda history, position: zlib.crc32(position, history), initial=0)
        )
        self.frames_processed = sum(commit.frame_count for commit in view.commits)
        self.end_frame = max((commit.end_frame for commit in view.commits), default=0)

    def history(self, rows: int) -> int:
        """Which commits hold the first `rows` rows, as a checksum."""
        return self._histories[bisect_left(self._starts, rows)]

    def table(self, first_row: int, end_row: int) -> Localizations:
        """Rows `first_row` to `end_row` - 1."""
        first = max(0, bisect_right(self._starts, first_row) - 1)
        end = bisect_left(self._starts, end_row, lo=first)
        return localizations.concatenate(
            commit.table[max(0, first_row - start) : end_row - start]
            for commit, start in zip(self._commits[first:end], self._starts[first:end], strict=False)
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows a viewer needs.

    Attributes
    ----------
    history, rows
        What it has from before: so many rows, and which commits held them.
    newest
        At most so many of the rows that are there when it comes; None for all.
    """

    history: int = 0
    rows: int = 0
    newest: int | None = None


class Parts:
    """Makes binary messages of one acquisition's rows; the newest few are kept, for viewers who are equally far."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[int, int, int, int], asyncio.Task[bytes]] = OrderedDict()
        self._indexed: tuple[View, _Index] | None = None

    def history(self, view: View, rows: int) -> int:
        """Which commits hold the view's first `rows` rows, as a checksum."""
        return self._index(view).history(rows)

    async def message(self, view: View, kind: int, first_row: int) -> tuple[bytes, int]:
        """The message that begins with this row, and the row that follows it."""
        # Bounds at whole parts, so that viewers who came at different times meet.
        end_row = min(view.rows, (first_row // PART_ROWS + 1) * PART_ROWS)
        key = (kind, first_row, end_row, self.history(view, end_row))
        if key not in self._made:
            self._made[key] = asyncio.create_task(asyncio.to_thread(self._message, view, kind, first_row, end_row))
            while len(self._made) > _SHARED_MESSAGES:
                self._made.popitem(last=False)
        return await asyncio.shield(self._made[key]), end_row

    def _message(self, view: View, kind: int, first_row: int, end_row: int) -> bytes:
        index = self._index(view)
        return BinaryMessage(
            kind=kind,
            table=index.table(first_row, end_row),
            frames_processed=index.frames_processed,
            end_frame=index.end_frame,
            first_row=first_row,
            total_rows=max(view.rows, view.acquisition.localizations),
            history=index.history(end_row),
        ).to_bytes()

    def _index(self, view: View) -> _Index:
        indexed = self._indexed  # another thread may replace it
        if indexed is None or indexed[0] is not view:
            indexed = self._indexed = view, _Index(view)
        return indexed[1]


class Viewer:
    """One viewer's place, and what wakes it."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._next_row: int | None = None
        self._history = 0
        self._rows_on_joining = 0
        self._told: Acquisition | None = None
        self._changed = asyncio.Event()
        self._reason: Reason | None = None

    def wake(self) -> None:
        """There is something new."""
        self._changed.set()

    def close(self, reason: Reason) -> None:
        """After the rows that are there, nothing but the farewell."""
        if self._reason is None:
            self._reason = reason
            self._changed.set()

    async def messages(
        self, view: Callable[[], View], told: Callable[[], Acquisition], parts: Parts
    ) -> AsyncIterator[Outgoing]:
        """What the viewer is to be sent: rows as of `view`, then the acquisition as `told`, whenever they change.

        The acquisition is first told when all rows have been sent that there were on joining, read by then or not.
        """
        while True:
            self._changed.clear()
            now = view()
            message = await self._rows(now, parts)
            if message is not None:
                yield message
                continue
            if told() is not self._told and self._has_joined:
                self._told = told()
                yield Progress(acquisition=self._told).model_dump_json()
            elif self._reason is not None:
                yield Closing(reason=self._reason).model_dump_json()
                return
            else:
                await self._changed.wait()

    @property
    def _has_joined(self) -> bool:
        if self._next_row is None:
            return False
        return self._next_row >= self._rows_on_joining or self._reason is not None

    async def _rows(self, view: View, parts: Parts) -> bytes | None:
        kind = DELTA
        if self._next_row is None or not self._goes_on(view, parts):
            place = self._begin(view, parts)
            if place is None:
                return None
            kind, self._next_row = place
        if kind == DELTA and self._next_row == view.rows:
            return None
        message, self._next_row = await parts.message(view, kind, self._next_row)
        self._history = parts.history(view, self._next_row)
        # It has more than it came with: where commits are lost from now on, only a snapshot replaces what was added.
        self._wish = Wish(newest=self._wish.newest)
        return message

    def _goes_on(self, view: View, parts: Parts) -> bool:
        """Whether what it was sent is still how rows begin."""
        return self._is_beginning(view, parts, self._next_row or 0, self._history)

    def _is_beginning(self, view: View, parts: Parts, rows: int, history: int) -> bool:
        return rows <= view.rows and parts.history(view, rows) == history

    def _begin(self, view: View, parts: Parts) -> tuple[int, int] | None:
        """Kind of the first message and its first row; None while that row has not been read."""
        wish, total = self._wish, max(view.rows, view.acquisition.localizations)
        self._rows_on_joining = total
        is_over = self._reason is not None
        if total and not view.commits and not is_over:
            return None
        if 0 < wish.rows <= total:
            if wish.rows > view.rows and not is_over:
                return None  # whether it has these is seen when they have been read
            if self._is_beginning(view, parts, wish.rows, wish.history):
                self._history = wish.history
                return DELTA, wish.rows
        first_row = 0 if wish.newest is None else max(0, total - wish.newest)
        return None if first_row > view.rows and not is_over else (SNAPSHOT, min(first_row, view.rows))
