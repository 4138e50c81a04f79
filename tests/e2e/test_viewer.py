"""The viewer in a real browser: the server's own image, its controls, the last frame, and what it does when the server goes away."""

from __future__ import annotations

import io
import json
import os
import re
import signal
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from cellstorm.messages import BinaryMessage, unframed
from cellstorm.store import Store
from cellstorm_cli.service import LocalService
from tests.e2e.browsers import (
    BUILT_PAGE,
    PATIENCE_MS,
    PHONE,
    PROJECTOR,
    SCREEN,
    Complaints,
    admin,
    join,
    new_acquisition,
    upload,
    wait_until,
)
from tests.fakes import star_localizations
from tests.gateway import commit_chunk

SAMPLE = BUILT_PAGE / "sample.mp4"
ROWS: Final = 4000
Picture = NDArray[np.float64]


@pytest.fixture
def star(page_service: LocalService) -> str:
    """Id of an acquisition with ROWS localizations on a Siemens star, of 50 frames, which goes on."""
    acquisition_id = new_acquisition(page_service, "Star")
    commit_rows(page_service, acquisition_id, ROWS)
    return acquisition_id


@pytest.fixture(scope="module")
def finished(page_service: LocalService) -> str:
    """Id of the sample, localized and archived."""
    acquisition_id = upload(page_service, "Sample", SAMPLE)
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")
    return acquisition_id


def commit_rows(service: LocalService, acquisition_id: str, count: int, seed: int = 1) -> None:
    store = Store.connect(service.redis_url)
    commit_chunk(store, acquisition_id, star_localizations(count, seed=seed), frames=50)
    store.redis.close()


def view(context: BrowserContext, service: LocalService, acquisition_id: str, draw_with: str = "auto") -> Page:
    """The viewer, as a spectator sees it."""
    page = context.new_page()
    preferences = json.dumps({"drawWith": draw_with})
    page.add_init_script(f"localStorage.setItem('cellstorm.viewer', {json.dumps(preferences)})")
    join(page, service, "watch", acquisition_id)
    page.goto(f"{service.url}/#/view/{acquisition_id}")
    return page


def settle(page: Page, rows: int) -> None:
    """Wait until so many rows are there, and all is drawn as it is wanted."""
    page.locator(f'.stage[data-rows="{rows}"]').wait_for()
    page.wait_for_timeout(300)  # a view at rest is drawn anew a little later
    page.locator('.stage[data-complete="true"]').wait_for()


def nm_per_px(page: Page) -> float:
    return float(page.locator(".stage").get_attribute("data-nm-per-px") or 0)


def saved_view(page: Page) -> Picture:
    """(height, width, 3) what "this view as a picture" saves."""
    with page.expect_download() as download:
        page.locator(".stage").press("s")
    assert download.value.suggested_filename.endswith(".png")
    return decoded(Path(download.value.path()).read_bytes())


def decoded(png: bytes) -> Picture:
    """(height, width, 3)"""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


def server_picture(service: LocalService, acquisition_id: str, pixel_nm: float) -> Picture:
    with admin(service) as client:
        path = f"/api/v1/acquisitions/{acquisition_id}/reconstruction.png"
        return decoded(client.get(path, params={"pixel_nm": pixel_nm}).raise_for_status().content)


def correlation(ours: Picture, theirs: Picture) -> float:
    assert ours.shape == theirs.shape
    return float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])


def lit(picture: Picture) -> int:
    """Pixels that are not black."""
    return int(np.count_nonzero(picture.max(axis=2) > 32))


