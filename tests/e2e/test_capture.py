"""Filming in a real browser, before the whole service: framing, locks, what is sent, and what happens when it is cut off."""

from __future__ import annotations

import io
import os
import re
import signal
import zipfile
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, Page, expect

from cellstorm_cli.service import LocalService
from tests.e2e.browsers import FPS, SIDE_PX, Complaints, admin, join, wait_until, write_camera_file

WITHOUT_STREAMS = "delete globalThis.MediaStreamTrackGenerator; delete globalThis.MediaStreamTrackProcessor"

# A camera as Chrome on Android has it, which Chromium's file is not.
ANDROID_CAMERA = """
const settings = {exposureMode: "continuous", exposureTime: 80, iso: 100, zoom: 1, torch: false};
const ranges = {exposureTime: {min: 1, max: 1000, step: 1}, iso: {min: 50, max: 3200, step: 1},
                zoom: {min: 1, max: 4, step: 0.1}};
const {getCapabilities, getSettings, applyConstraints} = MediaStreamTrack.prototype;
Object.assign(MediaStreamTrack.prototype, {
  getCapabilities() {
    return {...getCapabilities.call(this), ...ranges, torch: true, exposureMode: ["continuous", "manual"]};
  },
  getSettings() { return {...getSettings.call(this), ...settings}; },
  async applyConstraints({advanced, ...rest}) {
    await applyConstraints.call(this, rest);
    Object.assign(settings, advanced?.[0]);
  },
});
globalThis.camera = settings;
"""

# What filming went through, and what it said meanwhile: a gateway that is quick to come back leaves no time to look.
KEEP_COURSE = """() => {
  globalThis.course = [];
  const main = document.querySelector("main"), status = document.querySelector(".run-status");
  const tell = () => course.push({state: main.dataset.capture, said: status.textContent});
  new MutationObserver(tell).observe(main, {attributes: true, childList: true, characterData: true, subtree: true});
}"""
BACK = (
    "() => course.some(({state}, n) => state === 'filming' && course.slice(0, n).some((past) => past.state === 'away'))"
)

KEEP_TRACKS = """
globalThis.tracks = [];
const {getUserMedia} = MediaDevices.prototype;
MediaDevices.prototype.getUserMedia = async function (wanted) {
  const stream = await getUserMedia.call(this, wanted);
  globalThis.tracks.push(...stream.getTracks());
  return stream;
};
"""


def open_camera(phone: BrowserContext, service: LocalService, script: str = "") -> Page:
    """A phone that has joined, with its camera open."""
    page = phone.new_page()
    page.add_init_script(script)
    join(page, service, "film")
    expect(page.get_by_role("button", name="Film", exact=True)).to_be_enabled()
    return page


def start(page: Page) -> str:
    """Press the button; the acquisition's id once it films."""
    page.get_by_role("button", name="Film", exact=True).tap()
    expect(page.locator("main")).to_have_attribute("data-capture", "filming")
    return page.url.rpartition("/")[2]


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop").tap()
    expect(page.locator("main")).to_have_attribute("data-capture", "idle")


def get(service: LocalService, path: str) -> Any:  # noqa: ANN401  # JSON
    """What the server answers there."""
    with admin(service) as client:
        return client.get(f"/api/v1/acquisitions/{path}").raise_for_status().json()


def received(service: LocalService, acquisition_id: str, frames: int) -> dict[str, Any]:
    """The acquisition, once it has so many frames."""
    return wait_until(service, acquisition_id, lambda acquisition: acquisition["frames_received"] >= frames)


def test_the_picture_is_judged_before_anything_is_filmed(phone: BrowserContext, page_service: LocalService) -> None:
    page = open_camera(phone, page_service)
    complaints = Complaints(page)
    expect(page.locator('[data-gauge="focus"]')).to_have_attribute("data-level", "good")
    expect(page.locator('[data-gauge="blinking"]')).to_contain_text(re.compile(r"[1-9]\d* a frame"))
    expect(page.locator('[data-gauge="light"]')).to_contain_text("white")
    lit = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(v => v > 60 && v < 255)"
    assert page.locator(".inset").evaluate(lit)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert complaints.texts == []


def test_the_active_square_is_placed_by_keys_and_sent_alone(phone: BrowserContext, page_service: LocalService) -> None:
    page = open_camera(phone, page_service)
    page.locator("summary", has_text="Square").tap()
    page.get_by_role("button", name="128", exact=True).tap()
    square = page.get_by_role("application", name="Active square")
    square.focus()
    for _ in range(20):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowRight")
    acquisition_id = start(page)
    acquisition = received(page_service, acquisition_id, 20)
    stop(page)
    assert (acquisition["frame_width"], acquisition["frame_height"]) == (128, 128)
    told = get(page_service, f"{acquisition_id}/camera-report")
    assert (told["crop_x"], told["crop_y"], told["crop_side"]) == (2, 32, 128)
    assert told["luma"] == "exact"

    page.reload()
    page.goto(f"{page_service.url}/#/film")
    expect(page.locator("summary", has_text="Square")).to_contain_text("128")


