"""`calibrate`: a camera's gain, offset and read noise, from a bright and a dark recording."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from cellstorm.analysis.photon_transfer import PhotonTransfer, measure_camera
from cellstorm.camera import Camera
from cellstorm.chunks import Counts
from cellstorm.decoding import decode
from cellstorm.results.plot import FULL_WIDTH, Axis, Plot
from cellstorm.roi import RegionOfInterest
from cellstorm.sources import open_source
from cellstorm.writing import writing_to
from cellstorm_cli import options

CALIBRATION: Final = "calibration.json"
CURVE: Final = "photon_transfer.svg"

_SMOOTHED: Final = 0.05
"""Of the dark recording's blocks, that stand still: more, and its noise is the codec's rather than the camera's."""
_LOOK: Final = (
    "<style>text{font:11px sans-serif}.line,.mark,.axis,.grid{fill:none;stroke:#888}"
    ".line.one{stroke:#06c}.line.two{stroke:#c40}text.one{fill:#06c}text.two{fill:#c40}</style>"
)


def calibrate(
    bright: Annotated[
        Path, typer.Argument(help="Of something still, out of focus, with bright and dim parts; some seconds.")
    ],
    dark: Annotated[Path, typer.Option(help="The same settings, with the lens covered; some seconds.")],
    roi: options.Roi = None,
    out: Annotated[Path | None, typer.Option("--out", help=f"Folder for {CALIBRATION} and {CURVE}.")] = None,
    json: options.Json = False,
) -> None:
    """Measure a camera's gain, offset and read noise by photon transfer."""
    found = measure_camera(_counts(bright, roi), _counts(dark, roi))
    camera = found.camera
    told = {
        **camera.model_dump(exclude={"calibrated"}),
        "gain_error": found.gain_error,
        "linear_until": found.linear_until,
        "dark_frozen": found.dark_frozen,
        "mean": found.mean.tolist(),
        "variance": found.variance.tolist(),
    }
    if out is not None:
        with writing_to(out):
            out.mkdir(parents=True, exist_ok=True)
            (out / CALIBRATION).write_text(jsonlib.dumps(told, indent=2) + "\n", encoding="utf-8")
            (out / CURVE).write_text(_curve(found), encoding="utf-8")
    if json:
        print(jsonlib.dumps(told))
        return
    print(
        f"gain {camera.gain:.3g} ± {found.gain_error:.1g} e-/count, offset {camera.offset:.3g} counts, "
        f"read noise {camera.read_noise:.3g} e-; linear up to {found.linear_until:.0f} counts"
    )
    if found.dark_frozen > _SMOOTHED:
        Console(stderr=True).print(
            f"{found.dark_frozen:.0%} of the dark recording stands still from frame to frame: a codec has smoothed it, and "
            "the read noise is larger than this",
            highlight=False,
        )
    print(f"use it with: --camera {_as_option(camera)}")


def _counts(recording: Path, roi: str | None) -> Iterator[Counts]:
    """What `reconstruct` would see of it, chunk by chunk."""
    source = open_source(recording)
    region = RegionOfInterest.default(*source.frame_size) if roi is None else RegionOfInterest.parse(roi)
    region.check_inside(*source.frame_size)
    for chunk in source.chunks():
        yield decode(chunk, region)


def _as_option(camera: Camera) -> str:
    """As --camera takes it."""
    return f"gain={camera.gain:.4g},offset={camera.offset:.4g},read_noise={camera.read_noise:.4g}"


def _curve(found: PhotonTransfer) -> str:
    """Variance over mean, and the line that was found."""
    camera = found.camera
    line = (found.mean - camera.offset) / camera.gain + (camera.read_noise / camera.gain) ** 2
    mean, highest = found.mean.tolist(), float(max(found.variance.max(), line.max()))
    axes = Axis.around(0.0, mean[-1], 6), Axis.around(0.0, highest, 4)
    plot = Plot(*axes, "mean / counts", "variance / counts²", width=FULL_WIDTH)
    plot.line(mean, line.tolist(), "two")
    plot.line(mean, found.variance.tolist(), "one")
    plot.mark_x(found.linear_until, "linear until here")
    plot.legend([("measured", "one"), ("photon transfer", "two")])
    svg = plot.svg("Variance of counts over their mean")
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f">{_LOOK}", 1)
