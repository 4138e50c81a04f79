"""Reconstruction in the browser itself: the same localizations as the server's, from the same file."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, expect
from scipy.spatial import cKDTree

from cellstorm_cli.service import LocalService
from cellstorm_models.compression import Compression, write_mp4
from tests.e2e.browsers import Complaints, admin, upload, wait_until
from tests.e2e.conftest import recording

FRAMES = 90
FRAME_APART_NM = 1e6
"""Between localizations of different frames: none is another's neighbour."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two chunks of blinking molecules."""
    path = tmp_path_factory.mktemp("video") / "film.mp4"
    write_mp4(path, recording(FRAMES).counts.astype(np.uint8), Compression(crf=20, key_interval=30))
    return path


def table(path: Path) -> NDArray[np.float64]:
    """(n, 9) rows of a ThunderSTORM CSV."""
    return np.loadtxt(path, delimiter=",", skiprows=1)


def places(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) frame, x and y, as points of one space."""
    return rows[:, 1:4] * (FRAME_APART_NM, 1, 1)


@pytest.mark.parametrize("generator", ["fast", "default"])
def test_the_browser_finds_what_the_server_finds(
    phone: BrowserContext, page_service: LocalService, video: Path, tmp_path: Path, generator: str
) -> None:
    page = phone.new_page()
    complaints = Complaints(page)
    page.goto(f"{page_service.url}/#/local")
    page.get_by_label("Generator").select_option(generator)
    page.get_by_label("Square in the middle").select_option("64")
    page.get_by_label("Open a recording").set_input_files(video)
    expect(page.get_by_text("Done.")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save table (CSV)").tap()
    saved.value.save_as(tmp_path / "here.csv")

    acquisition_id = upload(page_service, "film", video, model=generator)
    wait_until(page_service, acquisition_id, lambda acquisition: acquisition["state"] == "finished")
    with admin(page_service) as client:
        answer = client.get(f"/api/v1/acquisitions/{acquisition_id}/localizations.csv").raise_for_status()
    (tmp_path / "there.csv").write_bytes(answer.content)

    here, there = table(tmp_path / "here.csv"), table(tmp_path / "there.csv")
    distance, nearest = cKDTree(places(there)).query(places(here))
    same = distance < 0.1
    # WebAssembly and the server's runtime sum in another order: a probability on the threshold may fall either way
    assert same.mean() > 0.995
    assert abs(len(here) - len(there)) <= 0.005 * len(there)
    np.testing.assert_allclose(here[same, 5], there[nearest[same], 5], rtol=1e-3)
    assert complaints.texts == []


def test_a_file_that_is_no_video_is_refused_in_words(
    phone: BrowserContext, page_service: LocalService, tmp_path: Path
) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    page = phone.new_page()
    page.goto(f"{page_service.url}/#/local")
    page.get_by_label("Open a recording").set_input_files(tmp_path / "notes.mp4")
    expect(page.get_by_text("This file is no video")).to_be_visible()


def test_the_camera_is_reconstructed_until_it_is_stopped(phone: BrowserContext, page_service: LocalService) -> None:
    page = phone.new_page()
    complaints = Complaints(page)
    page.goto(f"{page_service.url}/#/local")
    page.get_by_label("Square in the middle").select_option("64")
    page.get_by_role("button", name="Use the camera").tap()
    frames = page.locator(".local-figures dd").nth(1)
    expect(frames).to_have_text(re.compile(r"^\d{2,}$"))
    page.get_by_role("button", name="Stop").tap()
    expect(page.get_by_role("button", name="Save table (CSV)")).to_be_visible()
    assert complaints.texts == []
