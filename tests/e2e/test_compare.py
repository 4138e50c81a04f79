"""A recording once more through the page's dialog, and both results side by side: the images, the swipe, the numbers."""

from __future__ import annotations

import io
import json
import re
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from cellstorm.acquisitions import State
from cellstorm.store import Store
from cellstorm_cli.service import LocalService
from tests.e2e.browsers import (
    BUILT_PAGE,
    Complaints,
    admin,
    join,
    new_acquisition,
    sign_in,
    upload,
    wait_until,
)
from tests.e2e.test_accessibility import AXE, findings
from tests.e2e.test_viewer import Picture, decoded

SAMPLE: Final = BUILT_PAGE / "sample.mp4"
API: Final = "/api/v1/acquisitions"
PART: Final = "16,8,80,96"
TIMES: Final = "\N{MULTIPLICATION SIGN}"


@pytest.fixture(scope="module")
def original(page_service: LocalService) -> str:
    """Id of the sample, finished."""
    return finished(page_service, upload(page_service, "Sample", SAMPLE))


@pytest.fixture(scope="module")
def part(page_service: LocalService, original: str) -> str:
    """Id of a part of the sample, reprocessed."""
    changes = {"name": "A part", "roi": PART, "frames": "0:200"}
    with admin(page_service) as client:
        made = client.post(f"{API}/{original}/reprocess", json=changes).raise_for_status().json()
    return finished(page_service, str(made["id"]))


def finished(service: LocalService, acquisition_id: str) -> str:
    wait_until(service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")
    return acquisition_id


def told(service: LocalService, path: str) -> dict[str, Any]:
    with admin(service) as client:
        answer: dict[str, Any] = client.get(f"{API}/{path}").raise_for_status().json()
        return answer


def opened(context: BrowserContext, service: LocalService, place: str) -> Page:
    """A place, as the admin sees it."""
    page = context.new_page()
    sign_in(page, service)
    page.goto(f"{service.url}/#/{place}")
    return page


def compared(context: BrowserContext, service: LocalService, first: str, second: str) -> Page:
    """The comparison, with both images and all numbers."""
    page = opened(context, service, f"compare/{first}/{second}")
    settle(page)
    page.locator(".fact").first.wait_for()
    return page


def settle(page: Page) -> None:
    page.wait_for_timeout(300)  # a view at rest is drawn anew a little later
    for which in ("1", "2"):
        stage_of(page, which).and_(page.locator('[data-complete="true"]')).wait_for()


def stage_of(page: Page, which: str) -> Locator:
    return page.locator(f'.picture[data-which="{which}"] .stage')


def mode(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)


def pair_picture(page: Page) -> Picture:
    """(height, width, 3) both images as they are shown, without what lies over them."""
    page.locator(".pair").evaluate(
        "it => it.querySelectorAll('.zoom-buttons, .scale, .legend, .region').forEach(each => { each.style.visibility = 'hidden' })"
    )
    return decoded(page.locator(".pair").screenshot())


def row_of(page: Page, name: str) -> list[str]:
    """A row's cells, without its head."""
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))
    return [plain(text) for text in row.get_by_role("cell").all_text_contents()]


def plain(text: str) -> str:
    return re.sub(r"[\s\u00a0\u2009]", "", text)


def grouped(count: int) -> re.Pattern[str]:
    """A number as the page writes it."""
    return re.compile(rf"^{count:,}$".replace(",", r"\s"))


def lit(picture: Picture) -> Picture:
    """(n, 3) what is not black, nor as good as."""
    return np.asarray(picture[picture.max(axis=2) > 64])


def test_a_recording_is_reprocessed_by_the_dialog_and_compared_with_its_original(
    screen: BrowserContext, page_service: LocalService, original: str
) -> None:
    page = opened(screen, page_service, f"view/{original}")
    complaints = Complaints(page)
    page.get_by_role("button", name="Reprocess").click()
    page.get_by_label("Generator").select_option("classical")
    page.get_by_label("Threshold").fill("0.6")
    page.get_by_role("spinbutton", name="Last frame").fill("299")
    page.get_by_role("dialog").get_by_role("button", name="Reprocess").click()
    page.wait_for_url(lambda url: "/view/" in url and original not in url)
    new = page.url.rpartition("/")[2]
    finished(page_service, new)
    made = told(page_service, new)
    assert made["reprocessed_from"] == original
    assert made["generator"]["name"] == "classical"
    settings = made["settings"]
    assert (settings["name"], settings["model"], settings["threshold"]) == ("Sample, again", "classical", 0.6)
    assert (settings["frames"], made["frames_processed"]) == ("0:300", 300)
    page.get_by_role("link", name="Compare with its original").click()
    expect(page).to_have_url(re.compile(f"#/compare/{original}/{new}"))
    page.locator(".fact").first.wait_for()
    numbers_are_the_servers(page, told(page_service, f"{original}/compare/{new}"))
    marked = page.locator("tr", has=page.locator(".differs")).get_by_role("rowheader").all_text_contents()
    assert [text.split()[0] for text in marked] == ["Generator", "Version", "Threshold", "Frames"]
    assert row_of(page, "Frames differs") == ["all", "0to299"]
    assert complaints.texts == []


