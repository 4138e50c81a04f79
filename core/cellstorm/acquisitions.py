"""An acquisition: what was asked for, how far it has come, which states follow which, and what may be asked of each."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo, field_validator

from cellstorm.camera import Camera
from cellstorm.emitters import LEAST_PROBABILITY
from cellstorm.errors import FrameSizeChanged, InvalidSetting, WrongState
from cellstorm.gaps import Gap
from cellstorm.generator import GeneratorSpec
from cellstorm.roi import RegionOfInterest


class State(StrEnum):
    """Where an acquisition stands."""

    WAITING = "waiting"  # for a phone or an upload
    RECEIVING = "receiving"
    PROCESSING = "processing"  # all has come, not all is localized and written
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"  # at somebody's wish: its video and localizations are gone


FOLLOWS: Final[dict[State, frozenset[State]]] = {
    State.WAITING: frozenset({State.RECEIVING, State.PROCESSING, State.FAILED, State.CANCELLED}),
    State.RECEIVING: frozenset({State.WAITING, State.PROCESSING, State.FAILED, State.CANCELLED}),
    State.PROCESSING: frozenset({State.FINISHED, State.FAILED, State.CANCELLED}),
    State.FINISHED: frozenset(),
    State.FAILED: frozenset({State.RECEIVING}),  # when it is tried again
    State.CANCELLED: frozenset(),
}

OVER: Final = frozenset({State.FINISHED, State.FAILED, State.CANCELLED})
"""Nothing more happens by itself."""


class Action(StrEnum):
    """What may be asked of an acquisition."""

    PAUSE = "pause"  # nothing of it is localized until it is resumed; what comes in is kept
    RESUME = "resume"
    CANCEL = "cancel"  # at once, and all of it is removed but the entry that says so
    RETRY = "retry"  # from the kept video, without sending it again


PERMITTED: Final[dict[Action, frozenset[State]]] = {
    Action.PAUSE: frozenset(State) - OVER,
    Action.RESUME: frozenset(State) - OVER,
    Action.CANCEL: frozenset(State) - OVER | {State.CANCELLED},
    Action.RETRY: frozenset({State.FAILED}),
}

_ADVICE: Final[dict[State, str]] = {
    State.WAITING: "give it a video first, or delete it",
    State.RECEIVING: "wait until it is over, or cancel it",
    State.PROCESSING: "wait until it is over, or cancel it",
    State.FINISHED: "its results are there; fetch them, reprocess it with other settings, or delete it",
    State.FAILED: "retry it, or delete it",
    State.CANCELLED: "its video was removed; delete it, and start a new acquisition",
}
"""What can be done instead."""


def check_action(action: Action, state: State) -> None:
    """Nothing, if this may be asked of an acquisition in that state.

    Raises
    ------
    WrongState
        Otherwise.
    """
    if state not in PERMITTED[action]:
        raise WrongState(f"the acquisition is {state}, so that {action} does not fit; {_ADVICE[state]}")


class Priority(StrEnum):
    """Which recordings are worked on first; what comes live always goes before all of them."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


def check_transition(old: State, new: State) -> None:
    """Nothing, if `new` may follow `old` or is the same.

    Raises
    ------
    WrongState
        Otherwise.
    """
    if new is not old and new not in FOLLOWS[old]:
        raise WrongState(f"the acquisition is {old} and cannot become {new}; {_ADVICE[old]}")


