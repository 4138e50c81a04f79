"""`cellstorm train`, as the function behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellstorm.errors import InvalidSetting
from cellstorm_cli import models


def test_options_that_a_run_would_ignore_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="--learning-rate"):
        models.train(tmp_path / "run", generator="pix2pix", learning_rate=1e-3)
    with pytest.raises(InvalidSetting, match="--pause-after"):
        models.train(tmp_path / "run", pause_after=1.0)
    with pytest.raises(InvalidSetting, match="--steps"):
        models.train(tmp_path / "run", steps=5, resume=True)
    assert not list(tmp_path.iterdir())


def test_a_window_that_the_discriminator_cannot_judge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="32 pixels"):
        models.train(tmp_path / "run", generator="enhance", side=16)
    assert not list(tmp_path.iterdir())


def test_a_place_where_no_run_can_be_kept_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidSetting, match="file/run cannot be written"):
        models.train(tmp_path / "file" / "run")
    with pytest.raises(InvalidSetting, match="file/package cannot be written"):
        models.export(tmp_path / "run", tmp_path / "file" / "package")
