"""A run's config.json: its settings, and beside them all that its clips are drawn from.

Losses on other clips do not compare: a run that went on with them would never find a network better than its best one before,
or take any for better.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from cellstorm.errors import InvalidSetting
from cellstorm_models.browser_encoder import openh264_version
from cellstorm_models.clips import CLIP_FRAMES, CLIP_SIDE_PX
from cellstorm_models.variety import Chances, Variety

_CONFIG: Final = "config.json"
_CLIPS: Final = "clips"
_CHANCES: Final = "chance_of"
_ENCODER: Final = "openh264"


def is_run(folder: Path) -> bool:
    """Whether a run was begun there."""
    return (folder / _CONFIG).is_file()


def write_settings(run: Path, settings: Mapping[str, Any], variety: Variety) -> None:
    """Into the folder of a run that begins, whose clips are drawn from that variety."""
    values = {**settings, _CLIPS: _drawn_from(variety)}
    (run / _CONFIG).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def read_settings(run: Path) -> dict[str, Any]:
    """Of a run that was begun.

    Raises
    ------
    InvalidSetting
        If there is none in that folder.
    """
    try:
        values: dict[str, Any] = json.loads((run / _CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidSetting(f"{run} holds no training run; cellstorm train --out begins one") from error
    return values


def read_variety(run: Path) -> Variety:
    """What a run's clips were drawn from, perhaps by an older version; of what it did not know, today's value.

    Raises
    ------
    InvalidSetting
        If there is no run in that folder.
    """
    values = read_settings(run).get(_CLIPS, {})
    chances = Chances(**_known(Chances, values.get(_CHANCES, {})))
    return Variety(**{**_known(Variety, values), _CHANCES: chances})


def check_clips(run: Path, variety: Variety, *, instead: str) -> None:
    """That a run's clips would go on as they were; `instead` says what to do where they would not.

    Raises
    ------
    InvalidSetting
        If this version, or this machine, draws others.
    """
    values = read_settings(run)
    if values.get(_CLIPS) != _drawn_from(variety):
        raise InvalidSetting(f"{run} was begun by a version that draws other clips; {instead}")
    before, here = values.get(_ENCODER), openh264_version()
    if before != here:
        raise InvalidSetting(
            f"{run} was begun with OpenH264 {before or 'absent'}, which is {here or 'absent'} here; "
            f"have the same one, or {instead}"
        )


def _known(kind: type[Variety | Chances], values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that are its fields; tuples where JSON has lists."""
    known = {field.name: values[field.name] for field in fields(kind) if field.name in values}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}


def _drawn_from(variety: Variety) -> Any:  # noqa: ANN401  # as JSON gives it back: lists, not tuples
    return json.loads(json.dumps({"frames": CLIP_FRAMES, "side_px": CLIP_SIDE_PX, **asdict(variety)}))
