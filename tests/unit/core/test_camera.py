from __future__ import annotations

import pytest

from cellstorm.camera import PRESETS, Camera
from cellstorm.errors import InvalidSetting


def test_a_camera_is_a_preset_or_three_numbers() -> None:
    assert Camera.parse("emccd") == PRESETS["emccd"]
    own = Camera.parse("gain=0.5, offset=6,read_noise=1")
    assert own == Camera(gain=0.5, offset=6, read_noise=1, calibrated=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gain=0,offset=6,read_noise=1", "gain must be greater than 0"),
        ("gain=0.5", "offset is missing"),
        ("gain=inf,offset=6,read_noise=1", "gain must be a finite number"),
        ("gain=0.5,offset=6,noise=1", "read_noise is missing"),
        ("nikon", "is neither one of phone, .* nor of the form gain="),
    ],
)
def test_what_is_no_camera_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=said):
        Camera.parse(text)
