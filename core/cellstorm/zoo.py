"""The generators that are there, and whether their weights are what was published.

Each lies in a folder of its name, as a bioimage.io package: rdf.yaml, whose `config.cellstorm` holds the GeneratorSpec,
and weights.onnx. One without a network has no weights; to bioimage.io it is an application, the others are models.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from pydantic import ValidationError

from cellstorm.errors import ModelUnavailable
from cellstorm.generator import GeneratorSpec

WEIGHTS: Final = "weights.onnx"
DESCRIPTION: Final = "rdf.yaml"
CARD: Final = "README.md"


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """One generator's folder and what it promises."""

    folder: Path
    spec: GeneratorSpec

    def check(self) -> None:
        """Nothing, if its weights are the published ones, or it needs none; else raises as `weights_path` does."""
        if self.spec.sha256 is not None:
            self.weights_path()

    def weights_path(self) -> Path:
        """Of the ONNX file, after its SHA-256 was compared.

        Raises
        ------
        ModelUnavailable
            If the file is missing or is not the published one, or the generator has no network.
        """
        path = self.folder / WEIGHTS
        try:
            with path.open("rb") as weights:
                digest = hashlib.file_digest(weights, "sha256").hexdigest()
        except OSError as error:
            raise ModelUnavailable(f"model {self.spec.name} has no readable {WEIGHTS}; fetch it again") from error
        if digest != self.spec.sha256:
            raise ModelUnavailable(f"{WEIGHTS} of model {self.spec.name} is not the published file; fetch it again")
        return path

    def card(self) -> str:
        """What people should know of it, Markdown; "" where nobody wrote it."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def zoo_folder(folder: Path | None = None) -> Path:
    """`folder`, or where this installation keeps its generators."""
    if folder is not None:
        return folder
    package = Path(__file__).resolve().parent
    in_wheel = package / "zoo"
    return in_wheel if in_wheel.is_dir() else package.parent.parent / "models" / "zoo"


def entries(folder: Path | None = None) -> list[ZooEntry]:
    """All generators, by name.

    Raises
    ------
    ModelUnavailable
        If one's description cannot be read.
    """
    found = sorted(zoo_folder(folder).glob(f"*/{DESCRIPTION}"))
    return [_read(path.parent) for path in found]


def entry(name: str, folder: Path | None = None) -> ZooEntry:
    """The generator of that name.

    Raises
    ------
    ModelUnavailable
        If there is none, or its description cannot be read.
    """
    # the name may come from a stranger: it is compared, never made into a path
    there = {path.parent.name: path.parent for path in zoo_folder(folder).glob(f"*/{DESCRIPTION}")}
    if name not in there:
        known = ", ".join(sorted(there)) or f"none in {zoo_folder(folder).name}"
        raise ModelUnavailable(f"there is no model {name!r}; choose one of: {known}")
    return _read(there[name])


def name_of(spec: GeneratorSpec, folder: Path | None = None) -> str:
    """Under which name that very generator is here, for releases are renamed; its own where it is not here at all."""
    names = [each.spec.name for each in entries(folder) if each.spec.model_copy(update={"name": spec.name}) == spec]
    return spec.name if spec.name in names or not names else names[0]


def weights_path(name: str, folder: Path | None = None) -> Path:
    """Of the named generator's ONNX file, verified; raises as `entry` and `ZooEntry.weights_path` do."""
    return entry(name, folder).weights_path()


def _read(folder: Path) -> ZooEntry:
    try:
        description = yaml.safe_load((folder / DESCRIPTION).read_text(encoding="utf-8"))
        spec = GeneratorSpec.model_validate(description["config"]["cellstorm"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise ModelUnavailable(f"{DESCRIPTION} of model {folder.name} is not that of a cellSTORM generator") from error
    if spec.name != folder.name:
        raise ModelUnavailable(f"model folder {folder.name} holds model {spec.name}; rename the folder to {spec.name}")
    return ZooEntry(folder, spec)
