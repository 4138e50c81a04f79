"""The page's places in Firefox and in WebKit: they show what they are for, and the console has nothing to complain of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cellstorm_cli.service import LocalService
from tests.e2e.browsers import BUILT_PAGE, new_code, upload, wait_until
from tests.e2e.other_browsers import OtherBrowser, firefox, firefox_path, wait_for, webkit, webkit_path

pytestmark = pytest.mark.slow
ENGINES = {"firefox": (firefox_path, firefox, "firefox-esr"), "webkit": (webkit_path, webkit, "webkit2gtk-driver xvfb")}


@pytest.fixture(scope="module", params=ENGINES)
def browser(request: pytest.FixtureRequest) -> Iterator[OtherBrowser]:
    find, run, packages = ENGINES[request.param]
    path = find()
    if path is None:
        pytest.skip(f"needs {request.param}: apt install {packages}")
    with run(path) as running:
        yield running


@pytest.fixture(scope="module")
def sample(page_service: LocalService) -> str:
    """Id of the sample, localized."""
    acquisition_id = upload(page_service, "Sample", BUILT_PAGE / "sample.mp4")
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")
    return acquisition_id


def join(browser: OtherBrowser, service: LocalService) -> None:
    browser.open(f"{service.url}/#/join/{new_code(service, 'film')}")
    wait_for(browser, "location.hash !== '' && !location.hash.includes('join')")


def go(browser: OtherBrowser, place: str, shown: str) -> None:
    """To another place, until what this selector names is to be seen."""
    browser.run(f"location.hash = '#/{place}'; return null;")
    wait_for(browser, f"[...document.querySelectorAll(`{shown}`)].some((one) => one.checkVisibility())")


def test_every_place_is_shown_and_nothing_is_wrong(
    browser: OtherBrowser, page_service: LocalService, sample: str
) -> None:
    join(browser, page_service)
    go(browser, f"view/{sample}", '.stage[data-complete="true"]')
    go(browser, f"view/{sample}", ".scale")
    go(browser, f"compare/{sample}/{sample}", '.picture[data-which="2"] .stage[data-complete="true"]')
    go(browser, "wall", ".tile img")
    go(browser, "guide", "main.guide .drawing")
    go(browser, "sample", "main button")
    go(browser, "recordings", ".recordings > li")
    go(browser, "local", "main select")
    assert browser.complaints() == []


def test_the_difference_of_the_same_is_lit_and_has_no_colour(
    browser: OtherBrowser, page_service: LocalService, sample: str
) -> None:
    join(browser, page_service)
    go(browser, f"compare/{sample}/{sample}", '.picture[data-which="2"] .stage[data-complete="true"]')
    browser.run("document.querySelectorAll('.modes button')[2].click(); return null;")
    go(browser, f"compare/{sample}/{sample}", ".difference")
    wait_for(
        browser,
        """(() => {
            const canvas = document.querySelector(".difference");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const places = Array.from({ length: data.length / 4 }, (_, place) => 4 * place);
            const lit = places.filter((at) => data[at] > 100);
            return lit.length > 1000 && lit.every((at) => Math.abs(data[at] - data[at + 2]) < 4);
        })()""",
    )
    assert browser.complaints() == []


def test_the_camera_is_cropped_and_measured(browser: OtherBrowser, page_service: LocalService) -> None:
    join(browser, page_service)
    go(browser, "record", '.gauge[data-gauge="focus"] strong:not(:empty)')
    wait_for(browser, "!document.querySelector('.record').disabled")
    assert browser.complaints() == []


def test_whoever_cannot_film_live_is_told_before(browser: OtherBrowser, page_service: LocalService) -> None:
    join(browser, page_service)
    can_send = browser.run("""
        if (!("RTCRtpSender" in window)) return false;
        return RTCRtpSender.getCapabilities("video").codecs.some(({ mimeType }) => mimeType === "video/H264");
    """)
    go(browser, "film", '.gauge[data-gauge="focus"] strong:not(:empty)')
    wait_for(browser, f"document.querySelector('button.film').disabled === {str(not can_send).lower()}")
    notices = browser.run("return [...document.querySelectorAll('.notice:not([hidden])')].map((one) => one.innerText)")
    assert ["H.264" in notice for notice in notices] == ([] if can_send else [True])
    assert browser.complaints() == []


def test_this_device_reconstructs(browser: OtherBrowser, page_service: LocalService) -> None:
    browser.open(f"{page_service.url}/#/local")
    wait_for(browser, "document.querySelector('main input[type=file]') !== null")
    browser.run("""
        const video = new DataTransfer();
        video.items.add(new File([await (await fetch("/sample.mp4")).blob()], "sample.mp4", { type: "video/mp4" }));
        const choice = document.querySelector("main input[type=file]");
        choice.files = video.files;
        choice.dispatchEvent(new Event("change", { bubbles: true }));
        return null;
    """)
    wait_for(browser, "document.querySelectorAll('.local-figures dd')[2]?.innerText.replace(/\\D/g, '') > 100")
    assert browser.complaints() == []


def test_the_page_about_the_certificate_loads_nothing_that_is_refused(
    browser: OtherBrowser, page_service: LocalService
) -> None:
    browser.open(f"{page_service.url}/ca")
    wait_for(browser, "document.querySelector('h1') !== null")
    assert browser.complaints() == []
