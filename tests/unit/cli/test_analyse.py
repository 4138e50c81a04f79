from __future__ import annotations

import json
from pathlib import Path

import pytest

from cellstorm.results import thunderstorm
from cellstorm_cli.main import BAD_INPUT, main
from tests.fakes import star_localizations


def test_a_table_is_analysed_and_its_figures_printed_for_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thunderstorm.write(tmp_path / "table.csv", star_localizations(2000), 100.0)
    arguments = ["analyse", str(tmp_path / "table.csv"), "--out", str(tmp_path / "out"), "--pixel-size", "100"]
    assert main([*arguments, "--json"]) == 0
    analysis = json.loads(capsys.readouterr().out)
    assert analysis == json.loads((tmp_path / "out" / "report.json").read_bytes())["analysis"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert all(finding["says"] in said for finding in analysis["verdict"])
    assert said.endswith("report.html\n")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["absent.csv", "--out", "out"], "there is no"),
        (["table.csv"], "--out DIR"),
        ([".", "--out", "out"], "leave out --out"),
        (["."], "no complete result folder (it has no report.json)"),
        (["table.csv", "--pixel-size", "100", "--out", "table.csv/out"], "table.csv/out cannot be written"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    thunderstorm.write(Path("table.csv"), star_localizations(20), 100.0)
    assert main(["analyse", *arguments]) == BAD_INPUT
    error = capsys.readouterr().err
    assert why in error
    assert error.count("\n") == 1
