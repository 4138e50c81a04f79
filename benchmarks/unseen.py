"""Recordings that nothing was tuned on, and what Picasso reaches on them: other seeds, samples, spots, cameras and encoders.

python -m benchmarks.unseen make FOLDER        videos NAME.mp4 with truth NAME.csv; frames as NAME.tif, for other programs
python -m benchmarks.unseen film FOLDER        likewise `browser`: what Chromium sends over WebRTC, filmed on the real page
PYTHON -m benchmarks.unseen picasso FOLDER     with a Python that has picassosr: its localizations as NAME.METHOD.npz
python -m benchmarks.unseen score FOLDER       the best of Picasso's thresholds for each video, as peers.csv

`cellstorm evaluate --bench FOLDER --peers FOLDER/peers.csv` then compares. Picasso brings a desktop toolkit and older versions of
what we use, so it lives in an environment of its own; it needs nothing of ours.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from cellstorm.scoring import Truth
    from cellstorm_models.compression import Compression
    from cellstorm_models.simulation import SimulationConfig

_SERIES: Final = 2
"""Of seeds. Once a choice was made by what generators do on one series, the next is the one that nothing was tuned on."""
_FRAMES: Final = 300
_SIDE_PX: Final = 128
_PIXEL_SIZE_NM: Final = 100.0
_BORDER_NM: Final = 300.0
_BAR_PX: Final = 16
"""Of a filmed frame's lowest rows, which carry its number."""
_LEAST_GRADIENT: Final = 60
_GRADIENTS: Final = np.geomspace(_LEAST_GRADIENT, 4000, 60)
_BOX_PX: Final = 7
_OTHER_CODECS: Final = {
    "libx265": {"crf": "24", "preset": "fast", "x265-params": "pools=1:frame-threads=1:log-level=none"},
    "libvpx-vp9": {"crf": "24", "b": "0"},
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One recording: what is imaged, and what encodes it."""

    seed: int
    simulation: SimulationConfig
    encoder: Compression | str  # or another codec's name, as PyAV knows it


def samples() -> dict[str, Sample]:
    """By name; each differs from the bench in several ways at once."""
    from cellstorm_models.compression import Compression
    from cellstorm_models.image_processor import ImageProcessor
    from cellstorm_models.instability import Instability
    from cellstorm_models.optics import Optics
    from cellstorm_models.simulation import SimulationConfig

    base = SimulationConfig(frames=_FRAMES, width=_SIDE_PX, height=_SIDE_PX)
    tilted = Optics(axis_ratio=1.15, angle=0.7, depth_spread=0.15)
    phone = ImageProcessor(denoise=0.5, sharpen=0.4, gamma=0.9)
    low_rate = Compression(bits_per_pixel=0.1, key_interval=20, preset="veryfast", low_latency=True, baseline=True)
    return _grid(base) | {
        "rings": Sample(
            101,
            replace(base, structure="rings", photons=500, psf_sigma_px=1.1, gain=0.4, read_noise=1.5, offset=10),
            Compression(crf=21, key_interval=50, preset="fast"),
        ),
        "filaments": Sample(
            102,
            replace(
                base, structure="filaments", photons=1000, psf_sigma_px=1.7, background_photons=25, photon_spread=0.4
            ),
            Compression(bits_per_pixel=0.15, key_interval=20, preset="veryfast"),
        ),
        "sparse": Sample(
            103,
            replace(base, structure="uniform", photons=300, psf_sigma_px=1.3, emitters_per_frame=4, on_time_frames=1.2),
            Compression(crf=24, key_interval=60),
        ),
        "dense": Sample(
            104,
            replace(base, structure="star", photons=800, psf_sigma_px=1.2, emitters_per_frame=35, photon_spread=0.3),
            Compression(crf=20),
        ),
        "dim": Sample(
            105,
            replace(base, structure="filaments", photons=150, psf_sigma_px=1.4, background_photons=6, read_noise=1.2),
            Compression(crf=19),
        ),
        "live": Sample(106, replace(base, structure="rings", photons=700, psf_sigma_px=1.5, gain=1.0), low_rate),
        "phone": Sample(
            107,
            replace(
                base,
                structure="filaments",
                photons=900,
                psf_sigma_px=1.4,
                background_structure=0.3,
                vignetting=0.3,
                optics=tilted,
                processor=phone,
                instability=Instability(light=-0.2, background=0.3),
            ),
            Compression(bits_per_pixel=0.27, key_interval=30),
        ),
        "faint": Sample(
            111,
            replace(
                base, structure="rings", photons=120, psf_sigma_px=1.25, background_photons=7, gain=0.5, read_noise=1.8
            ),
            Compression(crf=22, scene_cuts=True),
        ),
        "pressed": Sample(
            112,
            replace(base, structure="filaments", photons=800, psf_sigma_px=1.5, background_photons=12, gain=0.6),
            Compression(crf=30, scene_cuts=True),
        ),
        "hevc": Sample(108, replace(base, structure="filaments", photons=600, psf_sigma_px=1.35), "libx265"),
        "vp9": Sample(109, replace(base, structure="star", photons=600, psf_sigma_px=1.35), "libvpx-vp9"),
    }


def _grid(base: SimulationConfig) -> dict[str, Sample]:
    """The bench's photons and qualities again; x264 begins anew where it takes noise for a cut, as it does unless told not to."""
    from cellstorm_models.compression import Compression

    qualities = {f"crf{crf}": Compression(crf=crf, scene_cuts=True) for crf in (18, 23, 28, 33)}
    qualities["bitrate"] = Compression(bits_per_pixel=0.27, scene_cuts=True)
    other = replace(
        base, structure="filaments", psf_sigma_px=1.3, gain=0.6, offset=6, read_noise=2, background_photons=9
    )
    return {
        f"p{photons}_{name}": Sample(120 + number, replace(other, photons=photons), encoder)
        for number, photons in enumerate((100, 500, 1000))
        for name, encoder in qualities.items()
    }


def make(folder: Path) -> None:
    """Videos, their truth, and their frames as arrays."""
    import tifffile

    from cellstorm.scoring import write_truth
    from cellstorm_models.compression import read_luma, write_mp4, write_video
    from cellstorm_models.simulation import simulate

    folder.mkdir(parents=True, exist_ok=True)
    for name, sample in samples().items():
        recording = simulate(sample.simulation, np.random.default_rng([_SERIES, sample.seed]))
        video = folder / f"{name}.mp4"
        counts = recording.counts.astype(np.uint8)
        if isinstance(sample.encoder, str):
            write_video(video, counts, sample.encoder, _OTHER_CODECS[sample.encoder])
        else:
            write_mp4(video, counts, sample.encoder)
        write_truth(folder / f"{name}.csv", recording.truth)
        tifffile.imwrite(folder / f"{name}.tif", read_luma(video), photometric="minisblack")


def film(folder: Path) -> None:
    """What a browser makes of a simulated sample at 512x512: each frame carries its number, which tells what was there."""
    import tifffile

    from benchmarks.filming import bench, press_film, stop_film, write_y4m
    from cellstorm.scoring import write_truth
    from cellstorm_models.compression import read_luma
    from cellstorm_models.simulation import SimulationConfig, simulate

    config = SimulationConfig(
        frames=_FRAMES,
        width=512,
        height=512,
        structure="filaments",
        photons=500,
        psf_sigma_px=1.3,
        emitters_per_frame=200,
    )
    recording = simulate(config, np.random.default_rng([_SERIES, 110]))
    counts = recording.counts.astype(np.uint8)
    for number, frame in enumerate(counts):
        frame[-_BAR_PX:] = _bar(number, config.width)
    folder.mkdir(parents=True, exist_ok=True)
    with bench(write=lambda path: write_y4m(path, counts)) as made:
        page = made.phone()
        page.goto(made.join_address())
        acquisition_id = press_film(page)
        made.wait(acquisition_id, "frames_received", _FRAMES)
        stop_film(page)
        made.wait_over(acquisition_id)
        archive = made.http.get(f"/acquisitions/{acquisition_id}/archive.zip").raise_for_status().content
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        name = next(each for each in files.namelist() if each.endswith("video.mp4"))
        (folder / "browser.mp4").write_bytes(files.read(name))
    received = read_luma(folder / "browser.mp4")
    truth = recording.truth[recording.truth["y_nm"] < (config.height - _BAR_PX) * _PIXEL_SIZE_NM]
    numbers = [_number(frame) for frame in received]
    rows = [truth[truth["frame"] == number] for number in numbers]
    seen = np.concatenate(rows)
    seen["frame"] = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    write_truth(folder / "browser.csv", seen)
    tifffile.imwrite(folder / "browser.tif", received, photometric="minisblack")
    print(f"browser: {len(received)} frames, {len(set(numbers))} different ones")


def _bar(number: int, width: int) -> Any:  # noqa: ANN401  # (_BAR_PX, width) uint8
    """A frame's number as black and white blocks, the lowest bit first."""
    bits = [number >> place & 1 for place in range(width // _BAR_PX)]
    return np.kron(np.array([bits]), np.ones((_BAR_PX, _BAR_PX))).astype(np.uint8) * 200 + 20


def _number(frame: Any) -> int:  # noqa: ANN401  # (height, width) uint8
    blocks = frame[-_BAR_PX:].reshape(_BAR_PX, -1, _BAR_PX).mean(axis=(0, 2)) > 120
    return sum(1 << place for place, bit in enumerate(blocks) if bit)


def picasso(folder: Path) -> None:
    """Picasso's own identification and fits, both kinds, at a threshold far too low: others are chosen when scoring."""
    from picasso import io, localize  # type: ignore[import-not-found]

    for frames in sorted(folder.glob("*.tif")):
        movie, _ = io.load_movie(str(frames))
        found = localize.identify(movie, _LEAST_GRADIENT, _BOX_PX, return_info=False)
        camera = {"Baseline": 4.1, "Sensitivity": 0.69, "Gain": 1, "Qe": 1.0, "Pixelsize": _PIXEL_SIZE_NM}
        for method in ("gausslq", "gaussmle"):
            table, _ = localize.fit(
                movie, camera_info=camera, identifications=found, box=_BOX_PX, fitting_method=method, multiprocess=False
            )
            columns = {name: table[name].to_numpy() for name in ("frame", "x", "y", "photons", "lpx", "net_gradient")}
            np.savez(frames.with_suffix(f".{method}.npz"), **columns)
            print(frames.stem, method, len(table), flush=True)


def score_picasso(folder: Path) -> None:
    """For each video and method the threshold with the best Jaccard, which takes the truth to find."""
    from cellstorm.scoring import read_truth
    from cellstorm_models.evaluation.peers import COLUMNS

    with (folder / "peers.csv").open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(COLUMNS)
        for video in sorted(folder.glob("*.mp4")):
            truth = read_truth(video.with_suffix(".csv"))
            for method in ("gausslq", "gaussmle"):
                found = np.load(video.with_suffix(f".{method}.npz"))
                best = max(_scores(found, truth, *_measured_nm(video)), key=lambda row: row[0])
                rows.writerow((f"Picasso {method} oracle-ng", video.stem, *best, "", ""))


def _measured_nm(video: Path) -> tuple[float, float]:
    """Width and height in which localizations count, the border included that is left out."""
    import tifffile

    from cellstorm_models.evaluation.pairs import MAX_Y_NM

    with tifffile.TiffFile(video.with_suffix(".tif")) as frames:
        height, width = frames.pages[0].shape
    height_nm = MAX_Y_NM[video.stem] + _BORDER_NM if video.stem in MAX_Y_NM else (height - 1) * _PIXEL_SIZE_NM
    return (width - 1) * _PIXEL_SIZE_NM, height_nm


def _scores(
    found: Any,  # noqa: ANN401  # an NpzFile
    truth: Truth,
    width_nm: float,
    height_nm: float,
) -> Iterator[tuple[float, float, float, float | None, int]]:
    """Jaccard, detection precision, recall, RMSE and number of localizations at each threshold."""
    from cellstorm.localizations import LOCALIZATION
    from cellstorm.scoring import inside, score

    table = np.zeros(len(found["frame"]), LOCALIZATION)
    table["frame"] = found["frame"]
    table["x_nm"], table["y_nm"] = found["x"] * _PIXEL_SIZE_NM, found["y"] * _PIXEL_SIZE_NM
    table["photons"], table["precision_nm"] = found["photons"], found["lpx"] * _PIXEL_SIZE_NM
    kept_truth = inside(truth, width_nm, height_nm, _BORDER_NM)
    order = np.argsort(table["frame"], kind="stable")
    table, gradient = table[order], found["net_gradient"][order]
    for least in _GRADIENTS:
        kept = inside(table[gradient >= least], width_nm, height_nm, _BORDER_NM)
        found_score = score(kept, kept_truth)
        yield (
            found_score.jaccard,
            found_score.detection_precision,
            found_score.recall,
            found_score.rmse_lateral_nm,
            len(kept),
        )


def main(arguments: Sequence[str]) -> None:
    """As the module says."""
    match arguments:
        case ["make", folder]:
            make(Path(folder))
        case ["film", folder]:
            film(Path(folder))
        case ["picasso", folder]:
            picasso(Path(folder))
        case ["score", folder]:
            score_picasso(Path(folder))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
