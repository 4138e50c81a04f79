"""What was done, with what, and how much came of it: report.json."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.analysis.recording import RecordingQuality
from cellstorm.analysis.summary import Analysis, Circumstances
from cellstorm.camera import Camera
from cellstorm.camera_report import CameraReport
from cellstorm.comparison import Origin
from cellstorm.gaps import Gap
from cellstorm.generator import GeneratorSpec
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Method, Snapshot
from cellstorm.roi import RegionOfInterest

IMPORTED: Final = "table"
"""The source's kind where another program made the table."""


class Provenance(BaseModel):
    """Where a result comes from; all that cannot be computed from its localizations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    acquisition_id: str
    name: str
    created_at: datetime = Field(description="UTC.")
    finished_at: datetime = Field(description="UTC.")
    source: dict[str, JsonValue] = Field(description="What the frames came from: kind, codec, size, rate, …")
    frames_received: int = Field(ge=0, description="Damaged ones included.")
    frames_lost: int = Field(default=0, ge=0, description="Sent but never came.")
    frames_damaged: int = Field(default=0, ge=0, description="Came, but could not be decoded or refer to lost ones.")
    frames_processed: int = Field(ge=0)
    frames_left_out: int = Field(default=0, ge=0, description="Came, but the setting `frames` leaves them out.")
    gaps: tuple[Gap, ...] = Field(default=(), description="Where a phone's link was lost; their frames count as lost.")
    camera_report: CameraReport | None = Field(default=None, description="What the phone told; null without a phone.")
    camera: Camera
    roi: RegionOfInterest
    pixel_size_nm: float = Field(gt=0)
    generator: GeneratorSpec
    settings: AcquisitionSettings | None = Field(
        default=None,
        description="As they were in effect: `reconstruct --from` does the same again; null in old reports.",
    )
    versions: dict[str, str] = Field(default_factory=dict, description="Of what computed; see `reproduction.versions`.")
    recording_s: float | None = Field(default=None, ge=0, description="From the first frame to the last.")
    processing_s: float | None = Field(default=None, ge=0, description="Spent on all frames, by the clock.")

    @property
    def is_imported(self) -> bool:
        """Whether another program made the table, so that nothing is known of frames, camera and generator."""
        return self.source.get("kind") == IMPORTED


class RenderingReport(BaseModel):
    """How reconstruction.ome.tif was drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method
    output_pixel_nm: float
    localizations_outside: int = Field(description="Beyond the region of interest, and so not in the image.")


class Report(Provenance):
    """Provenance and what the localizations amount to; medians are null where there are none."""

    software_version: str
    localizations: int
    localizations_per_frame: float | None = Field(description="Mean of the processed frames.")
    expected_wrong: float | None = Field(
        default=None,
        description="Share of the localizations that are no molecule, as their probabilities tell: one less their mean. Null where "
        "no judge has made these true.",
    )
    photons_median: float | None
    precision_nm_median: float | None
    background_photons_median: float | None
    frames_per_s: float | None = Field(description="Processed per second; null where the time is not known.")
    reconstruction: RenderingReport
    analysis: Analysis

    @property
    def video_sha256(self) -> str | None:
        """None where no video was at hand."""
        digest = self.source.get("sha256")
        return digest if isinstance(digest, str) else None

    @property
    def origin(self) -> Origin:
        """By which it is known whether another one was made of the same recording."""
        original = self.source.get("reprocessed_from")
        return Origin(
            frozenset({self.acquisition_id, *([original] if isinstance(original, str) else [])}), self.video_sha256
        )

    @classmethod
    def of(
        cls,
        provenance: Provenance,
        localizations: Localizations,
        snapshot: Snapshot,
        method: Method,
        *,
        frame_count: int,
        recording: RecordingQuality | None = None,
    ) -> Self:
        """The report on `localizations`, which `snapshot` shows; `recording` where it was looked at too."""
        frames, seconds = provenance.frames_processed, provenance.processing_s
        return cls(
            **dict(provenance),
            software_version=version("cellstorm"),
            localizations=len(localizations),
            localizations_per_frame=len(localizations) / frames if frames else None,
            expected_wrong=_expected_wrong(provenance, localizations),
            photons_median=_median(localizations, "photons"),
            precision_nm_median=_median(localizations, "precision_nm"),
            background_photons_median=_median(localizations, "background_photons"),
            frames_per_s=frames / seconds if seconds else None,
            reconstruction=RenderingReport(
                method=method,
                output_pixel_nm=snapshot.output_pixel_nm,
                localizations_outside=snapshot.outside,
            ),
            analysis=Analysis.of(localizations, circumstances(provenance, frame_count, recording)),
        )


def circumstances(provenance: Provenance, frame_count: int, recording: RecordingQuality | None) -> Circumstances:
    """What the analysis must know besides the table."""
    sent = max(1, provenance.frames_received + provenance.frames_lost)
    return Circumstances(
        frame_count=frame_count,
        roi=provenance.roi,
        pixel_size_nm=provenance.pixel_size_nm,
        recording=recording,
        lost=provenance.frames_lost / sent,
        damaged=provenance.frames_damaged / sent,
        camera_calibrated=provenance.camera.calibrated or provenance.is_imported,
        unseen=tuple(_unseen(provenance, frame_count)),
    )


def _unseen(provenance: Provenance, frame_count: int) -> Iterator[range]:
    """Frames that `frames` leaves out, and those that came to nobody while a link was lost."""
    wanted = None if provenance.settings is None else provenance.settings.frames
    if wanted is not None:
        yield range(wanted.start)
        yield range(frame_count if wanted.stop is None else wanted.stop, frame_count)
    yield from (range(gap.first_frame, gap.first_frame + gap.frames_lost) for gap in provenance.gaps)


def _expected_wrong(provenance: Provenance, localizations: Localizations) -> float | None:
    if provenance.generator.judge is None or not len(localizations):
        return None
    return 1.0 - float(np.mean(localizations["probability"], dtype=np.float64))


def _median(localizations: Localizations, column: str) -> float | None:
    known = localizations[column][np.isfinite(localizations[column])]
    return float(np.median(known)) if len(known) else None
