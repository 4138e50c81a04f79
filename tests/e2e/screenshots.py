"""Pictures of every place of the page, as a phone and a projector show it, into docs/screenshots/: to be looked at.

make screenshots
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cellstorm.settings import Settings
from cellstorm_cli.machine import free_port
from cellstorm_cli.service import LocalService, local_service
from cellstorm_models.compression import Compression, write_mp4
from cellstorm_models.simulation import SimulationConfig, simulate
from cellstorm_models.structures import Structure
from tests.e2e.browsers import (
    BUILT_PAGE,
    PATIENCE_MS,
    PHONE,
    PROJECTOR,
    admin,
    chromium_arguments,
    chromium_path,
    new_acquisition,
    new_code,
    sign_in,
    upload,
    wait_until,
    write_camera_file,
)

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
COLOURS: Final = 128
"""Of each picture's palette: together they stay small enough for a repository."""

SAMPLES: Final[tuple[tuple[str, Structure], ...]] = (
    ("Actin, group 1", "filaments"),
    ("Pores, group 2", "rings"),
    ("Star, group 3", "star"),
    ("Tubulin, group 4", "filaments"),
    ("Both, group 5", "mixed"),
)


class Device(NamedTuple):
    """How large, and in which colours."""

    name: str
    is_phone: bool
    scheme: Literal["light", "dark"]


DEVICES: Final = (Device("phone", True, "light"), Device("projector", False, "dark"))


def main() -> int:
    """Take them all; with names of places, those."""
    wanted = set(sys.argv[1:])
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, _stage(Path(folder)) as (service, browser):
        acquisition_id = _fill(service, Path(folder))
        again_id = _reprocess(service, acquisition_id)
        for device in DEVICES:
            for place, page in _places(browser, service, device, acquisition_id, again_id):
                if not wanted or place in wanted:
                    _keep(page, f"{place}-{device.name}")
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(list(FOLDER.iterdir()))} pictures, {total / 1e6:.1f} MB")
    return 0


@contextmanager
def _stage(folder: Path) -> Iterator[tuple[LocalService, Browser]]:
    settings = Settings.load(data=folder / "data", port=free_port(), https_port=free_port(), page=BUILT_PAGE)
    camera_file = write_camera_file(folder / "camera.y4m")
    with local_service(settings, workers=1, log_file=folder / "log") as service, sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=chromium_arguments(camera_file))
        yield service, browser
        browser.close()


def _fill(service: LocalService, folder: Path) -> str:
    """A class's afternoon; the id of the sample's acquisition."""
    for seed, (name, structure) in enumerate(SAMPLES):
        config = SimulationConfig(frames=200, structure=structure, emitters_per_frame=24, fluorophores=2500)
        counts = simulate(config, np.random.default_rng(seed)).counts.astype(np.uint8)
        write_mp4(folder / "video.mp4", counts, Compression())
        upload(service, name, folder / "video.mp4")
    shown = upload(service, "Filaments and a star", BUILT_PAGE / "sample.mp4")
    wait_until(service, shown, lambda acquisition: acquisition["state"] == "finished")
    new_acquisition(service, "Group 6")
    return shown


def _reprocess(service: LocalService, acquisition_id: str) -> str:
    """Id of the same recording by the other generator."""
    changes = {"model": "classical", "name": "Filaments and a star, classical"}
    with admin(service) as client:
        made = client.post(f"/api/v1/acquisitions/{acquisition_id}/reprocess", json=changes).raise_for_status().json()
    wait_until(service, str(made["id"]), lambda acquisition: acquisition["state"] == "finished")
    return str(made["id"])


