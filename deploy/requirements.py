"""Prints what pyproject.toml asks for, so that an image's dependencies get a layer of their own.

requirements.py EXTRA…          what everything needs, and what these extras add
requirements.py --only EXTRA…   these extras alone
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: Path, extras: list[str], *, base: bool) -> list[str]:
    """One requirement per entry, as pip reads them."""
    project = tomllib.loads(pyproject.read_text())["project"]
    groups = ([project["dependencies"]] if base else []) + [project["optional-dependencies"][extra] for extra in extras]
    return [requirement for group in groups for requirement in group]


if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--only"]
    print(*requirements(Path("pyproject.toml"), names, base="--only" not in sys.argv), sep="\n")
