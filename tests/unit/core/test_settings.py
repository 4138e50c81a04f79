from __future__ import annotations

import pytest

from cellstorm.errors import InvalidSetting
from cellstorm.settings import Settings


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        pytest.param({"port": -1}, "^CELLSTORM_PORT: ", id="one alone"),
        pytest.param(
            {"max_bitrate_kbps": 2000},
            r"^CELLSTORM_MIN_BITRATE_KBPS \(3500\) is more than CELLSTORM_MAX_BITRATE_KBPS \(2000\); lower",
            id="bitrates",
        ),
        pytest.param(
            {"freed_after_s": 2.5},
            r"^CELLSTORM_SILENT_AFTER_S \(3\) is more than CELLSTORM_FREED_AFTER_S \(2.5\); lower",
            id="silence",
        ),
    ],
)
def test_settings_that_are_wrong_are_refused_by_the_names_of_their_variables(
    values: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InvalidSetting, match=complaint):
        Settings.load(**values)


def test_the_least_may_be_the_most() -> None:
    settings = Settings.load(min_bitrate_kbps=2000, max_bitrate_kbps=2000, silent_after_s=5, freed_after_s=5)
    assert settings.min_bitrate_kbps == settings.max_bitrate_kbps
