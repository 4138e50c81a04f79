"""Tables as they are asked for, filtered, linked and without drift, kept for a while: tiles of one image share theirs.

Taking out drift and linking take seconds; a page that pans asks for dozens of tiles of the same table.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from cellstorm.acquisitions import Acquisition
from cellstorm.analysis.selection import Selection
from cellstorm.errors import ResultNotReady
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Method
from cellstorm.results.picasso import TableInfo
from cellstorm.scene import Scene
from cellstorm_server.viewers import View

_MAX_BYTES: Final = 256 * 2**20
"""Of all that are kept; the one that was asked for last is kept whatever its size."""
_MAX_TABLES: Final = 256
"""Small ones cost something, too."""
_LOOKS: Final = 256
"""Of one table, whose white is remembered."""
_IDLE_S: Final = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """A view's table as it was asked for; not the view, with all that is not in it."""

    acquisition: Acquisition
    info: TableInfo
    table: Localizations
    _white: dict[tuple[Method, float], float] = field(default_factory=dict)

    def scene(self, method: Method) -> Scene:
        """To draw it."""
        info = self.info
        return Scene(self.table, info.width_px, info.height_px, info.pixel_size_nm, method)

    def white_per_nm2(self, method: Method, percentile: float) -> float:
        """Blocks. As `Scene.white_per_nm2`, found once."""
        key = (method, percentile)
        if key not in self._white:
            if len(self._white) >= _LOOKS:
                self._white.clear()
            self._white[key] = self.scene(method).white_per_nm2(percentile)
        return self._white[key]


@dataclass(frozen=True, slots=True)
class _Kept:
    selected: Selected
    used_at: float


class SelectedTables:
    """The tables that were asked for last. All calls block."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()
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
            found = self._kept.get(key)
        selected = found.selected if found else Selected(view.acquisition, table_info(view), selection.of(view.table()))
        with self._lock:
            self._kept[key] = _Kept(selected, time.monotonic())
            self._kept.move_to_end(key)
            while len(self._kept) > _MAX_TABLES or (len(self._kept) > 1 and self.nbytes > self._max_bytes):
                self._kept.popitem(last=False)
        return selected

    @property
    def nbytes(self) -> int:
        """Of all tables that are kept."""
        return sum(kept.selected.table.nbytes for kept in self._kept.values())

    def drop_idle(self, idle_s: float = _IDLE_S) -> None:
        """Forget those that nobody has asked for of late."""
        with self._lock:
            for key in [key for key, kept in self._kept.items() if time.monotonic() - kept.used_at > idle_s]:
                del self._kept[key]

    def forget(self, acquisition_id: str) -> None:
        """It was deleted, or begins anew."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == acquisition_id]:
                del self._kept[key]


def table_info(view: View) -> TableInfo:
    """Of an acquisition that has its first frame."""
    acquisition = view.acquisition
    assert acquisition.roi is not None
    end_frame = max((commit.end_frame for commit in view.commits), default=0)
    return TableInfo(acquisition.roi.width, acquisition.roi.height, end_frame, acquisition.settings.pixel_size_nm)
