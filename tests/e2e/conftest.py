"""The whole service, run as a user runs it, and a phone that streams to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from cellstorm.acquisitions import Acquisition, AcquisitionSettings, State
from cellstorm.settings import Settings
from cellstorm_cli.gateway_client import GatewayClient
from cellstorm_cli.machine import free_port
from cellstorm_cli.phone import Phone
from cellstorm_cli.playback import TimedFrames, encode
from cellstorm_cli.service import LocalService, local_service
from cellstorm_models.simulation import Recording, SimulationConfig, simulate
from tests.e2e.browsers import (
    BUILT_PAGE,
    PATIENCE_MS,
    PHONE,
    SCREEN,
    chromium_arguments,
    chromium_path,
    write_camera_file,
)

FPS = 20.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LocalService]:
    """Redis, gateway and one worker as processes of their own."""
    settings = Settings.load(data=tmp_path / "data", port=free_port())
    with local_service(settings, workers=1, log_file=tmp_path / "log") as running:
        yield running


@pytest.fixture(scope="module")
def page_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """Likewise with the built page, for all tests of a file."""
    if not (BUILT_PAGE / "index.html").is_file():
        pytest.skip("needs the built page: make setup")
    folder = tmp_path_factory.mktemp("service")
    settings = Settings.load(data=folder / "data", port=free_port(), page=BUILT_PAGE)
    with local_service(settings, workers=1, log_file=folder / "log") as running:
        yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium with a file as its camera."""
    executable = chromium_path()
    if executable is None:
        pytest.skip("needs chromium on PATH")
    camera_file = write_camera_file(tmp_path_factory.mktemp("camera") / "blinking.y4m")
    running = playwright.chromium.launch(executable_path=executable, args=chromium_arguments(camera_file))
    yield running
    running.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own, as small as a phone's."""
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def screen(browser: Browser) -> Iterator[BrowserContext]:
    """Likewise, as large as a desk's."""
    context = browser.new_context(viewport=SCREEN, color_scheme="dark")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


def recording(frames: int, side: int = 64) -> Recording:
    """Bright emitters on filaments, with their truth."""
    config = SimulationConfig(frames=frames, width=side, height=side, emitters_per_frame=5.0)
    return simulate(config, np.random.default_rng(3))


@dataclass
class Filming:
    """A phone that films in a thread; `result` is the acquisition in its end."""

    service: LocalService
    acquisition_id: str = ""
    frames_sent: int = 0
    sessions: int = 0
    result: Acquisition | None = None

    async def run(self, filmed: Recording, begun: threading.Event) -> None:
        """Stream it all, finish, wait until the results are written."""
        counts = filmed.counts.astype(np.uint8)
        due_s = tuple(n / FPS for n in range(len(counts)))
        async with GatewayClient(self.service.url, self.service.admin_token) as client:
            created = await client.create(AcquisitionSettings(name="film"))
            self.acquisition_id = created.id
            phone = Phone(client, created.whip_url, give_up_after_s=60.0)

            def count(_: object) -> None:
                self.frames_sent += 1
                begun.set()

            await phone.publish(lambda n: encode([TimedFrames(n, due_s[n:], counts[n:])], None), count)
            self.sessions = phone.sessions
            await client.finish(created.id)
            self.result = await client.wait_until_over(created.id, 90.0)
            assert self.result.state is State.FINISHED


@contextmanager
def filming(service: LocalService, filmed: Recording) -> Iterator[Filming]:
    """A phone films while the block runs; leaving it waits for the end of the film and of its processing."""
    film, begun, failures = Filming(service), threading.Event(), []

    def run() -> None:
        try:
            asyncio.run(film.run(filmed, begun))
        except BaseException as error:  # noqa: BLE001  # handed to the test's own thread
            failures.append(error)
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(30)
        yield film
    finally:
        thread.join(240)
    if failures:
        raise failures[0]
