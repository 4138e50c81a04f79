"""`cellstorm train --generator …`, as the function behind it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")

from cellstorm.errors import InvalidSetting  # noqa: E402  # after the check for what it needs
from cellstorm_cli import models  # noqa: E402
from cellstorm_models.adversarial.config import AdversarialConfig  # noqa: E402
from cellstorm_models.adversarial.run import begin  # noqa: E402


def test_a_generator_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="default, pix2pix, enhance"):
        models.train(tmp_path / "run", generator="cyclegan")
    assert not (tmp_path / "run").exists()


def test_a_paused_run_is_known_by_its_folder_and_goes_on(tmp_path: Path) -> None:
    small = replace(AdversarialConfig.of("enhance"), filters=2, side_px=32, steps=2, pool_clips=2)
    small = replace(small, batch=1, validation_clips=1, validation_windows=1)
    begin(tmp_path, small, torch.device("cpu"))
    for _ in range(2):
        models.train(tmp_path, resume=True, pause_after=0.0)
    assert torch.load(tmp_path / "last.pt")["step"] == 2
    assert json.loads((tmp_path / "config.json").read_text())["generator"] == "enhance"
    assert [line.split(",")[0] for line in (tmp_path / "log.csv").read_text().splitlines()] == ["step", "1", "2"]
