"""`simulate`: a recording whose truth is known."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from cellstorm.errors import InvalidSetting
from cellstorm.scoring import write_truth
from cellstorm.writing import check_writable, writing_to
from cellstorm_models.optics import STRAY_SIGMA_PX
from cellstorm_models.structures import STRUCTURES, Structure

if TYPE_CHECKING:
    from cellstorm_models.compression import Compression

_COMPRESSED: Final = "video.mp4"
_UNCOMPRESSED: Final = "video.tif"


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for video.mp4 (or .tif), truth.csv and config.json.")],
    structure: Annotated[str, typer.Option(help=f"What is imaged: {', '.join(STRUCTURES)}.")] = "mixed",
    image: Annotated[Path | None, typer.Option(help="A picture, a logo: molecules where it is bright instead.")] = None,
    frames: Annotated[int, typer.Option(min=1)] = 500,
    size: Annotated[str, typer.Option(help="Width and height in pixels, even.")] = "128,128",
    photons: Annotated[float, typer.Option(min=1.0, help="Of an emitter that is on throughout a frame.")] = 1000.0,
    sigma_px: Annotated[
        float, typer.Option(min=0.5, max=STRAY_SIGMA_PX, help="Width of a spot, one sigma, in pixels.")
    ] = 1.4,
    pixel_size: Annotated[float, typer.Option(min=1.0, help="Camera pixel in the sample, nm.")] = 100.0,
    emitters: Annotated[float, typer.Option(min=0.0, help="That shine in a frame, on average.")] = 17.0,
    bleaching: Annotated[
        float | None,
        typer.Option(min=1.0, help="Frames after which a molecule is gone for good, on average; else never."),
    ] = None,
    background: Annotated[float, typer.Option(min=0.0, help="Photons per pixel.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same recording.")] = 0,
    crf: Annotated[int, typer.Option(min=0, max=51, help="x264's constant rate factor; higher is worse.")] = 18,
    bits_per_pixel: Annotated[float | None, typer.Option(min=0.001, help="Average bitrate, in place of crf.")] = None,
    scene_cuts: Annotated[
        bool, typer.Option(help="x264 may begin anew where it takes blinks for a cut, as it does unless told not to.")
    ] = False,
    uncompressed: Annotated[
        bool, typer.Option(help="The camera's own frames, as video.tif, in place of H.264.")
    ] = False,
) -> None:
    """Simulate a recording of blinking molecules, compressed as a phone does, with its truth."""
    from cellstorm_models import simulation
    from cellstorm_models.compression import Compression

    width, height = _even_size(size)
    config = simulation.SimulationConfig(
        frames=frames,
        width=width,
        height=height,
        pixel_size_nm=pixel_size,
        structure=_structure(structure),
        emitters_per_frame=emitters,
        bleaching_frames=bleaching,
        photons=photons,
        psf_sigma_px=sigma_px,
        background_photons=background,
    )
    compression = None if uncompressed else Compression(crf=crf, bits_per_pixel=bits_per_pixel, scene_cuts=scene_cuts)
    picture = None if image is None else _picture(image)
    check_writable(out)
    recording = simulation.simulate(config, np.random.default_rng(seed), picture)
    settings = {
        "seed": seed,
        "image": image and image.name,
        "simulation": asdict(config),
        "compression": compression and asdict(compression),
    }
    earlier = ", in place of an earlier one" if (out / "config.json").exists() else ""
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        _write_video(out, recording.counts.astype(np.uint8), compression)
        write_truth(out / "truth.csv", recording.truth)
        (out / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"a recording of {frames} frames, its truth and its settings are in {out}{earlier}")


def _write_video(out: Path, counts: NDArray[np.uint8], compression: Compression | None) -> None:
    import tifffile

    from cellstorm_models.compression import write_mp4

    for earlier in (_COMPRESSED, _UNCOMPRESSED):
        (out / earlier).unlink(missing_ok=True)  # of another truth than the new one
    if compression is None:
        tifffile.imwrite(out / _UNCOMPRESSED, counts, photometric="minisblack")
    else:
        write_mp4(out / _COMPRESSED, counts, compression)


def _picture(path: Path) -> NDArray[np.float64]:
    """(rows, columns) brightness; what is transparent is dark."""
    try:
        with Image.open(path) as picture:
            on_black = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture.convert("RGBA"))
    except OSError as error:
        raise InvalidSetting(f"{path.name} is no picture that can be read; give a PNG or JPEG") from error
    brightness = np.asarray(on_black.convert("L"), np.float64)
    if not brightness.any():
        raise InvalidSetting(f"{path.name} is all black; molecules are put where a picture is bright: invert it")
    return brightness


def _even_size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidSetting(f"size {text!r} must be W,H in pixels, for example 128,128") from error
    if min(width, height) < 16 or width % 2 or height % 2:
        raise InvalidSetting(f"size {text!r}: H.264 needs an even width and height, at least 16 here")
    return width, height


def _structure(name: str) -> Structure:
    for structure in STRUCTURES:
        if structure == name:
            return structure
    raise InvalidSetting(f"there is no structure {name!r}; choose one of {', '.join(STRUCTURES)}")
