from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cellstorm import zoo
from cellstorm_cli.main import main


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    told = json.loads(capsys.readouterr().out)
    return {finding["name"]: finding for finding in told["findings"]}


def test_a_machine_that_can_do_the_main_job_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = findings(capsys)
    assert all(finding["ok"] for finding in found.values() if finding["needed"])
    assert "default" in str(found["models"]["detail"])


def test_weights_that_were_changed_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(zoo.entry("default").folder, tmp_path / "default")
    (tmp_path / "default" / zoo.WEIGHTS).write_bytes(b"")
    monkeypatch.setenv("CELLSTORM_ZOO", str(tmp_path))
    assert main(["doctor", "--json"]) == 1
    assert not findings(capsys)["models"]["ok"]


def test_what_is_missing_is_shown_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CELLSTORM_ZOO", str(tmp_path))
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "missing models: none" in shown
    assert "CELLSTORM_ZOO" in shown
