"""Gateway and worker run from their images; tests/e2e/images.sh builds these and then calls this file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e import deployment

BUILDAH: Final = tuple(os.environ.get("CELLSTORM_TEST_BUILDAH", "").split())

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BUILDAH, reason="needs built images: make images"),
]


def _buildah(*arguments: str) -> str:
    return subprocess.run([*BUILDAH, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def containers() -> Iterator[dict[str, str]]:
    """Name of a container for each service; an image is never changed."""
    names = {
        "gateway": _buildah("from", "--pull=never", "cellstorm-gateway"),
        "worker": _buildah("from", "--pull=never", "cellstorm-worker:cpu"),
    }
    yield names
    _buildah("rm", *names.values())


def _run(container: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BUILDAH, "run", container, "--", *command], capture_output=True, text=True, check=False)


def test_a_video_streamed_to_the_images_becomes_localizations(containers: dict[str, str], tmp_path: Path) -> None:
    def in_container(service: deployment.Service, data: Path) -> tuple[str, ...]:
        data.chmod(0o777)  # its user is not ours
        variables = [part for name, value in service.environment.items() for part in ("--env", f"{name}={value}")]
        volume = ("--volume", f"{data}:/data")
        return (*BUILDAH, "run", *variables, *volume, containers[service.name], "--", *service.command)

    video = tmp_path / "sample.mp4"
    deployment.write_sample(video)
    with deployment.deployed(tmp_path, in_container) as service:
        deployment.assert_localized(service, deployment.publish(service, video))
        for name, container in containers.items():
            settings = [f"{key}={value}" for key, value in service.services[name].environment.items()]
            check = _run(container, "env", *settings, "python", "/opt/cellstorm/healthcheck.py")
            assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_an_image_does_not_run_as_root(containers: dict[str, str], name: str) -> None:
    assert _run(containers[name], "id", "-u").stdout.strip() == "10001"


@pytest.mark.parametrize(
    ("name", "module"),
    [("worker", "fastapi"), ("worker", "aiortc"), ("gateway", "onnxruntime"), ("gateway", "torch"), ("worker", "pip")],
)
def test_an_image_holds_nothing_that_it_does_not_need(containers: dict[str, str], name: str, module: str) -> None:
    assert "ModuleNotFoundError" in _run(containers[name], "python", "-c", f"import {module}").stderr


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_nothing_of_the_building_machine_is_left_in_an_image(containers: dict[str, str], name: str) -> None:
    found = _run(containers[name], "sh", "-c", "cat /etc/pip.conf /mnt/* /src/phone_client/.npmrc; command -v gcc make")
    assert found.stdout == ""


def test_the_gateways_image_has_the_page_and_the_zoo(containers: dict[str, str]) -> None:
    packages = "/opt/cellstorm/lib/python3.11/site-packages"
    run = _run(containers["gateway"], "ls", f"{packages}/cellstorm_server/page/index.html", f"{packages}/cellstorm/zoo")
    assert run.returncode == 0, run.stderr