@pytest.mark.parametrize("draw_with", ["canvas", "webgl"])
def test_the_whole_field_is_the_server_s_own_image(
    screen: BrowserContext, page_service: LocalService, star: str, draw_with: str
) -> None:
    page = view(screen, page_service, star, draw_with)
    settle(page, ROWS)
    assert page.locator(".stage").get_attribute("data-painter") == draw_with
    ours = saved_view(page)
    theirs = server_picture(page_service, star, nm_per_px(page))
    top, left = ((ours.shape[axis] - theirs.shape[axis]) // 2 for axis in (0, 1))
    part = ours[top : top + theirs.shape[0] - 70, left : left + theirs.shape[1]]  # below lies the scale bar
    assert correlation(part, theirs[:-70]) >= 0.99


@pytest.mark.parametrize("draw_with", ["canvas", "webgl"])
def test_a_part_of_the_field_is_that_part_of_the_server_s_image(
    screen: BrowserContext, page_service: LocalService, star: str, draw_with: str
) -> None:
    page = view(screen, page_service, star, draw_with)
    settle(page, ROWS)
    for _ in range(4):
        page.keyboard.press("+")
    settle(page, ROWS)
    ours = saved_view(page)[:-80]  # below lies the scale bar
    theirs = server_picture(page_service, star, nm_per_px(page))
    # The same pixels, of which the contrast is chosen by what is in view: places are compared, not brightness.
    ours, theirs = np.minimum(ours[:, :, 0], 128), np.minimum(theirs[:, :, 0], 128)
    y, x = ((theirs.shape[axis] - size) // 2 for axis, size in ((0, ours.shape[0] + 80), (1, ours.shape[1])))
    best = max(
        correlation(ours, theirs[y + dy : y + dy + ours.shape[0], x + dx : x + dx + ours.shape[1]])
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    )
    assert best >= 0.95


def test_what_comes_while_one_looks_is_added(screen: BrowserContext, page_service: LocalService, star: str) -> None:
    page = view(screen, page_service, star)
    complaints = Complaints(page)
    settle(page, ROWS)
    before = saved_view(page)
    commit_rows(page_service, star, 500, seed=2)
    settle(page, ROWS + 500)
    assert lit(saved_view(page)) > lit(before)
    expect(page.locator('[data-figure="localizations"]')).to_have_text("4\u2009500")
    assert complaints.texts == []


def test_what_is_there_comes_as_one_answer_and_what_is_new_over_a_socket(
    screen: BrowserContext, page_service: LocalService, star: str
) -> None:
    page = screen.new_page()
    join(page, page_service, "watch", star)
    page.goto("about:blank")  # a spectator of one is shown it as soon as he has joined
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    with page.expect_response(lambda response: response.url.partition("?")[0].endswith(f"/{star}/live")) as answer:
        page.goto(f"{page_service.url}/#/view/{star}")
    # Asked for once more: of what a page has read piece by piece, Chromium does not always keep a copy.
    body = page.request.get(answer.value.url).body()
    parts = [BinaryMessage.from_bytes(part) for part in unframed(body) if isinstance(part, bytes)]
    assert sum(len(part.table) for part in parts) == ROWS
    settle(page, ROWS)
    expect(page.locator(".connection")).to_contain_text("Live")
    assert [re.findall(r"rows=\d+", url) for url in sockets] == [[f"rows={ROWS}"]]


def test_colours_filters_and_time_change_the_image(
    screen: BrowserContext, page_service: LocalService, star: str
) -> None:
    page = view(screen, page_service, star)
    settle(page, ROWS)
    everything = saved_view(page)
    page.keyboard.press("i")
    settle(page, ROWS)
    assert saved_view(page).mean() > 200
    page.keyboard.press("i")  # the stage has the focus
    page.get_by_label("Colours").select_option("viridis")
    settle(page, ROWS)
    red, _, blue = saved_view(page).mean(axis=(0, 1))
    assert blue > red
    page.get_by_label("Colours").select_option("hot")
    page.get_by_label("Photons, from").fill("60")
    settle(page, ROWS)
    assert 0 < lit(saved_view(page)) < 0.8 * lit(everything)
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Image as of frame").fill("5")
    expect(page.get_by_text("as of frame 5")).to_be_visible()
    settle(page, ROWS)
    early = lit(saved_view(page))
    assert 0 < early < 0.5 * lit(everything)
    page.get_by_label("Image as of frame").fill("50")
    settle(page, ROWS)
    assert lit(saved_view(page)) == pytest.approx(lit(everything), rel=0.02)


def test_the_scale_bar_is_right_at_every_zoom(screen: BrowserContext, page_service: LocalService, star: str) -> None:
    page = view(screen, page_service, star)
    settle(page, ROWS)
    lengths = set()
    for _ in range(5):
        label = page.locator(".scale-label").inner_text()
        number, unit = label.split()
        length_nm = float(number) * (1000 if unit == "µm" else 1)
        width = page.locator(".scale-bar").evaluate("bar => bar.getBoundingClientRect().width")
        assert width * nm_per_px(page) == pytest.approx(length_nm, rel=0.01)
        lengths.add(length_nm)
        for _ in range(3):
            page.keyboard.press("+")
    assert len(lengths) == 5


def test_every_file_of_the_results_can_be_fetched_from_the_menu(
    screen: BrowserContext, page_service: LocalService, finished: str
) -> None:
    page = view(screen, page_service, finished)
    expect(page.locator("header .state")).to_have_text("Finished")
    page.get_by_label("Downloads").click()
    links = page.locator(".download-list a")
    expect(links.first).to_be_visible()
    names = [text.split("\n")[0] for text in links.all_inner_texts()]
    assert {"localizations.csv", "report.html", "reconstruction.ome.tif"} <= {re.split(r"\s", n)[0] for n in names}
    with page.expect_download() as download:
        page.get_by_role("link", name="localizations.csv").click()
    assert Path(download.value.path()).read_text().count("\n") > 10


def test_the_last_frame_has_a_circle_for_each_of_its_localizations(
    screen: BrowserContext, page_service: LocalService, finished: str
) -> None:
    page = view(screen, page_service, finished)
    complaints = Complaints(page)
    page.locator('.stage[data-complete="true"]').wait_for()
    page.keyboard.press("3")
    with admin(page_service) as client:
        path = f"/api/v1/acquisitions/{finished}"
        answer = client.get(f"{path}/frames/last.png").raise_for_status()
        index = int(answer.headers["x-frame-index"])
        table = client.get(f"{path}/localizations.csv", params={"frames": f"{index}:{index + 1}"}).text
        size = client.get(path).json()["roi"].split(",")[2:]
    assert Image.open(io.BytesIO(answer.content)).size == tuple(map(int, size))
    expect(page.locator(".frame-label")).to_contain_text(f"Frame {index}")
    expect(page.locator(".circles circle")).to_have_count(len(table.splitlines()) - 1)
    page.keyboard.press("2")
    expect(page.get_by_alt_text("Sum of all frames")).to_be_visible()
    handle = page.get_by_role("slider", name="Where the widefield picture ends")
    handle.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "52")
    assert complaints.texts == []


def test_the_view_outlives_a_restart_of_the_server(
    screen: BrowserContext, page_service: LocalService, star: str
) -> None:
    page = view(screen, page_service, star)
    settle(page, ROWS)
    page.keyboard.press("+")
    page.keyboard.press("c")
    scale = nm_per_px(page)
    os.kill(page_service.supervisor.process_id("gateway"), signal.SIGKILL)
    expect(page.locator(".connection")).to_contain_text("No connection")
    expect(page.locator(".connection")).to_contain_text("Live")
    commit_rows(page_service, star, 300, seed=3)
    settle(page, ROWS + 300)
    assert nm_per_px(page) == scale
    expect(page.get_by_label("Colours")).to_have_value("fire")


def test_a_viewer_whose_link_is_lost_says_so_and_comes_back(
    screen: BrowserContext, page_service: LocalService, star: str
) -> None:
    page = view(screen, page_service, star)
    settle(page, ROWS)
    expect(page.locator(".connection")).to_have_text("Live")
    screen.set_offline(True)
    expect(page.locator(".connection")).to_contain_text("No connection")
    commit_rows(page_service, star, 300, seed=3)
    screen.set_offline(False)
    expect(page.locator(".connection")).to_have_text("Live")
    settle(page, ROWS + 300)


def test_whoever_may_film_it_finishes_what_a_phone_left(
    screen: BrowserContext, page_service: LocalService, star: str
) -> None:
    page = view(screen, page_service, star)
    settle(page, ROWS)
    finish = page.get_by_role("button", name="Finish")
    expect(finish).to_have_count(0)
    join(page, page_service, "film", star)
    page.goto(f"{page_service.url}/#/view/{star}")
    finish.click()
    page.get_by_role("dialog").get_by_role("button", name="Finish").click()
    expect(page.locator("header .state")).to_have_text("Finished")
    expect(page.get_by_role("button", name="Reprocess")).to_be_visible()
    expect(finish).to_have_count(0)
    expect(page.locator('[data-figure="perFrame"]')).to_have_text("80.0")  # ROWS in 50 frames


def test_a_spectator_of_one_signs_out_and_is_told_so_in_other_tabs(
    screen: BrowserContext, page_service: LocalService, star: str
) -> None:
    other, page = (view(screen, page_service, star) for _ in range(2))
    settle(other, ROWS)
    settle(page, ROWS)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Join the class")).to_be_visible()
    expect(other.get_by_role("alert").filter(has_text="You have left")).to_be_visible()
    expect(other.locator("header .state")).to_have_text("")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screenshots_for_looking_at(
    browser: Browser, page_service: LocalService, finished: str, tmp_path: Path, scheme: str
) -> None:
    for name, size in (("phone", PHONE), ("screen", SCREEN), ("projector", PROJECTOR)):
        context = browser.new_context(viewport=size, color_scheme="dark" if scheme == "dark" else "light")
        context.set_default_timeout(PATIENCE_MS)
        page = view(context, page_service, finished)
        page.locator('.stage[data-complete="true"]').wait_for()
        expect(page.locator('[data-figure="perFrame"]')).not_to_have_text("not yet")
        page.screenshot(path=tmp_path / f"viewer-{name}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        context.close()
