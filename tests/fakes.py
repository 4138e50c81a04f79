"""Fakes and samples for all tests: plain classes and functions, no mocking library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.generator import GeneratorSpec
from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.results.report import Provenance
from cellstorm.roi import RegionOfInterest


def star_localizations(
    count: int, side_px: int = 64, pixel_size_nm: float = 100.0, frame_count: int = 50, seed: int = 1
) -> Localizations:
    """Localizations on a Siemens star with six spokes, in a square field, ordered by frame; none lies at the border."""
    random = np.random.default_rng(seed)
    side_nm = side_px * pixel_size_nm
    spoke = random.integers(0, 6, count) + random.uniform(0, 0.5, count)
    angle = spoke * np.pi / 3
    radius_nm = 0.4 * side_nm * np.sqrt(random.uniform(0.02, 1, count))
    centre_nm = (side_nm - pixel_size_nm) / 2
    localizations = np.zeros(count, LOCALIZATION)
    localizations["frame"] = np.sort(random.integers(0, frame_count, count))
    localizations["x_nm"] = centre_nm + radius_nm * np.cos(angle)
    localizations["y_nm"] = centre_nm + radius_nm * np.sin(angle)
    localizations["photons"] = random.gamma(4, 200, count)
    localizations["background_photons"] = random.uniform(5, 15, count)
    localizations["precision_nm"] = random.uniform(5, 40, count)
    localizations["psf_sigma_nm"] = random.uniform(120, 160, count)
    localizations["probability"] = random.uniform(0.7, 1, count)
    return localizations


def provenance(side_px: int = 64, pixel_size_nm: float = 100.0) -> Provenance:
    """Where results of `star_localizations` might come from: 50 frames, of which two were lost and one was damaged."""
    created_at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    return Provenance(
        acquisition_id="a" * 22,
        name="Siemens star, 1 µM",
        created_at=created_at,
        finished_at=created_at + timedelta(seconds=20),
        source={"kind": "video", "codec": "h264", "width": 128, "height": 96},
        frames_received=48,
        frames_lost=2,
        frames_damaged=1,
        frames_processed=47,
        camera=DEFAULT_CAMERA,
        roi=RegionOfInterest(x=8, y=16, width=side_px, height=side_px),
        pixel_size_nm=pixel_size_nm,
        generator=GeneratorSpec(
            name="test",
            version="1.0",
            sha256="0" * 64,
            output="emitters",
            context_frames=3,
            size_multiple=8,
            threshold=0.7,
        ),
        recording_s=2.45,
        processing_s=4.7,
    )