class FrameRange(BaseModel):
    """Frames A to B-1, as `A:B`; either may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int = Field(default=0, ge=0)
    stop: int | None = Field(default=None, gt=0)

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """From `A:B`.

        Raises
        ------
        InvalidSetting
            If it is not a range of at least one frame.
        """
        try:
            start, stop = text.split(":")
            parsed = cls(start=int(start or 0), stop=int(stop) if stop else None)
        except ValueError as error:  # pydantic's ValidationError is one
            raise InvalidSetting(f"frames {text!r} must be A:B, frames A to B-1, counted from 0") from error
        if parsed.stop is not None and parsed.stop <= parsed.start:
            raise InvalidSetting(f"frames {text!r} holds no frame; B must be greater than A")
        return parsed

    def __contains__(self, frame_index: int) -> bool:
        return self.start <= frame_index and (self.stop is None or frame_index < self.stop)

    def __str__(self) -> str:
        return f"{self.start}:{'' if self.stop is None else self.stop}"


def _from_text(kind: type[RegionOfInterest] | type[Camera] | type[FrameRange]) -> BeforeValidator:
    """Accepts the command line's text for a value as well as its object; a wrong one is a validation error."""

    def convert(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return kind.parse(value)
        except InvalidSetting as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(convert, json_schema_input_type=str)


RoiSetting = Annotated[RegionOfInterest, _from_text(RegionOfInterest), PlainSerializer(str)]
CameraSetting = Annotated[Camera, _from_text(Camera)]
FramesSetting = Annotated[FrameRange, _from_text(FrameRange), PlainSerializer(str)]


LONGEST_NAME: Final = 200
"""Letters of an acquisition's name."""

LEAST_THRESHOLD: Final = LEAST_PROBABILITY
"""Of a probability: what is less likely is no candidate."""
MOST_THRESHOLD: Final = 0.999
"""Above it next to nothing is reported, whatever the video shows."""
STORED: Final = {"stored": True}
"""As a validation's context: what is read was accepted once, perhaps by a version whose limits were wider."""


class AcquisitionSettings(BaseModel):
    """What may be chosen for an acquisition; the same on the command line, in HTTP and in reports."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="acquisition", min_length=1, max_length=LONGEST_NAME)
    pixel_size_nm: float = Field(default=100.0, ge=1, le=10_000, description="Camera pixel in the sample plane.")
    model: str = Field(
        default="default", pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", description="Generator, by its name in the zoo."
    )
    roi: RoiSetting | None = Field(
        default=None, description="X,Y,W,H; null for the centred 512x512, or all of a smaller frame."
    )
    camera: CameraSetting | None = Field(
        default=None, description="A preset's name or gain=…,offset=…,read_noise=…; null for `phone`."
    )
    frames: FramesSetting | None = Field(default=None, description="A:B, to localize in these frames only.")
    frame_rate: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="Frames per second of a recording that holds no times, as a TIFF stack.",
    )
    threshold: float | None = Field(
        default=None,
        ge=LEAST_THRESHOLD,
        le=MOST_THRESHOLD,
        description="Of the probability; null for the generator's own, which for `default` is chosen by what the video shows.",
    )

    @field_validator("threshold", mode="before")
    @classmethod
    def _within_todays_limits(cls, value: object, info: ValidationInfo) -> object:
        """A stored one below or above them does what the limit does."""
        if info.context == STORED and isinstance(value, int | float):
            return min(max(value, LEAST_THRESHOLD), MOST_THRESHOLD)
        return value


class NewAcquisition(AcquisitionSettings):
    """What is sent to open an acquisition: its settings, and how it is to be treated."""

    priority: Priority = Field(default=Priority.NORMAL, description="Among recordings that wait for a worker.")

    @property
    def settings(self) -> AcquisitionSettings:
        """What stands in reports."""
        return AcquisitionSettings.model_validate(
            {name: getattr(self, name) for name in AcquisitionSettings.model_fields if name in self.model_fields_set}
        )


class Acquisition(BaseModel):
    """An acquisition at one moment, as HTTP, events and viewers tell it."""

    model_config = ConfigDict(frozen=True)

    id: str
    settings: AcquisitionSettings
    state: State
    paused: bool = Field(default=False, description="Nothing of it is localized until it is resumed.")
    priority: Priority = Priority.NORMAL
    batch_id: str | None = Field(default=None, description="The batch that it belongs to.")
    reprocessed_from: str | None = Field(default=None, description="The acquisition whose kept video it is made of.")
    video_from: Literal["phone", "file"] | None = Field(default=None, description="Null until something has come.")
    video_sha256: str | None = Field(
        default=None, description="Of the kept video; null until it is finished, and of older ones."
    )
    generator: GeneratorSpec | None = Field(
        default=None,
        description="As it was when the acquisition was opened, but without its judge, which its report has; null of very old "
        "ones.",
    )
    created_at: datetime
    frame_width: int | None = Field(description="Null until the first frame.")
    frame_height: int | None
    roi: RoiSetting | None = Field(description="In effect; null until the first frame.")
    frames_expected: int | None = Field(description="Of an upload, where its container tells.")
    frames_received: int = Field(description="Damaged ones included.")
    frames_lost: int = Field(description="Sent but never came.")
    gaps: tuple[Gap, ...] = Field(default=(), description="Where a phone's link was lost; the newest hundred.")
    frames_damaged: int = Field(description="Came, but could not be decoded or refer to lost ones; not localized.")
    frames_processed: int
    frames_left_out: int = Field(default=0, description="Came, but the setting `frames` leaves them out.")
    localizations: int
    chunks_received: int
    chunks_processed: int
    waiting_chunk_bytes: int = Field(description="In Redis.")
    spooled_chunks: int = Field(description="On the gateway's disk, waiting for room in Redis.")
    lag_s: float | None = Field(
        description="Age of the newest frame that is in the image; null unless frames are coming or waiting."
    )
    fps: float | None = Field(description="Frames processed per second of late.")
    eta_s: float | None = Field(
        description="Until all expected frames are processed; null until known and while paused."
    )
    resolution_nm: float | None = Field(default=None, description="Null until known.")
    drift_nm: float | None = Field(
        default=None, description="Diagonal of the rectangle that the sample has moved in; null until known."
    )
    error: str | None = None
    notice: str | None = Field(default=None, description="What to know of the recording, as that its file was cut off.")

    def check_frame_size(self, width: int, height: int) -> None:
        """Nothing, if frames of this size fit those that came before.

        Raises
        ------
        FrameSizeChanged
            Otherwise.
        """
        if self.frame_width is not None and (self.frame_width, self.frame_height) != (width, height):
            raise FrameSizeChanged(
                f"frames are {width}x{height} pixels, but this acquisition began with {self.frame_width}x{self.frame_height}; "
                "keep the camera's size, or start a new acquisition"
            )


class CreatedAcquisition(Acquisition):
    """A new acquisition, and what is needed to publish to it and to watch it."""

    token: str = Field(description="Opens this acquisition alone; shown this once.")
    whip_url: str = Field(description="For a phone or any other WHIP client.")
    upload_url: str = Field(description="PUT a video or a TIFF stack here.")
    live_url: str = Field(description="WebSocket of the growing image.")
    viewer_url: str = Field(description="Page that shows it, to whoever may see it.")
