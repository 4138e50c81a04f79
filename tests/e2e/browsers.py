"""Debian's Chromium before the whole service: what all tests of the page need.

The browser's camera is a file: a simulated recording that it plays in a loop.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from playwright.sync_api import ConsoleMessage, Page, ViewportSize

from cellstorm_cli.service import LocalService
from cellstorm_models.simulation import SimulationConfig, simulate

SIDE_PX: Final = 192
FPS: Final = 15
PATIENCE_MS: Final = 60_000
"""For what the service does; a loaded machine takes its time."""

BUILT_PAGE: Final = Path(__file__).resolve().parents[2] / "phone_client" / "dist"
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
SCREEN: Final[ViewportSize] = {"width": 1280, "height": 800}
PROJECTOR: Final[ViewportSize] = {"width": 1920, "height": 1080}

_QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_arguments(camera_file: Path) -> list[str]:
    """With the file as camera, allowed without a question."""
    camera = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_file}",
        "--allow-loopback-in-peer-connection",
    )
    return [*_QUIET, *camera]


def chromium_path() -> str | None:
    """None where there is none."""
    return shutil.which("chromium")


def write_camera_file(path: Path) -> Path:
    """Six seconds of blinking molecules (YUV4MPEG2)."""
    config = SimulationConfig(frames=6 * FPS, width=SIDE_PX, height=SIDE_PX, fluorophores=2000, emitters_per_frame=25)
    counts = simulate(config, np.random.default_rng(5)).counts.astype(np.uint8)
    grey = bytes([128]) * (SIDE_PX * SIDE_PX // 2)  # both colour planes of 4:2:0
    frames = b"".join(b"FRAME\n" + frame.tobytes() + grey for frame in counts)
    path.write_bytes(f"YUV4MPEG2 W{SIDE_PX} H{SIDE_PX} F{FPS}:1 Ip A1:1 C420jpeg\n".encode() + frames)
    return path


class Complaints:
    """What a page's console says is wrong."""

    def __init__(self, page: Page) -> None:
        self.texts: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.texts.append(str(error)))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.texts.append(message.text)


def admin(service: LocalService) -> httpx.Client:
    """A client with the admin's token; to be used as a context."""
    headers = {"Authorization": f"Bearer {service.admin_token}"}
    return httpx.Client(base_url=service.url, headers=headers, trust_env=False, timeout=60)


def sign_in(page: Page, service: LocalService) -> None:
    """As the admin, by the link that the server printed."""
    page.goto(f"{service.url}/#token={service.admin_token}")
    page.get_by_role("heading", name="Film, or watch").wait_for()


def new_code(service: LocalService, right: str, acquisition_id: str | None = None, **more: int) -> str:
    """A code that lets another browser in."""
    wanted = {"right": right, "acquisition_id": acquisition_id, **more}
    with admin(service) as client:
        return str(client.post("/api/v1/codes", json=wanted).raise_for_status().json()["code"])


def join(page: Page, service: LocalService, right: str, acquisition_id: str | None = None) -> None:
    """As somebody who scans a code."""
    page.goto(f"{service.url}/#/join/{new_code(service, right, acquisition_id)}")
    page.wait_for_url(lambda url: "/join/" not in url)


def new_acquisition(service: LocalService, name: str, **settings: str) -> str:
    """Id of a new one."""
    with admin(service) as client:
        return str(client.post("/api/v1/acquisitions", json={"name": name, **settings}).raise_for_status().json()["id"])


def upload(service: LocalService, name: str, video: Path, **settings: str) -> str:
    """Id of a new acquisition that this video was sent to."""
    acquisition_id = new_acquisition(service, name, **settings)
    with admin(service) as client:
        client.put(f"/api/v1/acquisitions/{acquisition_id}/video", content=video.read_bytes()).raise_for_status()
    return acquisition_id


def wait_until(service: LocalService, acquisition_id: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The acquisition, as soon as this holds; told by its events."""
    path = f"/api/v1/acquisitions/{acquisition_id}"
    acquisition: dict[str, Any] = {}
    with admin(service) as client, client.stream("GET", f"{path}/events") as events:
        for line in events.iter_lines():
            if not line.startswith("data:"):
                continue
            acquisition = json.loads(line.removeprefix("data:"))
            if is_so(acquisition):
                return acquisition
    raise AssertionError(f"it ended before that: {acquisition}")