def numbers_are_the_servers(page: Page, comparison: dict[str, Any]) -> None:
    first, second = comparison["first"], comparison["second"]
    counts = [str(side["localizations"]) for side in (first, second)]
    ratio = second["localizations"] / first["localizations"]
    assert row_of(page, "Localizations") == [*counts, f"{TIMES}{ratio:.2f}"]
    assert row_of(page, "Photons (median)")[:2] == [f"{side['photons_median']:.0f}" for side in (first, second)]
    facts = {plain(fact.locator("dt").inner_text().split("\n")[0]): fact for fact in page.locator(".fact").all()}
    shown = {name: plain(fact.locator("dd").inner_text()) for name, fact in facts.items()}
    assert shown["Agreement"] == f"{100 * comparison['jaccard']:.0f}%"
    assert shown["Pairs"] == str(comparison["matched"])
    assert shown["Photonsofpairs"] == f"{TIMES}{comparison['photon_ratio_median']:.2f}"


def test_another_tolerance_is_asked_for_anew(
    screen: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = compared(screen, page_service, original, part)
    page.get_by_label("Same molecule up to (nm)").fill("3")
    page.get_by_label("Same molecule up to (nm)").press("Enter")
    near = told(page_service, f"{original}/compare/{part}?tolerance_nm=3")
    assert near["matched"] < told(page_service, f"{original}/compare/{part}")["matched"]
    pairs = page.locator(".fact", has_text="Molecules that both have found").locator("dd")
    expect(pairs).to_have_text(grouped(near["matched"]))


def test_what_still_grows_is_compared_as_it_grows(
    screen: BrowserContext, page_service: LocalService, original: str
) -> None:
    page = opened(screen, page_service, "wall")
    complaints = Complaints(page)
    with admin(page_service) as client:
        made = client.post(f"{API}/{original}/reprocess", json={"threshold": 0.9}).raise_for_status().json()
        client.post(f"{API}/{made['id']}/pause").raise_for_status()
    page.goto(f"{page_service.url}/#/compare/{original}/{made['id']}")
    expect(page.get_by_text("One of them still grows")).to_be_visible()
    settings = page.locator("section", has=page.get_by_role("heading", name="Settings"))
    expect(settings.get_by_role("row", name="Threshold")).to_contain_text("0.9")
    with admin(page_service) as client:
        client.post(f"{API}/{made['id']}/resume").raise_for_status()
    finished(page_service, made["id"])
    expect(page.get_by_text("One of them still grows")).to_be_hidden()
    page.locator(
        f'.picture[data-which="2"] .stage[data-rows="{told(page_service, made["id"])["localizations"]}"]'
    ).wait_for()
    comparison = told(page_service, f"{original}/compare/{made['id']}")
    pairs = page.locator(".fact", has_text="Molecules that both have found").locator("dd")
    expect(pairs).to_have_text(grouped(comparison["matched"]))
    numbers_are_the_servers(page, comparison)
    assert complaints.texts == []


def test_both_images_move_as_one_whichever_is_moved(
    screen: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = compared(screen, page_service, original, part)
    complaints = Complaints(page)
    before = float(stage_of(page, "1").get_attribute("data-nm-per-px") or 0)
    page.keyboard.press("+")
    box = stage_of(page, "2").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.wheel(0, -400)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] - 40, steps=4)
    page.mouse.up()
    settle(page)
    one, two = (stage_of(page, which).get_attribute("data-nm-per-px") for which in ("1", "2"))
    assert one == two
    assert float(one or 0) < 0.6 * before
    places = [stage_of(page, which).locator("canvas").last.evaluate("it => it.style.transform") for which in ("1", "2")]
    assert places[0] == places[1]
    page.keyboard.press("0")
    mode(page, "Swipe")
    widths = {stage_of(page, which).evaluate("it => it.clientWidth") for which in ("1", "2")}
    assert widths == {round(page.locator(".pair").evaluate("it => it.clientWidth"))}
    assert len({stage_of(page, which).get_attribute("data-nm-per-px") for which in ("1", "2")}) == 1
    assert complaints.texts == []


