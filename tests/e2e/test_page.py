"""The page's places in a real browser, before the whole service: join, start, wall, guide, sample, and without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from cellstorm_cli.service import LocalService
from tests.e2e.browsers import (
    BUILT_PAGE,
    Complaints,
    admin,
    join,
    new_acquisition,
    new_code,
    sign_in,
    upload,
    wait_until,
)

SAMPLE = BUILT_PAGE / "sample.mp4"


def acquisitions(service: LocalService) -> list[dict[str, Any]]:
    """As the server lists them."""
    with admin(service) as client:
        listed: list[dict[str, Any]] = client.get("/api/v1/acquisitions").raise_for_status().json()
        return listed


def named(service: LocalService, name: str) -> dict[str, Any]:
    """The acquisition of this name."""
    return next(each for each in acquisitions(service) if each["settings"]["name"] == name)


def wait_for_state(service: LocalService, acquisition_id: str, state: str) -> dict[str, Any]:
    """The acquisition, once it is there."""
    return wait_until(service, acquisition_id, lambda acquisition: acquisition["state"] == state)


def test_from_the_code_to_a_finished_image_with_one_tap(phone: BrowserContext, page_service: LocalService) -> None:
    page = phone.new_page()
    complaints = Complaints(page)
    page.goto(f"{page_service.url}/#/join/{new_code(page_service, 'film')}")
    page.get_by_role("button", name="Film", exact=True).tap()
    page.wait_for_url(re.compile(r"#/film/.+"))
    acquisition_id = page.url.rpartition("/")[2]
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["localizations"] > 0)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Stop").tap()
    finished = wait_for_state(page_service, acquisition_id, "finished")
    assert finished["frames_received"] > 0
    assert complaints.texts == []


def test_a_code_that_is_used_up_says_what_to_do(phone: BrowserContext, page_service: LocalService) -> None:
    code = new_code(page_service, "watch")
    first = phone.new_page()
    first.goto(f"{page_service.url}/#/join/{code}")
    expect(first.get_by_role("heading", name="The wall")).to_be_visible()
    phone.clear_cookies()
    second = phone.new_page()
    second.goto(f"{page_service.url}/#/join/{code}")
    expect(second.get_by_role("alert")).to_contain_text("Scan the one that is on the screen now")
    second.get_by_label("Code").fill(new_code(page_service, "watch").lower())
    second.get_by_role("button", name="Join the class").tap()
    expect(second.get_by_role("heading", name="The wall")).to_be_visible()


def test_a_stranger_who_has_joined_comes_to_what_the_address_named(
    screen: BrowserContext, page_service: LocalService
) -> None:
    page = screen.new_page()
    page.goto(f"{page_service.url}/#/wall")
    page.get_by_label("Code").fill(new_code(page_service, "film"))
    page.get_by_role("button", name="Join the class").click()
    expect(page.get_by_role("heading", name="The wall")).to_be_visible()


def test_the_admin_s_link_leaves_its_token_nowhere(screen: BrowserContext, page_service: LocalService) -> None:
    page = screen.new_page()
    sign_in(page, page_service)
    assert "token" not in page.url
    page.reload()
    expect(page.get_by_role("heading", name="Scan to join")).to_be_visible()
    kept = page.evaluate("JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage}) + document.cookie")
    assert page_service.admin_token not in kept
    assert "cellstorm_session" not in page.evaluate("document.cookie")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Join the class")).to_be_visible()


def test_a_link_that_was_opened_while_the_server_was_away_opens_later(
    screen: BrowserContext, page_service: LocalService
) -> None:
    page = screen.new_page()
    page.route("**/api/v1/session", lambda route: route.abort())
    page.goto(f"{page_service.url}/#token={page_service.admin_token}")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.get_by_role("main").get_by_role("link", name="Recordings").click()
    expect(page.get_by_role("heading", name="Recordings on this device")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute("**/api/v1/session")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Scan to join")).to_be_visible()
    assert "token" not in page.url


def test_a_batch_opens_and_can_be_hidden_or_deleted(screen: BrowserContext, page_service: LocalService) -> None:
    with admin(page_service) as client:

        def opened(name: str, *files: str) -> str:
            new = {"name": name, "files": files}
            return str(client.post("/api/v1/batches", json=new).raise_for_status().json()["id"])

        single = opened("single", "alone.mp4")
        over, going = opened("plate 7", "a1.mp4", "a2.mp4"), opened("plate 8", "b1.mp4", "b2.mp4")
        client.post(f"/api/v1/batches/{over}/cancel").raise_for_status()
    page = screen.new_page()
    sign_in(page, page_service)
    batches = page.get_by_role("region", name="Batches")
    expect(batches.get_by_role("listitem")).to_have_count(2)
    batches.get_by_role("button", name="Hide plate 7").click()
    expect(batches.get_by_role("listitem")).to_have_count(1)
    page.reload()
    batches.get_by_role("button", name=re.compile("^plate 8")).click()
    dialog = page.get_by_role("dialog", name="plate 8")
    expect(dialog.get_by_role("link")).to_have_text([re.compile("^b1"), re.compile("^b2")])
    dialog.get_by_role("link", name=re.compile("^b2")).click()
    expect(page.get_by_role("heading", name="b2")).to_be_visible()
    page.go_back()
    batches.get_by_role("button", name=re.compile("^plate 8")).click()
    dialog.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete for good?").get_by_role("button", name="Delete").click()
    expect(batches).to_be_hidden()
    with admin(page_service) as client:
        assert client.get(f"/api/v1/batches/{going}").status_code == 404
        for left in (over, single):
            client.delete(f"/api/v1/batches/{left}").raise_for_status()


def test_the_next_code_is_shown_as_soon_as_one_is_used(
    screen: BrowserContext, phone: BrowserContext, page_service: LocalService
) -> None:
    page = screen.new_page()
    sign_in(page, page_service)
    shown = page.locator(".invite-code")
    expect(shown).to_have_text(re.compile("[0-9A-Z]{8}"))
    code = shown.inner_text()
    joining = phone.new_page()
    joining.goto(f"{page_service.url}/#/join/{code}")
    expect(shown).not_to_have_text(code)
    expect(page.get_by_text("A device has joined.")).to_be_visible()
    address = page.locator(".invite-address").get_attribute("href")
    assert address is not None
    assert address.endswith(f"/#/join/{shown.inner_text()}")


def test_one_code_serves_a_class(screen: BrowserContext, page_service: LocalService) -> None:
    page = screen.new_page()
    sign_in(page, page_service)
    expect(page.locator(".invite-code")).to_have_text(re.compile("[0-9A-Z]{8}"))
    single = page.locator(".invite-code").inner_text()
    page.get_by_role("switch").check()
    expect(page.locator(".invite-code")).not_to_have_text(single)
    with admin(page_service) as client:
        code = client.get(f"/api/v1/codes/{page.locator('.invite-code').inner_text()}").raise_for_status().json()
    assert code["uses_left"] == 30


def test_a_spectator_watches_one_acquisition_and_changes_nothing(
    screen: BrowserContext, page_service: LocalService
) -> None:
    acquisition_id = new_acquisition(page_service, "Shown to all")
    page = screen.new_page()
    join(page, page_service, "watch", acquisition_id)
    assert page.url.endswith(f"#/view/{acquisition_id}")
    expect(page.get_by_role("heading", name="Shown to all")).to_be_visible()
    page.goto(f"{page_service.url}/#/")
    expect(page).to_have_url(re.compile(f"#/view/{acquisition_id}$"))
    page.goto(f"{page_service.url}/#/film/{acquisition_id}")
    expect(page.get_by_role("alert")).to_contain_text("Ask for a code that allows it")


def test_a_member_of_the_class_deletes_only_what_is_his_own(screen: BrowserContext, page_service: LocalService) -> None:
    new_acquisition(page_service, "The teacher's")
    page = screen.new_page()
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/")
    page.get_by_role("button", name="New acquisition").click()
    page.get_by_role("dialog").get_by_label("Name").fill("My own")
    page.get_by_role("button", name="Create and film").click()
    expect(page.get_by_role("heading", name="My own")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    page.get_by_role("searchbox").fill("own")
    expect(page.get_by_role("link", name=re.compile("The teacher's"))).to_be_hidden()
    page.get_by_role("searchbox").fill("")
    expect(page.get_by_role("button", name="Delete The teacher's")).to_have_count(0)
    page.get_by_role("button", name="Delete My own").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name=re.compile("My own"))).to_have_count(0)
    assert "My own" not in [each["settings"]["name"] for each in acquisitions(page_service)]


def test_new_images_hang_themselves_on_the_wall_and_open_on_a_press(
    screen: BrowserContext, page_service: LocalService
) -> None:
    page = screen.new_page()
    complaints = Complaints(page)
    join(page, page_service, "watch")
    expect(page.get_by_role("heading", name="The wall")).to_be_visible()
    acquisition_id = upload(page_service, "Hung up", SAMPLE)
    tile = page.get_by_role("link", name=re.compile("Hung up"))
    expect(tile.locator("img")).to_be_visible()
    wait_for_state(page_service, acquisition_id, "finished")
    expect(tile).to_contain_text("Finished")
    image = tile.locator("img").element_handle()
    page.wait_for_function("image => image.naturalWidth > 100", arg=image)
    tile.click()
    page.wait_for_url(re.compile(f"#/view/{acquisition_id}"))
    assert complaints.texts == []


def test_the_sample_takes_the_real_path_from_the_browser(screen: BrowserContext, page_service: LocalService) -> None:
    page = screen.new_page()
    complaints = Complaints(page)
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/")
    page.get_by_role("link", name=re.compile("Try it without a microscope")).click()
    page.get_by_role("button", name="Play the sample").click()
    page.wait_for_url(re.compile(r"#/view/.+"))
    acquisition_id = page.url.rpartition("/")[2]
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["localizations"] > 500)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".sample-bar")).to_have_count(0)
    finished = wait_for_state(page_service, acquisition_id, "finished")
    assert (finished["frame_width"], finished["frame_height"]) == (128, 128)
    assert complaints.texts == []


@pytest.mark.parametrize(
    ("place", "heading"),
    [("record", "Record on"), ("recordings", "Recordings"), ("local", "Reconstruct"), ("guide", "How")],
)
def test_what_is_on_this_device_opens_without_a_network(
    phone: BrowserContext, page_service: LocalService, place: str, heading: str
) -> None:
    page = phone.new_page()
    join(page, page_service, "film")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    kept = page.evaluate(
        """async () => {
            const caches_ = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
            const requests = (await Promise.all(caches_.map((cache) => cache.keys()))).flat();
            return requests.map((request) => new URL(request.url).pathname);
        }"""
    )
    assert "/" in kept
    assert not [path for path in kept if path.startswith(("/api", "/whip"))]
    page.reload()  # the worker looks after pages that were opened after it was installed
    phone.set_offline(True)
    page.goto(f"{page_service.url}/#/{place}")
    page.reload()
    expect(page.get_by_role("heading", level=1, name=re.compile(heading))).to_be_visible()


def test_the_place_that_needs_the_server_says_so_and_names_those_that_do_not(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = phone.new_page()
    join(page, page_service, "film")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.reload()
    phone.set_offline(True)
    page.goto(f"{page_service.url}/#/wall")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.get_by_role("main").get_by_role("link", name="Recordings").click()
    expect(page.get_by_role("heading", name="Recordings on this device")).to_be_visible()


def test_the_keyboard_leads_to_the_content_and_the_focus_follows_the_place(
    screen: BrowserContext, page_service: LocalService
) -> None:
    page = screen.new_page()
    join(page, page_service, "watch")
    page.reload()
    page.get_by_role("heading", level=1).wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Guide").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="How to film")).to_be_focused()
    expect(page).to_have_title("How to film · cellSTORM")


def test_a_choice_of_light_or_dark_outlasts_a_reload(screen: BrowserContext, page_service: LocalService) -> None:
    page = screen.new_page()
    page.goto(f"{page_service.url}/#/guide")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name=re.compile("Light or dark")).click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    page.get_by_role("heading", level=1).wait_for()
    assert page.evaluate(ground) == light


def test_the_hint_for_newcomers_is_shown_until_it_is_dismissed(
    screen: BrowserContext, page_service: LocalService
) -> None:
    page = screen.new_page()
    sign_in(page, page_service)
    page.get_by_role("button", name="Not now").click()
    page.reload()
    page.get_by_role("heading", name="Scan to join").wait_for()
    expect(page.get_by_text("First time here?")).to_have_count(0)


def test_a_search_takes_rows_away_and_brings_them_back_with_their_pictures(
    screen: BrowserContext, page_service: LocalService
) -> None:
    for name in ("Sought", "Other"):
        finished = upload(page_service, name, SAMPLE)
        wait_for_state(page_service, finished, "finished")
    page = screen.new_page()
    sign_in(page, page_service)
    picture = page.get_by_role("link", name=re.compile("^Other")).locator("img")
    expect(picture).to_be_visible()
    page.get_by_label("Search by name").fill("sought")
    expect(picture).to_have_count(0)
    page.get_by_label("Search by name").fill("")
    expect(picture).to_be_visible()


def test_signing_out_without_a_network_says_why_it_did_not_work(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = phone.new_page()
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/recordings")
    phone.set_offline(True)
    page.get_by_role("button", name="Sign out").tap()
    expect(page.get_by_role("status").filter(has_text="cannot be reached")).to_be_visible()


def test_an_address_that_leads_nowhere_says_so(screen: BrowserContext, page_service: LocalService) -> None:
    page = screen.new_page()
    page.goto(f"{page_service.url}/#/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("Scan the code again")


def test_the_page_can_be_installed(page_service: LocalService) -> None:
    with admin(page_service) as client:
        manifest = client.get("/manifest.webmanifest").raise_for_status().json()
        icons = {icon.get("purpose", "any"): icon["src"] for icon in manifest["icons"] if icon["type"] == "image/png"}
        assert set(icons) == {"any", "maskable"}
        for source in icons.values():
            assert client.get(source).raise_for_status().content.startswith(b"\x89PNG")
        assert client.get("/service-worker.js").raise_for_status().headers["content-type"].startswith("text/javascript")


def test_the_sample_that_is_served_is_the_committed_one() -> None:
    committed = Path(__file__).resolve().parents[2] / "phone_client" / "public" / "sample.mp4"
    assert committed.stat().st_size <= 1_500_000
    assert SAMPLE.read_bytes() == committed.read_bytes()
