"""Drift and resolution of acquisitions that are watched while they still come, measured anew now and then.

Both look at all localizations, so that each measurement costs a second or more: one at a time, each acquisition's next
one only after twenty times as long as its last took, and none where little has been added. Nothing is corrected by it; what
the report says in the end is measured from the complete table.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from cellstorm.acquisitions import State
from cellstorm.analysis.drift import Drift
from cellstorm.analysis.drift_live import drift_so_far
from cellstorm.analysis.resolution import ring_correlation
from cellstorm.store import Store
from cellstorm_server.follower import Followers
from cellstorm_server.viewers import View

_LEAST_PAUSE_S: Final = 10.0
_PAUSE_FACTOR: Final = 20.0
_GROWTH: Final = 1.1
_MOST_ROWS: Final = 2_000_000
"""Of longer tables only the report tells: what is measured must fit into the gateway's memory several times."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """When an acquisition is due again."""

    rows: int
    due_at_s: float


class Measuring:
    """Of one gateway."""

    def __init__(self, store: Store, followers: Followers) -> None:
        self._store = store
        self._followers = followers
        self._measured: dict[str, _Measured] = {}

    async def round(self) -> None:
        """Measure the acquisitions that are due, one after another."""
        watched = self._followers.watched()
        self._measured = {name: last for name, last in self._measured.items() if name in watched}
        for acquisition_id, follower in watched.items():
            view = follower.view()
            if view.acquisition.state is State.RECEIVING and self._is_due(acquisition_id, view.rows):
                began_s = time.monotonic()
                await asyncio.to_thread(self._measure, acquisition_id, view)
                pause_s = max(_LEAST_PAUSE_S, _PAUSE_FACTOR * (time.monotonic() - began_s))
                self._measured[acquisition_id] = _Measured(view.rows, time.monotonic() + pause_s)

    def _is_due(self, acquisition_id: str, rows: int) -> bool:
        last = self._measured.get(acquisition_id, _Measured(0, 0.0))
        return _GROWTH * last.rows < rows <= _MOST_ROWS and time.monotonic() >= last.due_at_s

    def _measure(self, acquisition_id: str, view: View) -> None:
        table = view.table()
        drift = drift_so_far(table, max(commit.end_frame for commit in view.commits))
        resolution_nm = ring_correlation(table).resolution_nm
        self._store.set_fields(
            acquisition_id,
            drift_nm=round(drift.total_nm, 1) if isinstance(drift, Drift) else "",
            resolution_nm="" if resolution_nm is None else round(resolution_nm, 1),
        )
