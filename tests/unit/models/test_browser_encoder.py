"""Counts through the encoder that Chromium sends H.264 with."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cellstorm_models import browser_encoder
from cellstorm_models.browser_encoder import BrowserCompression, compress_by, openh264_version
from cellstorm_models.compression import Compression, compress

_X264 = Compression(bits_per_pixel=0.3, low_latency=True, baseline=True)


@pytest.fixture
def counts() -> NDArray[np.uint8]:
    """(24, 64, 96): noise that grows brighter from frame to frame."""
    noise = np.random.default_rng(0).poisson(20, (24, 64, 96))
    return (noise + 6 * np.arange(24)[:, np.newaxis, np.newaxis]).astype(np.uint8)


def _error(counts: NDArray[np.uint8], bits_per_pixel: float) -> float:
    return float(
        np.abs(compress_by(BrowserCompression(bits_per_pixel, 20, _X264), counts).astype(float) - counts).mean()
    )


@pytest.mark.skipif(openh264_version() is None, reason="OpenH264 is not installed: apt-get install libopenh264-7")
def test_every_frame_comes_back_the_better_the_more_bits_it_had(counts: NDArray[np.uint8]) -> None:
    compression = BrowserCompression(0.5, 10, _X264)
    back = compress_by(compression, counts)
    np.testing.assert_allclose(back.mean(axis=(1, 2)), counts.mean(axis=(1, 2)), atol=1)
    np.testing.assert_array_equal(compress_by(compression, counts), back)
    assert np.any(back != compress(counts, _X264))
    assert _error(counts, 2.0) < _error(counts, 0.5) < _error(counts, 0.05)


@pytest.mark.skipif(openh264_version() is None, reason="OpenH264 is not installed: apt-get install libopenh264-7")
def test_one_that_lays_its_structures_out_otherwise_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_encoder, "_version", lambda library: (2, 6, 0))
    browser_encoder._library.cache_clear()
    try:
        assert openh264_version() is None
    finally:
        browser_encoder._library.cache_clear()


def test_where_it_is_not_installed_x264_takes_its_place(
    counts: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser_encoder, "_library", lambda: None)
    assert openh264_version() is None
    np.testing.assert_array_equal(compress_by(BrowserCompression(0.5, 10, _X264), counts), compress(counts, _X264))