def test_the_divider_is_a_slider_that_keys_and_pointers_move(
    screen: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = compared(screen, page_service, original, part)
    mode(page, "Swipe")
    slider = page.get_by_role("slider", name="Divider")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "56")
    slider.press("Home")
    assert (
        page.locator('.picture[data-which="2"]').evaluate("it => getComputedStyle(it).clipPath")
        == "inset(0px 0px 0px 0%)"
    )
    second_alone = len(lit(pair_picture(page)))
    slider.press("End")
    first_alone = len(lit(pair_picture(page)))
    assert first_alone > 1.3 * second_alone  # of which there is less
    box = page.locator(".pair").bounding_box()
    assert box is not None
    slider.press("PageDown")
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect(slider).to_have_attribute("aria-valuenow", "25")
    page.locator(".stage").first.focus()
    page.keyboard.press("Space")
    expect(slider).to_have_attribute("aria-valuenow", "100")
    page.keyboard.press("Space")
    expect(slider).to_have_attribute("aria-valuenow", "0")


def test_the_difference_has_the_servers_colours(
    screen: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = compared(screen, page_service, original, part)
    mode(page, "Difference")
    ours = field_of(pair_picture(page))
    theirs = server_difference(page_service, original, part, ours.shape[:2])
    # Outside the part there is only the first: orange, without any blue.
    left = lit(ours[:, : round(0.12 * ours.shape[1])])
    assert len(left) > 20
    assert left[:, 2].max() < 16
    assert np.allclose(left[:, 1] / left[:, 0], 0.55, atol=0.05)
    for channel in (0, 2):
        assert np.corrcoef(smooth(ours[:, :, channel]), smooth(theirs[:, :, channel]))[0, 1] > 0.95


@pytest.mark.parametrize("draw_with", ["canvas", "webgl"])
def test_what_is_the_same_has_no_colour(
    screen: BrowserContext, page_service: LocalService, original: str, draw_with: str
) -> None:
    preferences = json.dumps({"drawWith": draw_with})
    screen.add_init_script(f"localStorage.setItem('cellstorm.viewer', {json.dumps(preferences)})")
    page = compared(screen, page_service, original, original)
    expect(page.get_by_text("Both tables are the same")).to_be_visible()
    assert stage_of(page, "2").get_attribute("data-painter") == draw_with
    mode(page, "Difference")
    same = lit(pair_picture(page))
    assert len(same) > 1000
    assert np.ptp(same, axis=1).max() <= 3


def field_of(picture: Picture) -> Picture:
    """The square in the middle that the field of the sample fills."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def server_difference(service: LocalService, first: str, second: str, shape: tuple[int, int]) -> Picture:
    with admin(service) as client:
        png = client.get(f"{API}/{first}/compare/{second}/difference.png").raise_for_status().content
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    return np.asarray(picture.resize(shape[::-1], Image.Resampling.BOX)).astype(float)


def smooth(channel: Picture) -> Picture:
    """Means over squares: pixels of another size are drawn a little otherwise."""
    height, width = (side // 16 * 16 for side in channel.shape)
    return np.asarray(channel[:height, :width].reshape(height // 16, 16, width // 16, 16).mean(axis=(1, 3)).ravel())


def test_the_difference_is_there_to_be_taken_away(
    screen: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = compared(screen, page_service, original, part)
    with page.expect_download() as download:
        page.get_by_role("link", name="Difference as a picture").click()
    assert download.value.suggested_filename == "Sample-A_part-difference.png"
    with Image.open(download.value.path()) as kept:
        assert (kept.format, kept.size) == ("PNG", (640, 640))


def test_a_setting_that_the_server_refuses_is_told_in_the_dialog(
    screen: BrowserContext, page_service: LocalService, original: str
) -> None:
    page = opened(screen, page_service, f"view/{original}")
    page.get_by_role("button", name="Reprocess").click()
    dialog = page.get_by_role("dialog")
    page.get_by_label("X, Y, width, height").fill("100, 100, 64, 64")
    expect(page.get_by_label("Region")).to_have_value("other")
    dialog.get_by_role("button", name="Reprocess").click()
    expect(dialog.get_by_role("alert")).to_contain_text("reaches beyond the frame of 128x128 pixels")
    expect(dialog.get_by_role("button", name="Reprocess")).to_be_enabled()
    page.get_by_role("spinbutton", name="First frame").fill("50")
    page.get_by_role("spinbutton", name="Last frame").fill("20")
    dialog.get_by_role("button", name="Reprocess").click()
    expect(dialog.get_by_role("alert")).to_contain_text("comes before the first")


def test_any_other_result_is_chosen_from_a_list(
    screen: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = opened(screen, page_service, f"view/{part}")
    page.get_by_role("button", name="Compare with…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("sampl")
    if AXE.is_file():
        assert findings(page) == []
    chosen = dialog.get_by_role("link").and_(page.locator(f'[href="#/compare/{original}/{part}"]'))
    expect(chosen).to_contain_text("same recording")
    chosen.click()
    expect(page.get_by_role("heading", name="Comparison")).to_be_visible()
    expect(dialog).to_be_hidden()


def test_a_spectator_of_one_reprocesses_nothing_and_compares_nothing(
    screen: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = screen.new_page()
    join(page, page_service, "watch", part)
    page.goto(f"{page_service.url}/#/view/{part}")
    expect(page.locator(".figure dd").first).not_to_be_empty()
    expect(page.locator(".again")).to_be_hidden()
    page.goto(f"{page_service.url}/#/compare/{original}/{part}")
    expect(page.get_by_role("alert")).to_contain_text("Ask for a code")


def test_on_a_phone_the_images_stack(
    phone: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = compared(phone, page_service, original, part)
    first, second = (stage_of(page, which).bounding_box() for which in ("1", "2"))
    assert first is not None
    assert second is not None
    assert second["y"] >= first["y"] + first["height"]
    assert second["x"] == first["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")


def test_where_one_cannot_be_shown_the_other_is_and_it_says_why(
    screen: BrowserContext, page_service: LocalService, original: str
) -> None:
    page = opened(screen, page_service, f"compare/{original}/unknown")
    expect(page.locator('.picture[data-which="2"]')).to_contain_text("This one cannot be shown")
    stage_of(page, "1").and_(page.locator('[data-complete="true"]')).wait_for()
    assert lit(pair_picture(page)).size > 0


def test_what_failed_without_a_frame_is_not_compared_for_ever(
    screen: BrowserContext, page_service: LocalService, original: str
) -> None:
    failed = new_acquisition(page_service, "Broken")
    store = Store.connect(page_service.redis_url)
    store.transition(failed, State.FAILED, error="the file holds no video")
    store.redis.close()
    page = opened(screen, page_service, f"compare/{failed}/{original}")
    stage_of(page, "2").and_(page.locator('[data-complete="true"]')).wait_for()
    expect(page.locator('.picture[data-which="1"]')).to_contain_text("no frames")
    expect(page.get_by_text("One of them has no frames")).to_be_visible()


def test_exchanging_both_keeps_the_way_of_looking_and_the_handle_stays_within_the_image(
    screen: BrowserContext, page_service: LocalService, original: str, part: str
) -> None:
    page = compared(screen, page_service, original, part)
    mode(page, "Swipe")
    page.get_by_role("link", name="Exchange first and second").click()
    page.wait_for_url(lambda url: url.endswith(f"{part}/{original}"))
    expect(page.get_by_role("button", name="Swipe")).to_have_attribute("aria-pressed", "true")
    page.locator(".split-handle").press("End")
    assert page.evaluate("""() => {
        const handle = document.querySelector(".split-handle");
        const knob = getComputedStyle(handle, "::after");
        const right = handle.getBoundingClientRect().left + parseFloat(knob.left) + parseFloat(knob.width) / 2;
        return right <= document.querySelector(".pair").getBoundingClientRect().right;
    }""")


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: make setup")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_comparing_has_no_serious_finding(
    screen: BrowserContext, page_service: LocalService, original: str, part: str, scheme: str
) -> None:
    page = compared(screen, page_service, original, part)
    page.evaluate("scheme => { document.documentElement.dataset.theme = scheme }", scheme)
    for name in ("Side by side", "Swipe", "Difference"):
        mode(page, name)
        assert findings(page) == [], name
    page.goto(f"{page_service.url}/#/view/{part}")
    page.get_by_role("button", name="Reprocess").click()
    page.get_by_role("dialog").wait_for()
    assert findings(page) == []
