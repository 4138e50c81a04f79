from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import version

import pytest

from cellstorm_cli.main import COMMANDS, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name: str) -> None:
    module = importlib.import_module(f"cellstorm_cli.{COMMANDS[name].module}")
    assert getattr(module, name).__name__ == name


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--help"], {"torch", "numpy", "fastapi", "aiortc", "onnxruntime"}),
        (["worker", "--help"], {"torch", "fastapi", "aiortc"}),
        (["gateway", "--help"], {"torch", "onnxruntime"}),
        (["train", "--help"], {"torch", "fastapi", "onnxruntime"}),
        (["evaluate", "--help"], {"torch", "onnx", "matplotlib", "fastapi"}),
    ],
)
def test_only_what_the_asked_command_needs_is_imported(arguments: list[str], unneeded: set[str]) -> None:
    program = (
        "import sys; from cellstorm_cli.main import main; code = main(sys.argv[1:]);"
        "print('\\n' + ' '.join(sys.modules)); sys.exit(code)"
    )
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert unneeded.isdisjoint(ended.stdout.splitlines()[-1].split())


def test_the_version_is_told_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cellstorm {version('cellstorm')}\n"


def test_a_command_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["localise"]) == 2
    assert "No such command 'localise'" in capsys.readouterr().err


def test_a_choice_that_is_not_there_is_told_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "table.csv", "--to", "excel"]) == 2
    told = capsys.readouterr().err
    assert "Invalid value for '--to': 'excel' is not one of" in told


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        pytest.param("CELLSTORM_PORT", "eighty", "CELLSTORM_PORT: ", id="no number"),
        pytest.param(
            "CELLSTORM_REDIS_URL", "http://redis", "CELLSTORM_REDIS_URL must begin with redis://", id="no Redis"
        ),
        pytest.param("CELLSTORM_MODLE", "fast", "CELLSTORM_MODLE is no setting; write CELLSTORM_MODEL", id="misspelt"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv("CELLSTORM_REDIS_PORT", "6380")  # of compose, and no setting
    monkeypatch.setenv(variable, value)
    assert main(["doctor"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"cellstorm: {says}")
    assert told.count("\n") == 1