def _places(
    browser: Browser, service: LocalService, device: Device, acquisition_id: str, again_id: str
) -> Iterator[tuple[str, Page]]:
    """Each place as it looks in use."""
    page = _new_page(browser, device)
    page.goto(f"{service.url}/#/join")
    yield "join", page
    page.goto(f"{service.url}/#/join/ABCDEFGH")
    page.get_by_role("alert").wait_for()
    yield "join-expired", page
    sign_in(page, service)
    page.locator(".acquisitions > li").nth(len(SAMPLES) + 2).wait_for()
    yield "start", page
    page.locator(".acquisitions").scroll_into_view_if_needed()
    page.locator(".acquisitions img:visible").nth(2).wait_for()
    yield "start-list", page
    page.get_by_role("button", name="Share Filaments and a star", exact=True).click()
    page.get_by_role("dialog").locator(".code-picture").wait_for()
    yield "share", page
    page.keyboard.press("Escape")
    for place in ("guide", "sample", "record", "recordings", "local"):
        page.goto(f"{service.url}/#/{place}")
        page.get_by_role("heading", level=1).wait_for()
        yield place, page
    yield "sample-playing", _playing_sample(page, service)
    page.goto(f"{service.url}/#/view/{acquisition_id}")
    page.get_by_role("heading", name="Filaments and a star", exact=True).wait_for()
    yield "view", page
    yield from _comparing(page, service, acquisition_id, again_id)
    page.goto(f"{service.url}/#/wall")
    page.locator(".tile img:visible").nth(len(SAMPLES)).wait_for()
    yield "wall", page
    page.goto(f"{service.url}/ca")
    yield "ca", page
    page.context.close()
    yield from _filming(browser, service, device)


def _comparing(page: Page, service: LocalService, acquisition_id: str, again_id: str) -> Iterator[tuple[str, Page]]:
    """The sample by two generators, in the three ways to look at them."""
    page.get_by_role("button", name="Reprocess").click()
    page.get_by_role("option", name="classical").wait_for(state="attached")
    yield "reprocess", page
    page.keyboard.press("Escape")
    page.goto(f"{service.url}/#/compare/{acquisition_id}/{again_id}")
    page.locator(".fact").first.wait_for()
    page.locator('.picture[data-which="2"] .stage[data-complete="true"]').wait_for()
    yield "compare", page
    for name in ("Swipe", "Difference"):
        page.get_by_role("button", name=name, exact=True).click()
        for _ in range(3 if name == "Difference" else 0):
            page.keyboard.press("+")
        yield f"compare-{name.lower()}", page


def _playing_sample(page: Page, service: LocalService) -> Page:
    page.goto(f"{service.url}/#/sample")
    page.get_by_role("button", name="Play the sample").click()
    page.wait_for_url(re.compile(r"#/view/.+"))
    wait_until(service, page.url.rpartition("/")[2], lambda acquisition: acquisition["localizations"] > 1000)
    return page


def _filming(browser: Browser, service: LocalService, device: Device) -> Iterator[tuple[str, Page]]:
    """Before the button is pressed, and with the first localizations."""
    page = _new_page(browser, device)
    page.goto(f"{service.url}/#/join/{new_code(service, 'film')}")
    button = page.get_by_role("button", name="Film", exact=True)
    expect(button).to_be_enabled()
    page.wait_for_timeout(2000)  # the gauges settle
    yield "film", page
    button.click()
    page.wait_for_url(re.compile(r"#/film/.+"))
    acquisition_id = page.url.rpartition("/")[2]
    wait_until(service, acquisition_id, lambda acquisition: acquisition["localizations"] > 1500)
    yield "filming", page
    page.get_by_role("button", name="Stop").click()
    wait_until(service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")
    yield "filmed", page
    page.context.close()


def _new_page(browser: Browser, device: Device) -> Page:
    context = browser.new_context(
        viewport=PHONE if device.is_phone else PROJECTOR,
        has_touch=device.is_phone,
        is_mobile=device.is_phone,
        color_scheme=device.scheme,
    )
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


def _keep(page: Page, name: str) -> None:
    page.wait_for_timeout(1500)  # pictures fade in, plots are drawn
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    sys.exit(main())
