"""A phone's way in over HTTPS, in a browser that checks certificates: nothing is ignored, the authority is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, expect

from cellstorm.settings import Settings
from cellstorm_cli.service import LocalService, local_service
from tests.e2e.browsers import (
    BUILT_PAGE,
    PHONE,
    Complaints,
    admin,
    chromium_arguments,
    chromium_path,
    wait_until,
    write_camera_file,
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """The whole service, with HTTPS in this machine's network."""
    if not (BUILT_PAGE / "index.html").is_file():
        pytest.skip("needs the built page: make setup")
    folder = tmp_path_factory.mktemp("service")
    settings = Settings.load(data=folder / "data", port=0, https_port=0, page=BUILT_PAGE)
    with local_service(settings, log_file=folder / "log") as running:
        yield running


@contextmanager
def chromium(playwright: Playwright, folder: Path, authority: bytes | None) -> Iterator[Browser]:
    """A browser that trusts this authority besides those that it knows, and has a file as its camera."""
    executable = chromium_path()
    if executable is None or shutil.which("certutil") is None:
        pytest.skip("needs chromium and certutil: apt install chromium libnss3-tools")
    known = folder / ".pki" / "nssdb"
    known.mkdir(parents=True)
    database = ("certutil", "-d", f"sql:{known}")
    subprocess.run((*database, "-N", "--empty-password"), check=True)
    if authority is not None:
        (folder / "ca.crt").write_bytes(authority)
        arguments = ("-A", "-t", "C,,", "-n", "cellSTORM", "-i", str(folder / "ca.crt"))
        subprocess.run((*database, *arguments), check=True)
    camera = chromium_arguments(write_camera_file(folder / "blinking.y4m"))
    browser = playwright.chromium.launch(
        executable_path=executable, args=camera, env={**os.environ, "HOME": str(folder)}
    )
    yield browser
    browser.close()


def authority(service: LocalService) -> bytes:
    return httpx.get(f"{service.url}/ca.crt", trust_env=False).raise_for_status().content


def open_phone(browser: Browser) -> Page:
    page = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True).new_page()
    page.set_default_timeout(60_000)
    return page


def test_a_phone_that_trusts_the_authority_scans_a_code_and_films(
    playwright: Playwright, service: LocalService, tmp_path: Path
) -> None:
    with admin(service) as client:
        code = client.post("/api/v1/codes", json={"right": "film"}).raise_for_status().json()
    with chromium(playwright, tmp_path, authority(service)) as browser:
        page = open_phone(browser)
        complaints = Complaints(page)
        page.goto(code["join_url"])
        page.get_by_role("button", name="Film", exact=True).tap()
        page.wait_for_url(re.compile(r"#/film/.+"))
        acquisition_id = page.url.rpartition("/")[2]
        wait_until(service, acquisition_id, lambda acquisition: acquisition["localizations"] > 0)
        [cookie] = page.context.cookies()
        assert cookie["name"].startswith("__Host-cellstorm_session_")
        assert (cookie["secure"], cookie["httpOnly"]) == (True, True)
        assert code["code"] not in page.evaluate("location.href + JSON.stringify({...sessionStorage, ...localStorage})")
        page.get_by_role("button", name="Stop").tap()
        wait_until(service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")
        assert complaints.texts == []


def test_a_phone_that_does_not_is_warned_and_finds_the_page_that_explains(
    playwright: Playwright, service: LocalService, tmp_path: Path
) -> None:
    assert service.https_url is not None
    with chromium(playwright, tmp_path, None) as browser:
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            open_phone(browser).goto(service.https_url)
        page = open_phone(browser)  # the other one still comes to its browser's own page about it
        page.goto(f"{service.https_url.replace('https', 'http')}/ca")  # what it can open without a warning
        expect(page.get_by_role("heading", name="Why your browser warns")).to_be_visible()
        with page.expect_download() as download:
            page.locator("summary", has_text="Android").tap()
            page.get_by_role("link", name="Download the certificate").first.tap()
        assert download.value.path().read_bytes() == authority(service)
