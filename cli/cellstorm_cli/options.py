"""Options that several commands share: one definition each, in the names of DESIGN and of AcquisitionSettings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from cellstorm.acquisitions import LEAST_THRESHOLD, LONGEST_NAME, MOST_THRESHOLD, AcquisitionSettings
from cellstorm.camera import PRESETS
from cellstorm.errors import InvalidSetting, NotAllowed, in_words
from cellstorm.file_names import readable_name
from cellstorm.settings import Settings

PixelSize = Annotated[float, typer.Option("--pixel-size", metavar="NM", help="Camera pixel in the sample plane.")]
Model = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Generator, by its name in the zoo.")]
Roi = Annotated[
    str | None,
    typer.Option("--roi", metavar="X,Y,W,H", help="Region of interest; else the centred 512x512 or a smaller frame."),
]
Frames = Annotated[str | None, typer.Option("--frames", metavar="A:B", help="Frames A to B-1 only, counted from 0.")]
CameraOption = Annotated[
    str | None,
    typer.Option(
        "--camera",
        metavar="NAME|gain=…,offset=…,read_noise=…",
        help=f"A preset ({', '.join(PRESETS)}), or e-/count, counts and e- (cellstorm calibrate measures them).",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=LEAST_THRESHOLD,
        max=MOST_THRESHOLD,
        help="Of the probability; else the generator's own, by what the video shows.",
    ),
]
FrameRate = Annotated[
    float | None,
    typer.Option(
        "--frame-rate",
        metavar="FPS",
        min=0.001,
        help="Frames per second of a recording that holds no times, as most TIFF stacks; else its rates stay unknown.",
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format", metavar="NAME", help="Beside the usual files: parquet, ozx (OME-Zarr) or 16bit; may be named again."
    ),
]
Name = Annotated[str | None, typer.Option("--name", help="Of the acquisition, for people.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout, and nothing else there.")]
Server = Annotated[str, typer.Option("--server", metavar="URL", help="Address of the gateway.")]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="CELLSTORM_ADMIN_TOKEN",
        help="The admin's, printed when the server first started; else read from CELLSTORM_DATA, on the server itself.",
    ),
]

DEFAULT_PIXEL_SIZE_NM = 100.0


def find_token(given: str | None) -> str:
    """The token that was given, or the one that a gateway of this user keeps on this machine.

    Raises
    ------
    NotAllowed
        If there is neither.
    """
    if given:
        return given
    try:
        return Settings.load().admin_token_file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise NotAllowed("this needs the admin's token; give --token, or set CELLSTORM_ADMIN_TOKEN") from error


def name_of(file: Path) -> str | None:
    """Of what a recording becomes where nobody has named it; None where the file has no name, as `.`."""
    return Path(readable_name(file)).stem[:LONGEST_NAME] or None


def acquisition_settings(
    *,
    name: str | None,
    pixel_size_nm: float,
    model: str | None,
    roi: str | None,
    frames: str | None,
    camera: str | None,
    threshold: float | None = None,
    frame_rate: float | None = None,
) -> AcquisitionSettings:
    """What the options say; those that were not given have their defaults.

    Raises
    ------
    InvalidSetting
        Naming the first option that is wrong.
    """
    given = {
        "name": name,
        "pixel_size_nm": pixel_size_nm,
        "model": model,
        "roi": roi,
        "frames": frames,
        "camera": camera,
        "threshold": threshold,
        "frame_rate": frame_rate,
    }
    try:
        return AcquisitionSettings.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = {"pixel_size_nm": "pixel-size", "frame_rate": "frame-rate"}.get(
            str(first["loc"][0]), str(first["loc"][0])
        )
        raise InvalidSetting(f"--{option}: {in_words(first['msg'])}") from error
