"""Recording without a network, in a browser that nobody has joined with; and uploading it when the server is back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, FilePayload, Page, expect

from cellstorm_cli.service import LocalService
from tests.e2e.browsers import Complaints, admin, join, wait_until

NETWORK = "net::ERR_INTERNET_DISCONNECTED"
"""What Chromium itself says of every request while it is cut off."""

DEAF = """
    const open = XMLHttpRequest.prototype.open;
    XMLHttpRequest.prototype.open = function (method, ...more) {
      if (method === "PATCH") Object.defineProperty(this, "onload", { set: () => undefined });
      return open.call(this, method, ...more);
    };
"""
"""So that a page never hears that its bytes arrived."""


def open_without_network(phone: BrowserContext, service: LocalService) -> Page:
    """The recordings' place from what the browser has kept of the page."""
    page = phone.new_page()
    page.goto(f"{service.url}/#/recordings")
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.reload()  # the worker looks after pages that were opened after it was installed
    phone.set_offline(True)
    page.reload()
    page.get_by_role("heading", name="Recordings on this device").wait_for()
    return page


def record(page: Page) -> None:
    """Some three seconds of what the camera sees."""
    page.get_by_role("link", name="Record here").tap()
    page.get_by_role("button", name="Record on this device").tap()
    expect(page.locator(".record-status")).to_have_text(re.compile(r"Recording · 0:0[3-9]"))
    page.get_by_role("button", name="Stop recording").tap()
    expect(page.locator(".record-status")).to_contain_text("Kept on this device.")


def acquisition_ids(service: LocalService) -> set[str]:
    """All that the server has."""
    with admin(service) as client:
        return {each["id"] for each in client.get("/api/v1/acquisitions").raise_for_status().json()}


