"""What a phone tells of its camera stands in the acquisition's report."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cellstorm.localizations import LOCALIZATION
from tests.gateway import Gateway
from tests.integration.test_rest import check_problem

API = "/api/v1/acquisitions"
REPORT: dict[str, Any] = {
    "device": "Mozilla/5.0 (Linux; Android 16)",
    "camera": "camera2 0, facing back",
    "width": 1920,
    "height": 1080,
    "crop_x": 704,
    "crop_y": 284,
    "crop_side": 512,
    "luma": "exact",
    "frame_rate": 29.97,
    "preset": "dstorm",
    "locks": {
        "exposure_time": {"state": "locked", "value": 330, "wanted": 330},
        "iso": {"state": "drifting", "value": 120, "wanted": 800},
        "torch": {"state": "not_available", "value": None, "wanted": None},
    },
    "frames": {"seen": 600, "skipped": 1, "repeated": 0, "left_out": 0, "sent": 590, "missed": 9},
    "link_losses": 1,
}


def table(background: float, frames: range) -> Any:  # noqa: ANN401  # numpy's structured arrays
    made = np.zeros(100, LOCALIZATION)
    made["frame"] = np.linspace(frames.start, frames.stop - 1, 100).astype(int)
    made["x_nm"] = made["y_nm"] = 3000
    made["photons"], made["background_photons"], made["precision_nm"] = 900, background, 12
    made["psf_sigma_nm"], made["probability"] = 140, 0.9
    return made


def test_the_newest_report_is_kept_and_stands_in_report_json(gateway: Gateway) -> None:
    created = gateway.create()
    address = f"{API}/{created['id']}/camera-report"
    assert gateway.http.get(address).json() is None
    assert gateway.http.put(address, json={**REPORT, "link_losses": 0}).status_code == 204
    assert gateway.http.put(address, json=REPORT).status_code == 204
    assert gateway.http.get(address).json() == REPORT
    gateway.commit(created["id"], table(10, range(10)))
    gateway.http.post(f"{API}/{created['id']}/finish").raise_for_status()
    gateway.wait_for(created["id"], "finished")
    report = json.loads((gateway.library.results(created["id"]) / "report.json").read_text())
    assert report["camera_report"] == REPORT
    assert report["gaps"] == []


def test_a_report_that_is_none_is_refused(gateway: Gateway) -> None:
    created = gateway.create()
    address = f"{API}/{created['id']}/camera-report"
    wrong = {**REPORT, "locks": {"flash": REPORT["locks"]["torch"]}}
    check_problem(gateway.http.put(address, json=wrong), 422, "invalid-request")
    assert gateway.http.get(address).json() is None


def test_a_brighter_background_is_told_as_drifting_exposure(gateway: Gateway) -> None:
    created = gateway.create()
    address = f"{API}/{created['id']}/exposure"
    assert gateway.http.get(address).json()["ratio"] is None
    for chunk in range(10):
        gateway.commit(created["id"], table(40 if chunk < 5 else 60, range(10 * chunk, 10 * chunk + 10)))
    told = gateway.http.get(address).json()
    assert told["has_drifted"]
    assert abs(told["ratio"] - 1.5) < 1e-6
