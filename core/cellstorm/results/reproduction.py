"""The same table again: what a report must say for it, and whether what is at hand is what the report speaks of.

A table follows from the video's bytes, the generator's weights and the settings, and from nothing else: neither from the
number of threads or workers, nor from whether the video came live. Other versions of what decodes, infers and fits may
differ in last bits; the report names them, and a difference is told.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from cellstorm.acquisitions import STORED, AcquisitionSettings
from cellstorm.camera import Camera
from cellstorm.errors import InvalidInput, InvalidVideo, ModelUnavailable
from cellstorm.generator import GeneratorSpec
from cellstorm.results.report import Report
from cellstorm.roi import RegionOfInterest
from cellstorm.sources.members import folder_members

_DECIDING: Final = ("cellstorm", "av", "numpy", "onnxruntime", "onnxruntime-gpu", "scipy", "imagecodecs", "tifffile")
"""Packages on which the bits of a table depend."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a report tells of how its table was made.

    Attributes
    ----------
    file_name, file_sha256
        Of the video or TIFF stack.
    """

    settings: AcquisitionSettings
    generator: GeneratorSpec
    file_name: str
    file_sha256: str
    versions: dict[str, str]

    def check_file(self, path: Path) -> None:
        """Nothing, if `path` is the file that was reconstructed.

        Raises
        ------
        InvalidVideo
            If it cannot be read or is another.
        """
        if sha256_of(path) != self.file_sha256:
            raise InvalidVideo(
                f"{path.name} is not the file that the report speaks of ({self.file_name}, SHA-256 {self.file_sha256[:12]}…); "
                "find that one, or leave out --from"
            )

    def check_generator(self, spec: GeneratorSpec) -> None:
        """Nothing, if the generator at hand is the one that was used, whatever it is called now.

        Raises
        ------
        ModelUnavailable
            If its weights, or what its package says of them, are others.
        """
        if spec.model_copy(update={"name": self.generator.name}) == self.generator:
            return
        mine, theirs = (f"{each.version} ({each.digests})" for each in (spec, self.generator))
        raise ModelUnavailable(
            f"model {spec.name} is {mine} here, but the report was made with {theirs}; install that one "
            "(CELLSTORM_ZOO), or leave out --from"
        )

    @property
    def other_versions(self) -> dict[str, tuple[str, str]]:
        """Packages that are not as they were: theirs and ours."""
        ours = versions()
        return {
            name: (theirs, ours.get(name, "not there"))
            for name, theirs in self.versions.items()
            if ours.get(name) != theirs
        }


def read_recipe(path: Path) -> Recipe:
    """The recipe in a report.json.

    Raises
    ------
    InvalidInput
        If it is none, or one of a version that did not tell enough.
    """
    try:
        report = Report.model_validate_json(path.read_bytes(), context=STORED)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror}); check its name and permissions") from error
    except ValidationError as error:
        raise InvalidInput(f"{path.name} is not a report of this version of cellSTORM; give a report.json") from error
    name, digest = report.source.get("file"), report.source.get("sha256")
    if report.settings is None or not isinstance(name, str) or not isinstance(digest, str):
        raise InvalidInput(
            f"{path.name} does not tell its settings and its file's SHA-256; it was written by an older version"
        )
    return Recipe(report.settings, report.generator, name, digest, report.versions)


def in_effect(settings: AcquisitionSettings, roi: RegionOfInterest, camera: Camera) -> AcquisitionSettings:
    """The settings with what they left to be found out."""
    return settings.model_copy(update={"roi": roi, "camera": camera})


def sha256_of(path: Path) -> str:
    """Of a file's bytes; of a folder, of its TIFF files' names and bytes in their order.

    Raises
    ------
    InvalidVideo
        If it cannot be read.
    """
    if path.is_dir():
        each = [f"{sha256_of(member.path)}  {member.name}\n" for member in folder_members(path)]
        return hashlib.sha256("".join(each).encode()).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidVideo(f"{path.name} cannot be read ({error.strerror}); check its name and permissions") from error


def versions() -> dict[str, str]:
    """Of the packages that decide a table's bits, those that are there, and of the machine's kind."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in _DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # onnxruntime is a worker's, and either for processors or for GPUs
            continue
    return found
