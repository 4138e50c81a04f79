"""A batch: many recordings that are one piece of work for the person who sent them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from cellstorm.acquisitions import AcquisitionSettings, Priority, State

MAX_BATCH: Final = 1000
"""Acquisitions of one batch."""

FileName = Annotated[str, Field(min_length=1, max_length=200)]


class NewBatch(BaseModel):
    """What is sent to open a batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="batch", min_length=1, max_length=200)
    settings: AcquisitionSettings = Field(
        default_factory=AcquisitionSettings,
        description="Of its acquisitions; each has its file's name for a name.",
    )
    priority: Priority = Priority.NORMAL
    files: tuple[FileName, ...] = Field(
        default=(), max_length=MAX_BATCH, description="An acquisition is opened for each; others may join later."
    )


class BatchMember(BaseModel):
    """One acquisition of a batch, in short."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    state: State
    paused: bool
    frames_expected: int | None
    frames_processed: int
    localizations: int
    eta_s: float | None
    error: str | None
    notice: str | None = Field(default=None, description="What to know of the recording, as that its file was cut off.")


class Batch(BaseModel):
    """A batch at one moment; its figures are sums over its acquisitions."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    settings: AcquisitionSettings
    priority: Priority
    created_at: datetime
    states: dict[State, int] = Field(description="How many of its acquisitions are in each state; none is left out.")
    paused: int = Field(description="How many are paused.")
    is_over: bool = Field(description="Each of its acquisitions has finished, failed or was cancelled.")
    frames_expected: int | None = Field(description="Null while not all of its files have come.")
    frames_received: int
    frames_lost: int
    frames_damaged: int
    frames_processed: int
    localizations: int
    fps: float | None = Field(description="Frames processed per second of late.")
    eta_s: float | None = Field(
        description="Until all that is expected is processed, files that have not come yet guessed from the others; "
        "null until known and while all is paused."
    )


class BatchDetail(Batch):
    """A batch with its acquisitions, in the order in which they joined."""

    acquisitions: list[BatchMember]


class CreatedBatch(BatchDetail):
    """A new batch."""

    token: str = Field(description="Opens this batch and all its acquisitions; shown this once.")
