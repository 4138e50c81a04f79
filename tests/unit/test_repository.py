"""Rules of the repository that no other tool checks."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import CHECKOUT

REGISTRIES: Final = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "download.pytorch" + ".org",
    "docker" + ".io",
    "ghcr" + ".io",
    "quay" + ".io",
    "nvcr" + ".io",
    "deb.debian" + ".org",
)
"""Where packages and images come from is a matter of each machine's configuration. (In two parts: this file is read, too.)"""

MACHINE_PATH: Final = re.compile(r"(?<![\w.~$}*-])/(work|root|home)/")
LARGEST_FILE_BYTES: Final = 8_000_000

GATEWAY_ALONE: Final = "fastapi starlette uvicorn uvloop websockets aiortc cryptography segno prometheus_client"
WORKER_ALONE: Final = "onnxruntime"
TRAINING_ALONE: Final = "torch onnx onnxscript bioimageio"


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """What is in the repository, or would be with the next commit."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    paths = [CHECKOUT / name for name in names.split("\0") if name]
    return [path for path in paths if path.is_file()]


def _lines(files: list[Path]) -> list[tuple[str, str]]:
    """("FILE:LINE", text) of all that is text."""
    rows = []
    for path in files:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        rows += [
            (f"{path.relative_to(CHECKOUT)}:{number}", line) for number, line in enumerate(text.splitlines(), start=1)
        ]
    return rows


def test_no_file_names_a_package_registry(files: list[Path]) -> None:
    found = [where for where, line in _lines(files) if any(host in line for host in REGISTRIES)]
    assert found == []


def test_no_file_names_a_path_of_somebodys_machine(files: list[Path]) -> None:
    found = [where for where, line in _lines(files) if MACHINE_PATH.search(line)]
    assert found == []


def test_no_file_is_larger_than_8_megabytes(files: list[Path]) -> None:
    assert [str(path) for path in files if path.stat().st_size > LARGEST_FILE_BYTES] == []


def test_each_dependency_is_explained_and_nothing_else_is() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    needed = {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in requirements} - {"cellstorm"}
    explained = re.findall(
        r"^\| `([\w.-]+)` \| .{10,} \|", (CHECKOUT / "docs/dependencies.md").read_text(), re.MULTILINE
    )
    assert set(explained) == needed


def test_the_readmes_quick_start_is_two_commands() -> None:
    section = (CHECKOUT / "README.md").read_text().partition("## Quick start\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\w*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    commands = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    assert commands == ["make demo", "make test"]


def _import_without(absent: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh Python in which these modules cannot be imported."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({absent.split()!r}))"
    return subprocess.run([sys.executable, "-c", f"{hide}; {code}"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "package", "absent"),
    [
        pytest.param("worker", "cellstorm_worker.main", f"{GATEWAY_ALONE} {TRAINING_ALONE}", id="worker"),
        pytest.param("gateway", "cellstorm_server.main", f"{WORKER_ALONE} {TRAINING_ALONE}", id="gateway"),
    ],
)
def test_an_image_needs_only_its_own_dependencies(command: str, package: str, absent: str) -> None:
    run = _import_without(
        absent, f"import {package}; from cellstorm_cli.main import build_app; build_app(['{command}'])"
    )
    assert run.returncode == 0, run.stderr


def test_the_service_and_the_command_line_need_no_torch() -> None:
    run = _import_without(TRAINING_ALONE, "from cellstorm_cli.main import build_app; build_app([])")
    assert run.returncode == 0, run.stderr
