"""Counts through H.264."""

from __future__ import annotations

import io
from dataclasses import replace

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from numpy.typing import NDArray

from cellstorm_models.compression import Compression, compress, write_mp4


@pytest.fixture
def counts() -> NDArray[np.uint8]:
    """(24, 48, 50) noise: fifty columns are no multiple of what decoders align rows to."""
    return np.random.default_rng(0).poisson(20, (24, 48, 50)).astype(np.uint8)


def _error(counts: NDArray[np.uint8], compression: Compression) -> float:
    return float(np.abs(compress(counts, compression).astype(float) - counts).mean())


def test_counts_are_the_luma_as_it_is(counts: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(compress(counts, Compression(crf=0)), counts)


def test_a_higher_rate_factor_or_a_lower_bitrate_loses_more(counts: NDArray[np.uint8]) -> None:
    assert (
        _error(counts, Compression(crf=12)) < _error(counts, Compression(crf=20)) < _error(counts, Compression(crf=28))
    )
    assert _error(counts, Compression(bits_per_pixel=2.0)) < _error(counts, Compression(bits_per_pixel=0.1))


@pytest.mark.parametrize("b_frames", [0, 2])
def test_every_frame_comes_back_in_its_order(counts: NDArray[np.uint8], b_frames: int) -> None:
    ramp = counts // 4 + np.arange(24, dtype=np.uint8)[:, np.newaxis, np.newaxis] * 8
    back = compress(ramp, Compression(crf=16, b_frames=b_frames))
    np.testing.assert_allclose(back.mean(axis=(1, 2)), ramp.mean(axis=(1, 2)), atol=1)


def _intra_coded(counts: NDArray[np.uint8], compression: Compression) -> list[int]:
    """Frames that x264 coded without the ones before."""
    buffer = io.BytesIO()
    write_mp4(buffer, counts, compression)
    buffer.seek(0)
    with av.open(buffer, "r") as container:
        types = [frame.pict_type for frame in container.decode(video=0)]
    return [index for index, kind in enumerate(types) if kind == PictureType.I]


def test_noise_is_a_cut_in_every_frame_where_x264_looks_for_cuts(counts: NDArray[np.uint8]) -> None:
    assert _intra_coded(counts, Compression()) == [0]
    assert len(_intra_coded(counts, Compression(scene_cuts=True))) > len(counts) / 2


def test_key_frames_come_as_often_as_asked(counts: NDArray[np.uint8]) -> None:
    buffer = io.BytesIO()
    write_mp4(buffer, counts, Compression(key_interval=10))
    buffer.seek(0)
    with av.open(buffer, "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert container.streams.video[0].codec_context.name == "h264"
    assert [index for index, packet in enumerate(packets) if packet.is_keyframe] == [0, 10, 20]


def test_a_live_stream_spends_its_bits_evenly(counts: NDArray[np.uint8]) -> None:
    calm = np.concatenate([np.full_like(counts, 20), counts])  # an average may save bits for later
    free = Compression(bits_per_pixel=0.5, key_interval=20, low_latency=True, baseline=True)
    assert _error(calm, replace(free, buffer_s=0.2)) > 1.05 * _error(calm, free)


def test_quantisers_stay_within_their_limits(counts: NDArray[np.uint8]) -> None:
    generous = Compression(bits_per_pixel=20.0)
    assert _error(counts, replace(generous, quantisers=(30, 40))) > 2 * _error(counts, generous)


def test_options_reach_the_encoder() -> None:
    options = replace(
        Compression(bits_per_pixel=0.5, low_latency=True, baseline=True), extra=(("aq-mode", "0"),)
    ).options(1000)
    assert options["b"] == "10000"
    assert "crf" not in options
    assert (options["tune"], options["profile"], options["aq-mode"]) == ("zerolatency", "baseline", "0")
