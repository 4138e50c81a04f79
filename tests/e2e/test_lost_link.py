"""A link that is lost without a word: packets vanish, and nothing tells the browser. Or a cable is pulled, which it hears of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect

from benchmarks.link import HOST, Cut, Link, can_link
from cellstorm.settings import Settings
from cellstorm_cli.machine import free_port
from cellstorm_cli.service import LocalService, local_service
from tests.e2e.browsers import (
    BUILT_PAGE,
    FPS,
    PATIENCE_MS,
    PHONE,
    chromium_arguments,
    chromium_path,
    join,
    wait_until,
    write_camera_file,
)

pytestmark = pytest.mark.slow

RETURN_MS = 5000
"""What is promised. It takes one second or two; left to a browser's own retries it takes longer than this after a minute."""


@pytest.fixture
def link() -> Iterator[Link]:
    if not can_link():
        pytest.skip("needs root, iproute2 and iptables, to cut a link")
    with Link() as made:
        yield made


@pytest.fixture
def service(link: Link, tmp_path: Path) -> Iterator[LocalService]:  # its address is there with the link
    if not (BUILT_PAGE / "index.html").is_file():
        pytest.skip("needs the built page: make setup")
    settings = Settings.load(data=tmp_path / "data", host=HOST, port=free_port(), page=BUILT_PAGE)
    with local_service(settings, workers=1, log_file=tmp_path / "log") as running:
        yield running


@pytest.fixture
def page(link: Link, service: LocalService, playwright: Playwright, tmp_path: Path) -> Iterator[Page]:
    """A phone on the other side of the link, with its camera open."""
    program = chromium_path()
    if program is None:
        pytest.skip("needs chromium on PATH")
    arguments = chromium_arguments(write_camera_file(tmp_path / "blinking.y4m"))
    browser = playwright.chromium.launch(
        executable_path=link.wrapper(tmp_path, program),
        args=[*arguments, f"--unsafely-treat-insecure-origin-as-secure={service.url}"],
    )
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE_MS)
    made = context.new_page()
    join(made, service, "film")
    yield made
    browser.close()


@pytest.mark.parametrize(("how", "length_s"), [("drop", 5.0), ("drop", 60.0), ("down", 20.0)])
def test_filming_and_its_image_go_on_within_seconds_of_the_link_s_return(
    link: Link, service: LocalService, page: Page, how: Cut, length_s: float
) -> None:
    page.get_by_role("button", name="Film", exact=True).click()
    main, localizations = page.locator("main"), page.locator('[data-figure="localizations"]')
    expect(main).to_have_attribute("data-capture", "filming")
    acquisition_id = page.url.rpartition("/")[2]
    before = wait_until(service, acquisition_id, lambda told: told["localizations"] > 0)
    with link.cut(how):
        time.sleep(length_s)
        expect(main).to_have_attribute("data-capture", "away")
        shown = localizations.inner_text()
    expect(main).to_have_attribute("data-capture", "filming", timeout=RETURN_MS)
    expect(localizations).not_to_have_text(shown)
    expect(page.locator(".run-status")).to_contain_text("frames were not sent")
    sent = before["frames_received"] + 2 * FPS
    after = wait_until(service, acquisition_id, lambda told: told["gaps"] and told["frames_received"] > sent)
    (gap,) = after["gaps"]
    assert after["frames_lost"] == gap["frames_lost"] >= gap["frames_missed"] > 0
    page.get_by_role("button", name="Stop", exact=True).click()
    over = wait_until(service, acquisition_id, lambda told: told["state"] == "finished")
    assert over["frames_processed"] == over["frames_received"] - over["frames_damaged"]
