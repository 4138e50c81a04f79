from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cellstorm.chunks import Chunk
from cellstorm.cutting import ChunkCutter, CutChunk
from cellstorm.errors import InvalidVideo
from cellstorm.h264 import IDR_SLICE, AccessUnit, ParameterSets, nal_type, split_annex_b
from cellstorm.quantiser import FrameCoding, codings_of, slice_quantiser
from cellstorm.sources import open_source
from tests.fakes import INTERLACED, chunk_of_spots, encode_h264, numbered_frames


def constant(x264: str = "", **options: str) -> dict[str, str]:
    """x264's options for a quantiser of 30 throughout."""
    return {
        "crf": "-1",
        "qp": "30",
        "i_qfactor": "1",
        "b_qfactor": "1",
        **options,
        **({"x264-params": x264} if x264 else {}),
    }


def cuts_of(units: Sequence[AccessUnit]) -> list[CutChunk]:
    cutter = ChunkCutter()
    return [cut for unit in units for cut in cutter.add(unit)] + list(cutter.finish())


def codings(units: Sequence[AccessUnit]) -> list[FrameCoding]:
    return [coding for cut in cuts_of(units) if cut.chunk is not None for coding in codings_of(cut.chunk)]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="as phones"),
        pytest.param({"preset": "medium"}, id="arithmetic coder, weights"),
        pytest.param({"preset": "slow", "bf": "3", "x264-params": "weightp=2:b-pyramid=normal"}, id="B frames"),
        pytest.param({"preset": "medium", "x264-params": "slices=3"}, id="slices"),
        pytest.param(
            {"preset": "medium", "refs": "8", "x264-params": "bframes=2:weightb=1:direct=auto"}, id="references"
        ),
    ],
)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "gray"])
def test_a_constant_quantiser_is_read_from_every_frame(options: dict[str, str], pixel_format: str) -> None:
    units = encode_h264(numbered_frames(25), pixel_format=pixel_format, options={**constant(), **options})
    found = codings(units)
    assert [coding.frame_index for coding in found] == list(range(25))
    assert {coding.quantiser for coding in found} == {30}
    assert [coding.frame_index for coding in found if coding.is_key] == [0, 10, 20]
    assert sum(coding.size_bytes for coding in found) == pytest.approx(sum(len(unit.data) for unit in units), rel=0.2)


def test_fades_have_weights_and_are_read_all_the_same() -> None:
    frames = [
        np.clip(frame * (0.3 + 0.03 * index), 0, 255).astype(np.uint8)
        for index, frame in enumerate(numbered_frames(20))
    ]
    units = encode_h264(frames, group=20, options=constant("weightp=2", preset="slow"))
    assert {coding.quantiser for coding in codings(units)} == {30}


def test_key_frames_may_be_finer_than_the_others() -> None:
    found = codings(encode_h264(numbered_frames(20), options={"crf": "-1", "qp": "28", "i_qfactor": "0.5"}))
    assert {coding.quantiser for coding in found if coding.is_key} == {22}  # six steps are a factor of two
    assert {coding.quantiser for coding in found if not coding.is_key} == {28}


def test_fields_of_interlaced_video_are_read() -> None:
    sets = ParameterSets()
    quantisers = []
    for unit in encode_h264(numbered_frames(4), options={**INTERLACED, **constant("tff=1")}):
        for nal_unit in split_annex_b(unit.data):
            sets.add(nal_unit)
            if 0 < nal_type(nal_unit) <= IDR_SLICE:
                quantisers.append(slice_quantiser(nal_unit, sets))
    assert set(quantisers) == {30}


def test_a_header_that_is_cut_short_tells_nothing_and_spoils_nothing() -> None:
    chunk = next(cut.chunk for cut in cuts_of(encode_h264(numbered_frames(10))) if cut.chunk is not None)
    torn = Chunk(chunk.header, (*chunk.payloads[:-1], chunk.payloads[-1][:6]))
    found = codings_of(torn)
    assert found[-1].quantiser is None
    assert all(coding.quantiser is not None for coding in found[:-1])
    assert codings_of(chunk_of_spots(0, 0)) == []


def test_a_slice_without_its_parameter_sets_is_refused() -> None:
    units = split_annex_b(encode_h264(numbered_frames(1))[0].data)
    with pytest.raises(InvalidVideo, match="parameter sets are missing"):
        slice_quantiser(units[-1], ParameterSets())


def test_what_chromium_sent_has_the_quantiser_that_was_measured(shared: Path) -> None:
    source = open_source(shared / "bench" / "chromium.mp4")
    found = [coding.quantiser for chunk in source.chunks() for coding in codings_of(chunk)]
    assert None not in found
    assert np.median(np.array(found, np.float64)) == 26  # bench/README.md
