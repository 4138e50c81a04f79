"""Videos and their truths: which belongs to which."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cellstorm.errors import InvalidInput
from cellstorm.roi import RegionOfInterest
from cellstorm.scoring import Truth, read_truth

_BENCH_NAME: Final = re.compile(r"p(\d+)_(\w+)")
MAX_Y_NM: Final = {"chromium": 23_700.0, "browser": 49_300.0}
"""Of the bench's stream and that of benchmarks/unseen.py: farther below lies a barcode."""
_TO_BARCODE_NM: Final = 300.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A video and the table of what was really there.

    Attributes
    ----------
    max_y_nm
        Below it nothing is scored, for there is something that is no sample; None for the whole image.
    """

    video: Path
    truth: Path
    pixel_size_nm: float
    max_y_nm: float | None = None

    @property
    def name(self) -> str:
        return self.video.stem

    @property
    def photons(self) -> float | None:
        """Of an emitter that is on throughout a frame, where the name says it, as in `p500_crf23`."""
        named = _BENCH_NAME.fullmatch(self.name)
        return float(named[1]) if named else None

    @property
    def compression(self) -> str:
        """As the name says it; else the name itself."""
        named = _BENCH_NAME.fullmatch(self.name)
        return named[2] if named else self.name

    def region(self, width_px: int, height_px: int) -> RegionOfInterest:
        """What is localized of a frame, as a user would choose it: the sample. Each edge of a barcode looks like a molecule."""
        if self.max_y_nm is not None:
            height_px = min(height_px, round((self.max_y_nm + _TO_BARCODE_NM) / self.pixel_size_nm))
        return RegionOfInterest(x=0, y=0, width=width_px, height=height_px)

    def read_truth(self) -> Truth:
        """The table.

        Raises
        ------
        InvalidInput
            If it cannot be read.
        """
        try:
            return read_truth(self.truth)
        except OSError as error:
            raise InvalidInput(f"{self.truth.name} cannot be read ({error.strerror}); check its name") from error
        except ValueError as error:
            raise InvalidInput(
                f"{self.truth.name} is not a truth table: each line must hold frame, x_nm, y_nm, photons and on"
            ) from error


def bench_pairs(folder: Path, pixel_size_nm: float) -> list[Pair]:
    """All videos of a folder: `NAME.mp4` with `NAME.csv`, `p500_crf23.mp4` with `p500.csv`, or `simulate`'s video.mp4 with truth.csv.

    Raises
    ------
    InvalidInput
        If it holds no video, or one without a truth.
    """
    videos = sorted(folder.glob("*.mp4"))
    if not videos:
        raise InvalidInput(f"{folder.name} holds no .mp4; name a folder of videos with their truths")
    pairs = []
    for video in videos:
        named = _BENCH_NAME.fullmatch(video.stem)
        names = [f"{video.stem}.csv", *([f"p{named[1]}.csv"] if named else [])]
        if video.stem == "video":
            names.append("truth.csv")
        truth = next((folder / name for name in names if (folder / name).is_file()), None)
        if truth is None:
            raise InvalidInput(f"{video.name} has no truth; put {' or '.join(names)} beside it")
        pairs.append(Pair(video, truth, pixel_size_nm, MAX_Y_NM.get(video.stem)))
    return pairs


def named_pairs(videos: list[Path], truths: list[Path], pixel_sizes_nm: list[float]) -> list[Pair]:
    """Videos and truths as they were named one after another; one pixel size may stand for all.

    Raises
    ------
    InvalidInput
        If their numbers differ or a truth is not there.
    """
    if len(videos) != len(truths):
        raise InvalidInput(f"{len(videos)} videos and {len(truths)} truths: name one --truth for each --video")
    if len(pixel_sizes_nm) == 1:
        pixel_sizes_nm = pixel_sizes_nm * len(videos)
    if len(pixel_sizes_nm) != len(videos):
        raise InvalidInput(f"{len(videos)} videos and {len(pixel_sizes_nm)} pixel sizes: name one, or one for each")
    for truth in truths:
        if not truth.is_file():
            raise InvalidInput(f"there is no truth {truth.name}; name the CSV of what was really in the video")
    return [Pair(*each) for each in zip(videos, truths, pixel_sizes_nm, strict=True)]
