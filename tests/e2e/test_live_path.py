"""From a phone's stream to the result folder, and again from the video that was kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx

from cellstorm.results import picasso
from cellstorm.scoring import score
from cellstorm_cli.service import LocalService
from tests.e2e.conftest import filming, recording


def get(service: LocalService, acquisition_id: str, what: str) -> bytes:
    headers = {"Authorization": f"Bearer {service.admin_token}"}
    answer = httpx.get(f"{service.url}/api/v1/acquisitions/{acquisition_id}/{what}", headers=headers, timeout=60)
    answer.raise_for_status()
    return answer.content


def test_live_equals_batch_row_by_row_and_both_are_right(service: LocalService, tmp_path: Path) -> None:
    filmed = recording(160)
    with filming(service, filmed) as film:
        pass
    assert film.result is not None
    assert (film.result.frames_received, film.result.frames_lost, film.result.frames_damaged) == (160, 0, 0)
    assert film.result.frames_processed == 160

    folder = Path(tmp_path / "data" / "acquisitions" / film.acquisition_id / "results")
    again = tmp_path / "again"
    command = [
        sys.executable,
        "-m",
        "cellstorm_cli.main",
        "reconstruct",
        str(folder / "video.mp4"),
        "--out",
        str(again),
    ]
    summary = subprocess.run([*command, "--json"], check=True, capture_output=True, timeout=120)
    assert json.loads(summary.stdout)["localizations"] == film.result.localizations

    assert (again / "localizations.csv").read_bytes() == get(service, film.acquisition_id, "localizations.csv")
    for name in ("localizations.csv", "reconstruction.png", "widefield.png"):
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name

    table, info = picasso.read(folder / "localizations.hdf5")
    assert info.frame_count == 160
    reached = score(table, filmed.truth)
    assert reached.jaccard > 0.7
    assert reached.rmse_lateral_nm is not None
    assert reached.rmse_lateral_nm < 60
