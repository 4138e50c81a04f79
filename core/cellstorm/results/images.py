"""Images as OME-TIFF, which Fiji, napari and Avivator open with their scale."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

_NM_PER_CM: Final = 1e7


def write_reconstruction(destination: Path | BinaryIO, image: NDArray[np.float32], output_pixel_nm: float) -> None:
    """Write a (height, width) reconstruction, localizations per output pixel."""
    _write(destination, image, output_pixel_nm, "reconstruction")


def write_widefield(
    destination: Path | BinaryIO, widefield: NDArray[np.floating] | NDArray[np.integer], pixel_size_nm: float
) -> None:
    """Write the (height, width) sum of all frames, counts, as float32.

    ImageJ has no whole numbers of 32 bits, and 16 bits overflow after 257 frames. A float32 is exact up to 2^24 and
    beyond it errs by 6 parts in 10^8.
    """
    _write(destination, widefield.astype(np.float32), pixel_size_nm, "widefield")


def _write(destination: Path | BinaryIO, image: NDArray[np.float32], pixel_nm: float, name: str) -> None:
    metadata = {
        "axes": "YX",
        "Name": name,
        "PhysicalSizeX": pixel_nm,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": pixel_nm,
        "PhysicalSizeYUnit": "nm",
    }
    tifffile.imwrite(
        destination,
        np.ascontiguousarray(image),
        ome=True,
        photometric="minisblack",
        compression="zlib",  # every reader has it
        compressionargs={"level": 1},
        resolution=(_NM_PER_CM / pixel_nm, _NM_PER_CM / pixel_nm),  # for ImageJ without Bio-Formats
        resolutionunit="CENTIMETER",
        metadata=metadata,
    )
