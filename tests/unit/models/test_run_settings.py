"""What a run's clips were drawn from stands beside its settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cellstorm.errors import InvalidSetting
from cellstorm_models.run_settings import read_variety, write_settings
from cellstorm_models.variety import EVERYTHING, VISIBLE, Chances


def test_what_clips_are_drawn_from_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_settings(tmp_path, {"seed": 3}, VISIBLE)
    assert read_variety(tmp_path) == VISIBLE


def test_what_an_older_version_did_not_know_is_as_it_is_today(tmp_path: Path) -> None:
    older = {"clips": {"crf": [10, 20], "chance_of": {"empty": 0.5, "gone": 0.1}, "no_longer_there": 1}}
    (tmp_path / "config.json").write_text(json.dumps(older))
    assert read_variety(tmp_path) == replace(EVERYTHING, crf=(10, 20), chance_of=Chances(empty=0.5))


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="holds no training run"):
        read_variety(tmp_path)
