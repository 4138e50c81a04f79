"""The page in a real browser, before the whole service: camera, WebRTC, worker, growing image.

The browser's camera is a file: a simulated recording that it plays in a loop.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    ViewportSize,
    expect,
    sync_playwright,
)

from cellstorm.settings import Settings
from cellstorm_cli.service import LocalService, local_service
from cellstorm_models.simulation import SimulationConfig, simulate

SIDE_PX = 192
FPS = 15
PATIENCE_MS = 60_000
"""For what the service does; a loaded machine takes its time."""

PAGE = Path(__file__).resolve().parents[2] / "phone_client" / "dist"
PHONE: ViewportSize = {"width": 360, "height": 740}
SCREEN: ViewportSize = {"width": 1280, "height": 800}

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser takes for its camera (YUV4MPEG2)."""
    config = SimulationConfig(frames=6 * FPS, width=SIDE_PX, height=SIDE_PX, fluorophores=2000, emitters_per_frame=25)
    counts = simulate(config, np.random.default_rng(5)).counts.astype(np.uint8)
    grey = bytes([128]) * (SIDE_PX * SIDE_PX // 2)  # both colour planes of 4:2:0
    frames = b"".join(b"FRAME\n" + frame.tobytes() + grey for frame in counts)
    path = tmp_path_factory.mktemp("camera") / "blinking.y4m"
    path.write_bytes(f"YUV4MPEG2 W{SIDE_PX} H{SIDE_PX} F{FPS}:1 Ip A1:1 C420jpeg\n".encode() + frames)
    return path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """All of it, as `cellstorm up` runs it."""
    if not (PAGE / "index.html").is_file():
        pytest.skip("needs the built page: make setup")
    folder = tmp_path_factory.mktemp("service")
    settings = Settings.load(port=0, data=folder / "data", page=PAGE)
    with local_service(settings, workers=1, log_file=folder / "log") as running:
        yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, camera_file: Path) -> Iterator[Browser]:
    """Debian's Chromium with the file as its camera."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("needs chromium on PATH")
    camera = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_file}",
        "--allow-loopback-in-peer-connection",
    )
    running = playwright.chromium.launch(executable_path=executable, args=[*QUIET, *camera])
    yield running
    running.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def screen(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=SCREEN, color_scheme="dark")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


class Complaints:
    """What a page's console says is wrong."""

    def __init__(self, page: Page) -> None:
        self.texts: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.texts.append(str(error)))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.texts.append(message.text)


def new_acquisition(service: LocalService, name: str) -> str:
    """Link of a new one."""
    headers = {"Authorization": f"Bearer {service.admin_token}"}
    with httpx.Client(base_url=service.url, headers=headers, trust_env=False) as client:
        return str(client.post("/api/v1/acquisitions", json={"name": name}).raise_for_status().json()["viewer_url"])


def figure(page: Page, key: str) -> int:
    """A count as the page shows it."""
    shown = page.locator(f'[data-figure="{key}"]').inner_text()
    return int(shown.split(",")[0].replace("\u2009", ""))


def wait_for_more(page: Page, key: str, than: int) -> int:
    """The count, once it is above `than`."""
    page.wait_for_function(
        """([key, than]) => {
            const shown = document.querySelector(`[data-figure="${key}"]`)?.textContent ?? "0";
            return Number(shown.split(",")[0].replaceAll("\\u2009", "")) > than;
        }""",
        arg=[key, than],
    )
    return figure(page, key)


def canvas_image(page: Page) -> NDArray[np.uint8]:
    """(height, width, 3) of the growing image."""
    url = page.locator("canvas").evaluate("canvas => canvas.toDataURL('image/png')")
    return decoded(base64.b64decode(url.partition(",")[2]))


def decoded(png: bytes) -> NDArray[np.uint8]:
    """(height, width, 3)"""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def lit(image: NDArray[np.uint8]) -> int:
    """Pixels that are not black."""
    return int(np.count_nonzero(image.max(axis=2) > 32))


def start_filming(page: Page) -> None:
    page.get_by_role("button", name="Film", exact=True).click()
    expect(page.get_by_text("Keep still.")).to_be_visible()


def stop_filming(page: Page) -> None:
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("header .state")).to_have_text("Finished")


