"""Real recordings, whose truth nobody knows: how much of what a program sees in the camera's frames it still sees through H.264.

python -m benchmarks.real make FOLDER REAL        frames of REAL's recordings as they are and as a phone would send them, NAME.KIND.tif
PYTHON -m benchmarks.unseen picasso FOLDER        with a Python that has picassosr: its localizations
python -m benchmarks.real compare FOLDER          a table of both, in Markdown

REAL is the folder of recordings that others published (`../shared/real`). Each program is compared with itself: its
localizations in compressed frames with its own in the camera's, matched within 100 nm at 100 nm pixels. Picasso's threshold
for the camera's frames is the one that gives as many localizations as ours, and for compressed ones the one with the best
agreement, which nobody knows beforehand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from cellstorm.localizations import Localizations
    from cellstorm.scoring import Score

_RECORDINGS: Final = {
    "af647": "af647_pmhc_10x128x128.tif",
    "dstorm": "dstorm_5x128x128.tif",
    "background": "storm_background_5x256x256.tif",
}
_CRFS: Final = (18, 23, 28)
_RAW: Final = "raw"
_DARKEST: Final = 16  # of 8 bits, as limited-range video has it
_BRIGHTEST: Final = 231
_SPREAD_OVER: Final = (0.1, 99.99)  # percentiles of the counts
_TOLERANCE_NM: Final = 100.0
_PIXEL_SIZE_NM: Final = 100.0
_METHOD: Final = "gausslq"  # its other one differs by a hundredth
_GRADIENTS: Final = np.geomspace(60, 20_000, 80)


def make(folder: Path, real: Path) -> None:
    """The camera's frames, and what is left of them after 8 bits and x264."""
    import tifffile

    from cellstorm_models.compression import Compression, compress

    folder.mkdir(parents=True, exist_ok=True)
    for name, file in _RECORDINGS.items():
        counts = tifffile.imread(real / file)
        darkest, brightest = np.percentile(counts, _SPREAD_OVER)
        grey = _DARKEST + (counts - darkest) / (brightest - darkest) * (_BRIGHTEST - _DARKEST)
        eight_bits = np.clip(grey, 0, 255).round().astype(np.uint8)
        kinds = {_RAW: counts, **{f"crf{crf}": compress(eight_bits, Compression(crf=crf)) for crf in _CRFS}}
        for kind, frames in kinds.items():
            tifffile.imwrite(folder / f"{name}.{kind}.tif", frames, photometric="minisblack")


def compare(folder: Path) -> None:
    """Prints a row for each recording, compression and program."""
    print("| recording | frames | | localizations | seen again | new | moved by, RMS |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in _RECORDINGS:
        ours = {kind: _ours(folder / f"{name}.{kind}.tif") for kind in _kinds()}
        theirs = _as_many(folder / f"{name}.{_RAW}.{_METHOD}.npz", len(ours[_RAW]))
        print(f"| {name} | as the camera gave them | both | {len(theirs)} | | | |")
        for kind in _kinds()[1:]:
            at_each = _at_each_threshold(folder / f"{name}.{kind}.{_METHOD}.npz")
            best = max((_again(table, theirs) for table in at_each), key=lambda score: score.jaccard)
            for program, score in (("`default`", _again(ours[kind], ours[_RAW])), ("Picasso", best)):
                print(
                    f"| {name} | 8 bits, {kind.upper()} | {program} | {score.matched + score.spurious} | "
                    f"{score.recall:.0%} | {1 - score.detection_precision:.0%} | {score.rmse_lateral_nm or 0:.0f} nm |"
                )


def _kinds() -> list[str]:
    return [_RAW, *(f"crf{crf}" for crf in _CRFS)]


def _ours(frames: Path) -> Localizations:
    import tifffile

    from cellstorm import zoo
    from cellstorm_models.evaluation.exported import ExportedGenerator

    entry = zoo.entry("default")
    return ExportedGenerator(entry.weights_path()).localize(tifffile.imread(frames), entry.spec)


def _again(table: Localizations, reference: Localizations) -> Score:
    """`reference` taken for the truth."""
    from cellstorm.scoring import TRUTH, score

    truth = np.zeros(len(reference), TRUTH)
    for column in ("frame", "x_nm", "y_nm", "photons"):
        truth[column] = reference[column]
    truth["on"] = 1.0
    return score(table, truth, _TOLERANCE_NM)


def _as_many(path: Path, count: int) -> Localizations:
    """The `count` localizations of the steepest gradients."""
    found = np.load(path)
    steepest = np.sort(found["net_gradient"])[::-1]
    return _picassos(found, steepest[min(count, len(steepest)) - 1])


def _at_each_threshold(path: Path) -> Iterator[Localizations]:
    found = np.load(path)
    return (_picassos(found, least) for least in _GRADIENTS)


def _picassos(found: Any, least: float) -> Localizations:  # noqa: ANN401  # an NpzFile
    from cellstorm.localizations import LOCALIZATION

    kept = found["net_gradient"] >= least
    table = np.zeros(int(kept.sum()), LOCALIZATION)
    table["frame"], table["photons"] = found["frame"][kept], found["photons"][kept]
    table["x_nm"], table["y_nm"] = found["x"][kept] * _PIXEL_SIZE_NM, found["y"][kept] * _PIXEL_SIZE_NM
    return table[np.argsort(table["frame"], kind="stable")]


def main(arguments: Sequence[str]) -> None:
    """As the module says."""
    match arguments:
        case ["make", folder, real]:
            make(Path(folder), Path(real))
        case ["compare", folder]:
            compare(Path(folder))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