def test_a_recording_made_without_a_network_becomes_an_acquisition_when_the_server_is_back(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = open_without_network(phone, page_service)
    complaints = [Complaints(page)]
    record(page)
    page.close()  # and with it all that was not written down

    page = phone.new_page()
    complaints.append(Complaints(page))
    page.goto(f"{page_service.url}/#/recordings")
    expect(page.get_by_role("heading", name="Film of")).to_be_visible()
    expect(page.get_by_role("link", name="Join to upload")).to_be_visible()

    phone.set_offline(False)
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/recordings")
    page.reload()  # from scratch: what this browser may do is asked for here, too
    page.get_by_role("button", name="Upload", exact=True).tap()
    page.get_by_role("link", name="Open the result").tap()
    page.wait_for_url(re.compile(r"#/view/.+"))
    acquisition_id = page.url.rpartition("/")[2]
    over = wait_until(page_service, acquisition_id, lambda acquisition: acquisition["state"] in ("finished", "failed"))
    assert over["state"] == "finished"
    assert over["frames_processed"] > 20
    assert over["localizations"] > 0
    with admin(page_service) as client:
        told = client.get(f"/api/v1/acquisitions/{acquisition_id}/camera-report").raise_for_status().json()
    assert told["crop_side"] == over["frame_width"]
    assert told["frames"]["sent"] > 20
    assert [text for each in complaints for text in each.texts if NETWORK not in text] == []


def test_an_upload_that_arrived_unheard_is_done_also_when_the_server_has_forgotten_it(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = phone.new_page()
    page.add_init_script(DEAF)
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/recordings")
    record(page)
    page.get_by_role("link", name="Show recordings").tap()
    with page.expect_request(lambda request: request.method == "PATCH") as last:
        page.get_by_role("button", name="Upload", exact=True).tap()
    upload = last.value.url
    with admin(page_service) as client:
        acquisition_id = client.get(upload).raise_for_status().json()["acquisition_id"]
        wait_until(page_service, acquisition_id, lambda acquisition: acquisition["video_from"] == "file")
        page.close()
        client.delete(upload, headers={"Tus-Resumable": "1.0.0"}).raise_for_status()  # as after an hour

    page = phone.new_page()
    page.goto(f"{page_service.url}/#/recordings")
    page.get_by_role("button", name="Go on uploading").tap()
    expect(page.get_by_role("link", name="Open the result")).to_be_visible(timeout=10_000)


def test_a_file_goes_on_being_sent_while_another_place_is_on_the_screen(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = phone.new_page()
    complaints = Complaints(page)
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/recordings")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    sample = (Path(__file__).parents[2] / "phone_client" / "public" / "sample.mp4").read_bytes()
    page.locator("#upload-files").set_input_files(FilePayload(name="long.mp4", mimeType="video/mp4", buffer=sample))
    page.get_by_role("button", name="Pause").wait_for()
    page.goto(f"{page_service.url}/#/guide")
    page.get_by_role("heading", level=1).first.wait_for()
    page.goto(f"{page_service.url}/#/recordings")
    page.get_by_role("link", name="Open the result").wait_for()
    assert complaints.texts == []


@pytest.mark.parametrize("typed", ["", "0.16", "108,5.2", "many"])
def test_a_file_is_not_sent_with_a_pixel_size_that_is_none(
    phone: BrowserContext, page_service: LocalService, typed: str
) -> None:
    before = acquisition_ids(page_service)
    page = phone.new_page()
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/recordings")
    page.locator("#upload-pixel-size").fill(typed)
    page.locator("#upload-files").set_input_files(FilePayload(name="a.mp4", mimeType="video/mp4", buffer=b"video"))
    assert page.locator("#upload-pixel-size").evaluate(
        "input => !input.validity.valid && input === document.activeElement"
    )
    expect(page.locator(".uploads > li")).to_have_count(0)
    assert acquisition_ids(page_service) == before


def test_a_file_that_is_no_video_leaves_nothing_behind_and_can_be_taken_off_the_list(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = phone.new_page()
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/recordings")
    before = acquisition_ids(page_service)
    files = {"text.mp4": b"Not a video at all.", "empty.mp4": b""}
    page.locator("#upload-files").set_input_files(
        [FilePayload(name=name, mimeType="video/mp4", buffer=data) for name, data in files.items()]
    )
    for name in files:
        entry = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name))
        expect(entry.get_by_role("alert")).to_be_visible()
        remove = entry.get_by_role("button", name=f"Remove {name}")
        expect(remove).to_be_visible()
        expect(entry.get_by_role("button")).to_have_count(1)  # nothing that would fail again
        remove.tap()
        expect(entry).to_have_count(0)
    assert acquisition_ids(page_service) == before


def test_a_recording_goes_on_until_its_place_is_left_and_is_kept(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = phone.new_page()
    complaints = Complaints(page)
    page.goto(f"{page_service.url}/#/record")
    page.get_by_role("button", name="Record on this device").tap()
    expect(page.locator(".record-status")).to_have_text(re.compile(r"Recording · 0:0[2-9]"))
    page.get_by_role("link", name="Back").tap()
    entry = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Film of"))
    expect(entry).to_contain_text(re.compile(r"0:0[2-9]"))
    entry.get_by_role("button", name=re.compile("^Delete")).tap()
    page.get_by_role("dialog").get_by_role("button", name="Delete").tap()
    expect(page.get_by_text("Nothing is kept here yet.")).to_be_visible()
    assert complaints.texts == []


def test_what_records_cannot_film_for_the_server_meanwhile(phone: BrowserContext, page_service: LocalService) -> None:
    page = phone.new_page()
    join(page, page_service, "film")
    film = page.get_by_role("button", name="Film", exact=True)
    expect(film).to_be_enabled()
    page.get_by_role("button", name="Record on this device").tap()
    # The camera is read once a second: none of its readings gives the button back.
    expect(page.locator(".record-status")).to_have_text(re.compile(r"Recording · 0:0[3-9]"))
    expect(film).to_be_disabled()
    page.get_by_role("button", name="Stop recording").tap()
    expect(film).to_be_enabled()
