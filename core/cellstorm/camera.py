"""From counts, as a camera gives them, to photons.

    photoelectrons = (counts - offset) * gain

Photons here are detected ones, that is photoelectrons, as in the field's tables.
"""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cellstorm.errors import InvalidSetting, in_words

_FORM: Final = "gain=0.69,offset=4.1,read_noise=2.5"


class Camera(BaseModel):
    """A camera's response, of the frames as they arrive (after its image processor, before the codec)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gain: float = Field(gt=0, description="Electrons per count.")
    offset: float = Field(ge=0, description="Counts in the dark.")
    read_noise: float = Field(ge=0, description="Electrons, root mean square.")
    calibrated: bool = Field(default=False, description="False for a preset: photons are then rough.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """A preset's name, or `gain=0.69,offset=4.1,read_noise=2.5` (e-/count, counts, e-).

        Raises
        ------
        InvalidSetting
            If it is neither.
        """
        if text in PRESETS:
            return cls.model_validate(PRESETS[text].model_dump())
        try:
            values = dict(part.strip().split("=", 1) for part in text.split(","))
            return cls.model_validate({**values, "calibrated": True})
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidSetting(
                f"camera {text!r}: {first['loc'][0]} {in_words(first['msg'])}; its form is {_FORM}"
            ) from error
        except ValueError as error:
            raise InvalidSetting(
                f"camera {text!r} is neither one of {', '.join(PRESETS)} nor of the form {_FORM}"
            ) from error


PRESETS: Final = {
    "phone": Camera(gain=0.69, offset=4.1, read_noise=2.5),
    "p9-iso3200": Camera(gain=0.69, offset=4.1, read_noise=2.5),
    "p9-iso3200-2018": Camera(gain=0.34, offset=4.074, read_noise=1.23),
    "emccd": Camera(gain=1.0, offset=100.0, read_noise=0.2),
}
"""`phone`: a generic phone's 8-bit video, for which the one that was measured stands. The others are the paper's: the Huawei P9 by
figure 6 of its later version (PLoS ONE 2019) and by figure 5 of its earlier one (2018); the Andor iXon3 DU-897 by table 1, which
tells its read noise: its gain and offset depend on how it is set, `cellstorm calibrate` measures them."""

DEFAULT_CAMERA: Final = PRESETS["phone"]
"""Of 8 bits, as all presets of phones are."""


def usual_camera(bits: int) -> Camera:
    """The default one, of video with so many bits: with each more, the same light is twice as many counts."""
    more = 2.0 ** (bits - 8)
    return DEFAULT_CAMERA.model_copy(
        update={"gain": DEFAULT_CAMERA.gain / more, "offset": DEFAULT_CAMERA.offset * more}
    )