def test_leaving_while_filming_is_asked_first_and_ends_the_film(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = open_camera(phone, page_service)
    acquisition_id = start(page)
    received(page_service, acquisition_id, FPS)
    question = page.get_by_role("dialog", name="Stop filming?")
    for leave in (page.get_by_role("link", name="Back").tap, page.go_back, page.go_back):
        leave()
        question.get_by_role("button", name="Cancel").tap()
        expect(page.locator("dialog")).to_have_count(0)  # its answer comes a moment after it has closed
        expect(page.locator("main")).to_have_attribute("data-capture", "filming")
    page.get_by_role("link", name="Back").tap()
    question.get_by_role("button", name="Stop and leave").tap()
    page.wait_for_url("**/#/")
    expect(page.get_by_role("heading", name="Film, or watch")).to_be_visible()
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")


def test_the_browsers_way_back_ends_a_film_only_after_a_question(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = phone.new_page()
    join(page, page_service, "film")
    page.goto(f"{page_service.url}/#/")
    page.get_by_role("link", name="Film on this device").tap()
    acquisition_id = start(page)
    received(page_service, acquisition_id, FPS)
    page.go_back()
    page.get_by_role("dialog", name="Stop filming?").get_by_role("button", name="Stop and leave").tap()
    page.wait_for_url("**/#/")
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")


def test_filming_does_not_depend_on_what_is_told_of_the_camera(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = open_camera(phone, page_service)
    page.route("**/camera-report", lambda route: route.abort())
    acquisition_id = start(page)
    received(page_service, acquisition_id, FPS)
    stop(page)
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")


def kept_video(service: LocalService, acquisition_id: str) -> NDArray[np.float64]:
    """(frames, height, width) luma of what arrived."""
    wait_until(service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")
    with admin(service) as client:
        name = f"/api/v1/acquisitions/{acquisition_id}/archive.zip"
        archive = client.get(name).raise_for_status().content
    return luma_of(archive)


def luma_of(archive: bytes) -> NDArray[np.float64]:
    """Of the video in a result folder."""
    with zipfile.ZipFile(io.BytesIO(archive)) as folder:
        name = next(name for name in folder.namelist() if name.endswith("video.mp4"))
        with folder.open(name) as file, av.open(io.BytesIO(file.read()), "r") as container:
            return np.stack([np.asarray(luma(frame), float) for frame in container.decode(video=0)])


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """As it is in the stream, not rescaled."""
    plane = frame.planes[0]
    return np.frombuffer(bytes(plane), np.uint8).reshape(frame.height, plane.line_size)[:, : frame.width]


def filmed_mean(folder: Path) -> NDArray[np.float64]:
    """(height, width) mean luma of what the camera shows."""
    data = write_camera_file(folder / "camera.y4m").read_bytes()
    frame_bytes = len(b"FRAME\n") + SIDE_PX * SIDE_PX * 3 // 2
    frames = [data[-n * frame_bytes + 6 : -n * frame_bytes + 6 + SIDE_PX**2] for n in range(1, 6 * FPS + 1)]
    planes: NDArray[np.uint8] = np.stack([np.frombuffer(frame, np.uint8) for frame in frames])
    mean: NDArray[np.float64] = planes.mean(axis=0).reshape(SIDE_PX, SIDE_PX)
    return mean


def film_mean(page: Page, service: LocalService, fidelity: str) -> NDArray[np.float64]:
    """(height, width) mean luma of what arrives of the whole film."""
    acquisition_id = start(page)
    received(service, acquisition_id, 6 * FPS)
    stop(page)
    assert get(service, f"{acquisition_id}/camera-report")["luma"] == fidelity
    mean: NDArray[np.float64] = kept_video(service, acquisition_id).mean(axis=0)
    return mean


def test_brightness_arrives_as_the_camera_gave_it(
    phone: BrowserContext, page_service: LocalService, tmp_path: Path
) -> None:
    filmed = filmed_mean(tmp_path)
    arrived = film_mean(open_camera(phone, page_service), page_service, "exact")
    assert abs(np.median(arrived - filmed)) < 1
    bright = filmed > np.percentile(filmed, 90)
    slope, offset = np.polyfit(filmed[bright], arrived[bright], 1)
    assert 0.85 < slope < 1.05
    assert abs(offset) < 6


def test_a_browser_without_track_streams_films_through_a_canvas_and_says_so(
    phone: BrowserContext, page_service: LocalService, tmp_path: Path
) -> None:
    page = open_camera(phone, page_service, WITHOUT_STREAMS)
    filmed = filmed_mean(tmp_path)
    arrived = film_mean(page, page_service, "converted")
    bright = filmed > np.percentile(filmed, 90)
    assert np.corrcoef(filmed[bright], arrived[bright])[0, 1] > 0.8


def test_what_the_camera_can_hold_is_held_and_recorded(phone: BrowserContext, page_service: LocalService) -> None:
    page = open_camera(phone, page_service, ANDROID_CAMERA)
    complaints = Complaints(page)
    page.locator("summary", has_text="Hold still").tap()
    exposure = page.locator('[data-lock="exposure_time"]')
    expect(exposure).to_contain_text("33 ms", use_inner_text=True)
    expect(exposure).to_have_attribute("data-state", "locked")
    expect(page.locator('[data-lock="focus"]')).to_have_attribute("data-state", "not_available")
    page.get_by_role("button", name="Dim").tap()
    expect(exposure).to_contain_text("50")
    page.evaluate("camera.iso = 77")
    expect(page.locator('[data-lock="iso"]')).to_have_attribute("data-state", "drifting")

    acquisition_id = start(page)
    expect(page.get_by_text("ISO drifts")).to_be_visible()
    received(page_service, acquisition_id, 15)
    stop(page)
    assert get(page_service, acquisition_id)["settings"]["model"] == "fast"  # what keeps up with a camera
    told = get(page_service, f"{acquisition_id}/camera-report")
    assert told["preset"] == "dim"
    assert told["locks"]["exposure_time"] == {"state": "locked", "value": 500, "wanted": 500}
    assert told["locks"]["iso"] == {"state": "drifting", "value": 77, "wanted": 1600}
    assert told["frames"]["sent"] >= 15
    assert complaints.texts == []


def test_filming_goes_on_by_itself_after_the_gateway_was_killed(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = open_camera(phone, page_service)
    acquisition_id = start(page)
    before = received(page_service, acquisition_id, FPS)
    page.evaluate(KEEP_COURSE)
    os.kill(page_service.supervisor.process_id("gateway"), signal.SIGKILL)
    page.wait_for_function(BACK)
    course = page.evaluate("course")
    assert any("The link is lost." in moment["said"] for moment in course if moment["state"] == "away")
    assert "frames were not sent" in course[-1]["said"]
    after = received(page_service, acquisition_id, before["frames_received"] + 2 * FPS)
    stop(page)
    (gap,) = after["gaps"]
    assert gap["frames_missed"] > 0
    assert after["frames_lost"] >= gap["frames_lost"] >= gap["frames_missed"]
    told = get(page_service, f"{acquisition_id}/camera-report")
    assert told["link_losses"] == 1
    assert told["frames"]["missed"] == gap["frames_missed"]


def test_a_camera_that_was_taken_away_comes_back_into_the_same_film(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = open_camera(phone, page_service, KEEP_TRACKS)
    acquisition_id = start(page)
    before = received(page_service, acquisition_id, FPS)["frames_received"]
    page.evaluate("() => { const track = tracks.at(-1); track.stop(); track.dispatchEvent(new Event('ended')); }")
    page.wait_for_function("() => tracks.length > 1 && tracks.at(-1).readyState === 'live'")
    assert received(page_service, acquisition_id, before + 2 * FPS)["gaps"] == []
    stop(page)


def test_the_image_is_seen_beside_widefield_and_saved(phone: BrowserContext, page_service: LocalService) -> None:
    page = open_camera(phone, page_service)
    complaints = Complaints(page)
    acquisition_id = start(page)
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["localizations"] > 0)
    expect(page.get_by_role("tab", name="Image")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Widefield").tap()
    expect(page.get_by_alt_text("Sum of all frames")).to_be_visible()
    page.get_by_role("tab", name="Camera").tap()
    expect(page.get_by_role("application", name="Active square")).to_be_visible()
    stop(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").tap()
    assert download.value.suggested_filename.endswith(".png")
    phone.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("() => { delete Navigator.prototype.canShare; }")
    page.get_by_role("button", name="Share").tap()
    expect(page.get_by_text("Link copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith(f"/#/view/{acquisition_id}")
    assert complaints.texts == []


def test_without_a_secure_context_the_person_learns_what_to_do(
    phone: BrowserContext, page_service: LocalService
) -> None:
    page = phone.new_page()
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'mediaDevices', {get: () => undefined})")
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {get: () => false})")
    join(page, page_service, "film")
    expect(page.get_by_text("Open the https:// address that the server prints")).to_be_visible()
    expect(page.get_by_role("button", name="Film", exact=True)).to_be_disabled()
