"""Images that grow with what is read, so that each further look costs by what is new; bounded over all acquisitions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from cellstorm.errors import ResultNotReady
from cellstorm.reconstruction import MAX_OUTPUT_PIXELS, Method, Reconstruction, Snapshot
from cellstorm_server.viewers import View

_MAX_BYTES: Final = 4 * MAX_OUTPUT_PIXELS
"""One of the largest that are drawn, or ten of a usual region."""
_MAX_IMAGES: Final = 64


class GrowingImage:
    """A reconstruction that remembers how many commits are drawn in it."""

    def __init__(self, blank: Reconstruction) -> None:
        self._reconstruction = blank
        self._drawn = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        return self._reconstruction.image.nbytes

    def caught_up_with(self, view: View, *, grows_on: bool = True) -> Snapshot:
        """Blocks. The image of a view, or of more if another thread was quicker."""
        with self._lock:
            for commit in view.commits[self._drawn :]:
                self._reconstruction.add(commit.table)
                self._drawn += 1
            return self._reconstruction.snapshot(copy=grows_on)


class GrowingImages:
    """Those that were asked for last, of all acquisitions that are followed."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, tuple[str, int], Method, float], GrowingImage] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Of all together."""
        return sum(image.nbytes for image in self._kept.values())

    def of(self, view: View, method: Method, output_pixel_nm: float) -> GrowingImage:
        """The one that earlier views were drawn in; of all, those that were not asked for of late give way.

        Raises
        ------
        ResultNotReady
            Before the first frame.
        InvalidSetting
            If the image would be too large.
        """
        key = (view.acquisition.id, view.beginning, method, output_pixel_nm)
        image = self._kept.pop(key, None) or GrowingImage(blank_image(view, method, output_pixel_nm))
        if view.commits:  # before, there is no telling what will grow
            self._kept[key] = image
        while len(self._kept) > _MAX_IMAGES or (len(self._kept) > 1 and self.nbytes > self._max_bytes):
            self._kept.popitem(last=False)
        return image

    def forget(self, acquisition_id: str) -> None:
        """It is followed no longer, or begins anew."""
        for key in [key for key in self._kept if key[0] == acquisition_id]:
            del self._kept[key]


def blank_image(view: View, method: Method, output_pixel_nm: float) -> Reconstruction:
    """Of an acquisition's size.

    Raises
    ------
    ResultNotReady
        Before the first frame.
    InvalidSetting
        If the image would be too large.
    """
    acquisition = view.acquisition
    if acquisition.roi is None:
        raise ResultNotReady("no frame has come yet; the image is there with the first ones")
    roi, pixel_size_nm = acquisition.roi, acquisition.settings.pixel_size_nm
    return Reconstruction(roi.width, roi.height, pixel_size_nm, output_pixel_nm, method)
