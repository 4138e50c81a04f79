"""Tables as they are asked for, filtered, linked and without drift, kept for a while: tiles of one image share theirs.

Taking out drift and linking take seconds; a page that pans asks for dozens of tiles of the same table.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from cellstorm.analysis.selection import Selection
from cellstorm.errors import ResultNotReady
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Method
from cellstorm.results.picasso import TableInfo
from cellstorm.scene import Scene
from cellstorm_server.viewers import View

_MAX_BYTES: Final = 256 * 2**20
"""Of all that are kept; the one that was asked for last is kept whatever its size."""


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """A view's table as it was asked for."""

    view: View
    table: Localizations
    _white: dict[tuple[Method, float], float] = field(default_factory=dict)

    @property
    def info(self) -> TableInfo:
        """What files want to know of it."""
        return table_info(self.view)

    def scene(self, method: Method) -> Scene:
        """To draw it."""
        info = self.info
        return Scene(self.table, info.width_px, info.height_px, info.pixel_size_nm, method)

    def white_per_nm2(self, method: Method, percentile: float) -> float:
        """Blocks. As `Scene.white_per_nm2`, found once."""
        key = (method, percentile)
        if key not in self._white:
            self._white[key] = self.scene(method).white_per_nm2(percentile)
        return self._white[key]


class SelectedTables:
    """The tables that were asked for last. All calls block."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, str, str], Selected] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, view: View, selection: Selection) -> Selected:
        """What is asked for of an acquisition's rows so far, by frame.

        Raises
        ------
        ResultNotReady
            Before the first frame.
        InvalidSetting
            If drift is to be taken out and cannot be told.
        """
        if view.acquisition.roi is None:
            raise ResultNotReady("no frame has come yet; images and tables are there with the first ones")
        wanted = selection.model_dump_json(include=set(Selection.model_fields))
        key = (view.acquisition.id, view.position, wanted)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            kept = Selected(view, selection.of(view.table()))
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(one.table.nbytes for one in self._kept.values()) > self._max_bytes:
                self._kept.popitem(last=False)
        return kept

    def forget(self, acquisition_id: str) -> None:
        """It was deleted."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == acquisition_id]:
                del self._kept[key]


def table_info(view: View) -> TableInfo:
    """Of an acquisition that has its first frame."""
    acquisition = view.acquisition
    assert acquisition.roi is not None
    end_frame = max((commit.end_frame for commit in view.commits), default=0)
    return TableInfo(acquisition.roi.width, acquisition.roi.height, end_frame, acquisition.settings.pixel_size_nm)