def test_from_the_start_page_to_a_finished_image(phone: BrowserContext, service: LocalService, tmp_path: Path) -> None:
    page = phone.new_page()
    complaints = Complaints(page)
    page.goto(service.admin_link)
    assert service.admin_token not in page.url
    page.get_by_label("Name").fill("Blinking")
    page.screenshot(path=tmp_path / "start.png")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Blinking")).to_be_visible()
    assert "token" not in page.url
    expect(page.locator('[data-figure="lag"]')).to_have_text("not yet")

    start_filming(page)
    early = wait_for_more(page, "localizations", 0)
    wait_for_more(page, "localizations", 2 * early)
    first = lit(canvas_image(page))
    wait_for_more(page, "localizations", 4 * early)
    expect(page.get_by_text(f"{SIDE_PX}\u00a0\u00d7\u00a0{SIDE_PX}")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=tmp_path / "filming.png")
    assert lit(canvas_image(page)) > first > 0
    assert figure(page, "received") >= figure(page, "processed") > 0

    stop_filming(page)
    expect(page.get_by_role("button", name="Film")).to_be_hidden()
    expect(page.get_by_alt_text("Sum of all frames")).to_be_visible()
    page.screenshot(path=tmp_path / "finished.png")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download results").click()
    assert download.value.suggested_filename == "Blinking.zip"
    assert complaints.texts == []


def test_a_viewer_who_joins_late_sees_the_server_s_image(
    phone: BrowserContext, screen: BrowserContext, service: LocalService, tmp_path: Path
) -> None:
    link = new_acquisition(service, "For the room")
    filming = phone.new_page()
    filming.goto(link)
    start_filming(filming)
    wait_for_more(filming, "localizations", 100)
    viewer = screen.new_page()
    complaints = Complaints(viewer)
    viewer.goto(link)
    wait_for_more(viewer, "localizations", 100)
    expect(viewer.get_by_text("The image appears")).to_be_hidden()
    viewer.screenshot(path=tmp_path / "viewer.png")
    stop_filming(filming)
    expect(viewer.locator("header .state")).to_have_text("Finished")
    viewer.wait_for_timeout(1500)  # the contrast follows once a second

    token = link.partition("token=")[2]
    acquisition_id = link.partition("acquisition=")[2].partition("&")[0]
    answer = httpx.get(
        f"{service.url}/api/v1/acquisitions/{acquisition_id}/reconstruction.png",
        params={"render": "gaussian", "pixel_nm": 20, "colormap": "hot"},
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
    ).raise_for_status()
    ours, theirs = canvas_image(viewer).astype(float), decoded(answer.content).astype(float)
    assert ours.shape == theirs.shape
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99
    assert complaints.texts == []


def test_filming_goes_on_by_itself_after_the_gateway_was_killed(phone: BrowserContext, service: LocalService) -> None:
    page = phone.new_page()
    page.goto(new_acquisition(service, "Interrupted"))
    start_filming(page)
    before = wait_for_more(page, "received", 0)
    os.kill(service.supervisor.process_id("gateway"), signal.SIGKILL)
    expect(page.locator(".camera")).not_to_have_attribute("data-capture", "filming")
    expect(page.locator(".camera")).to_have_attribute("data-capture", "filming")
    wait_for_more(page, "received", before + 2 * FPS)
    stop_filming(page)


def test_a_wrong_token_is_told_in_words(screen: BrowserContext, service: LocalService) -> None:
    page = screen.new_page()
    page.goto(f"{new_acquisition(service, 'Private')}wrong")
    expect(page.get_by_role("alert").first).to_contain_text("token does not fit")


def test_an_address_without_a_token_says_where_to_get_one(screen: BrowserContext, service: LocalService) -> None:
    page = screen.new_page()
    page.goto(service.url)
    expect(page.get_by_text("Open the address that the server printed")).to_be_visible()


def test_without_a_secure_context_the_person_learns_what_to_do(screen: BrowserContext, service: LocalService) -> None:
    page = screen.new_page()
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'mediaDevices', {get: () => undefined})")
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {get: () => false})")
    page.goto(new_acquisition(service, "Insecure"))
    page.get_by_role("button", name="Film", exact=True).click()
    expect(page.get_by_text("Open the https:// address that the server prints")).to_be_visible()
