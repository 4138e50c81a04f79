"""Lends this machine's way to its package sources to an image build, without leaving it in the image.

Writes `pip.conf`, `constraints.txt` and `npmrc` into a folder and prints, one per line, the volumes that `buildah build --volume` is
to mount while it builds: these files, the certificates that this machine trusts, and the local folders that pip is told to look in.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

CERTIFICATES: Final = "/mnt/certificates.crt"  # not where Debian's package ca-certificates wants to write
CONSTRAINTS: Final = "/mnt/constraints.txt"


def pip_settings(listing: str) -> dict[str, str]:
    """From `pip config list`, `SECTION.NAME='VALUE'` per line: what holds for `pip install`, the environment last."""
    rows = re.findall(r"^(?P<section>global|install|:env:)\.(?P<name>[\w-]+)='(?P<value>.*)'$", listing, re.MULTILINE)
    order = ("global", "install", ":env:")
    return {name: value for section, name, value in sorted(rows, key=lambda row: order.index(row[0]))}


def local_folders(settings: Mapping[str, str]) -> Iterator[Path]:
    """Those that pip is told to look in; an index commonly refers to files beside it, so its parent comes along."""
    for name in ("find-links", "index-url", "extra-index-url"):
        for place in settings.get(name, "").replace("\\n", " ").split():
            path = Path(place.removeprefix("file://"))
            if path.is_absolute() and path.is_dir():
                yield path if name == "find-links" else path.parent


def main(folder: Path) -> None:
    """Write both files and print the volumes."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = pip_settings(listing)
    certificates = settings.get("cert", os.environ.get("SSL_CERT_FILE", ""))
    npmrc = Path.home() / ".npmrc"
    npm_lines = npmrc.read_text().splitlines() if npmrc.is_file() else []
    volumes = [f"{path}:{path}:ro" for path in dict.fromkeys(local_folders(settings))]
    if certificates and Path(certificates).is_file():
        volumes.append(f"{certificates}:{CERTIFICATES}:ro")
        settings["cert"] = CERTIFICATES
        npm_lines.append(f"cafile={CERTIFICATES}")
    if "constraint" in settings:
        constraints = [Path(name).read_text() for name in settings["constraint"].replace("\\n", " ").split()]
        (folder / "constraints.txt").write_text("\n".join(constraints))
        volumes.append(f"{folder}/constraints.txt:{CONSTRAINTS}:ro")
        settings["constraint"] = CONSTRAINTS
    lines = [f"{name} = {value}".replace("\\n", "\n    ") for name, value in settings.items()]
    (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    (folder / "npmrc").write_text("\n".join([*npm_lines, ""]))
    volumes += [f"{folder}/pip.conf:/etc/pip.conf:ro", f"{folder}/npmrc:/src/phone_client/.npmrc:ro"]
    print(*map(shlex.quote, volumes), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
