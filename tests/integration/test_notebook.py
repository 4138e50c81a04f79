"""The notebook in docs/, cell by cell, against a real service: what it shows must work as it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cellstorm.settings import Settings
from cellstorm_cli.machine import free_port
from cellstorm_cli.service import local_service
from tests.conftest import CHECKOUT


def _cells() -> list[str]:
    notebook = json.loads((CHECKOUT / "docs/notebooks/client.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_notebook_runs_against_a_local_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.load(data=tmp_path, port=free_port(), min_free_disk_bytes=0)
    with local_service(settings, log_file=tmp_path / "log") as running:
        monkeypatch.setenv("CELLSTORM_SERVER", running.url)
        monkeypatch.setenv("CELLSTORM_ADMIN_TOKEN", running.admin_token)
        names: dict[str, object] = {}
        for number, cell in enumerate(_cells()):
            exec(compile(cell, f"cell {number}", "exec"), names)
    told = capsys.readouterr().out
    assert "median precision" in told
    assert "field-2: failed, 0 localizations" in told
    assert "retry does not fit" in told
