"""Every place of the page before axe, in light and dark: no serious finding."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from cellstorm_cli.service import LocalService
from tests.e2e.browsers import (
    BUILT_PAGE,
    PATIENCE_MS,
    PHONE,
    SCREEN,
    new_acquisition,
    sign_in,
    upload,
    wait_until,
)

AXE = Path(__file__).resolve().parents[2] / "phone_client" / "node_modules" / "axe-core" / "axe.min.js"
SAMPLE = BUILT_PAGE / "sample.mp4"
PLACES = ("start", "join", "film", "view", "wall", "sample", "record", "recordings", "local", "guide", "nowhere")


@pytest.fixture(scope="module")
def acquisition_id(page_service: LocalService) -> str:
    """A finished one, so that lists, wall and viewer have something to show."""
    finished = upload(page_service, "Filaments", SAMPLE)
    wait_until(page_service, finished, lambda acquisition: acquisition["state"] == "finished")
    new_acquisition(page_service, "Not begun")
    return finished


def findings(page: Page) -> list[str]:
    """What axe calls serious or critical, with the elements that it means."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['html'][:120]} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: make setup")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["phone", "screen"])
def test_no_place_has_a_serious_finding(
    browser: Browser,
    page_service: LocalService,
    acquisition_id: str,
    scheme: Literal["light", "dark"],
    device: str,
) -> None:
    context = browser.new_context(viewport=PHONE if device == "phone" else SCREEN, color_scheme=scheme)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    sign_in(page, page_service)
    found = {}
    for place in PLACES:
        page.goto(
            f"{page_service.url}/#/{'' if place == 'start' else place}{f'/{acquisition_id}' if place == 'view' else ''}"
        )
        page.reload()  # from scratch, as a link opens it
        page.get_by_role("heading", level=1).wait_for()
        page.wait_for_load_state("networkidle")
        found[place] = findings(page)
    context.close()
    assert {place: what for place, what in found.items() if what} == {}


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: make setup")
@pytest.mark.usefixtures("acquisition_id")
def test_dialogs_have_no_serious_finding(browser: Browser, page_service: LocalService) -> None:
    context = browser.new_context(viewport=SCREEN)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    sign_in(page, page_service)
    for opener in ("New acquisition", "Share Filaments", "Delete Filaments"):
        page.get_by_role("button", name=opener).click()
        page.get_by_role("dialog").wait_for()
        assert findings(page) == []
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")
    context.close()
