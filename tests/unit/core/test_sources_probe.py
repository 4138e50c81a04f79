"""The probe: what it tells, what it gives up, and files that were made to do harm."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellstorm.chunks import MAX_FRAME_SIDE
from cellstorm.errors import CellstormError
from cellstorm.sources import open_source
from cellstorm.sources.probe import Finding, Probe, Refusal
from tests.fakes import encode_h264, numbered_frames
from tests.unit.core.test_sources import STACK_16, mux_units, write_video


def probed(path: Path, *more: str) -> Probe | Refusal:
    """What the process prints."""
    command = [sys.executable, "-m", "cellstorm.sources.probe", str(path), *more]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    return Finding.model_validate_json(done.stdout).found


def test_the_probe_tells_what_a_file_says_of_itself(tmp_path: Path) -> None:
    found = probed(mux_units(tmp_path / "a.mp4", encode_h264(numbered_frames(30))))
    assert isinstance(found, Probe)
    assert (found.width, found.height, found.frame_count_estimate) == (96, 64, 30)
    assert (found.description.codec, found.description.rotation_degrees) == ("h264", 0)
    assert found.description.duration_s == pytest.approx(1.0, abs=0.05)


def test_the_probe_is_told_a_rate(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK_16)
    found = probed(tmp_path / "a.tif", "25.0")
    assert isinstance(found, Probe)
    assert found.description.fps == 25


def test_the_probe_has_given_up_memory_time_files_and_writing(tmp_path: Path) -> None:
    script = """
import json, resource
from pathlib import Path
from cellstorm.sources import probe
before = probe._memory_now()
probe.give_up_power()
limits = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))[1] for name in ("AS", "CPU", "NOFILE", "FSIZE")}
try:
    bytearray(probe.MEMORY_BYTES + 2**28)
    limits["memory"] = "taken"
except MemoryError:
    limits["memory"] = "refused"
score = Path("/proc/self/oom_score_adj")
print(json.dumps({**limits, "before": before, "score": score.read_text() if score.exists() else "1000"}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    limits = json.loads(done.stdout)
    assert limits["AS"] < limits["before"] + 2.5 * 2**30
    assert (limits["CPU"], limits["NOFILE"], limits["FSIZE"]) == (60, 32, 2**16)
    assert limits["memory"] == "refused"
    assert int(limits["score"]) == 1000


def endless_tiff(path: Path) -> None:
    """A directory whose successor is itself."""
    tifffile.imwrite(path, STACK_16[0])
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        link = page.offset + 2 + 12 * len(page.tags)
        data[link : link + 4] = struct.pack("<I", page.offset)
    path.write_bytes(bytes(data))


def wide_tiff(path: Path) -> None:
    """A few bytes that claim a frame of 60,000 x 60,000 pixels."""
    tifffile.imwrite(path, STACK_16[0], compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for name in ("ImageWidth", "ImageLength"):
            tiff.pages.first.tags[name].overwrite(60_000)


def many_paged_tiff(path: Path) -> None:
    """50,000 directories for one and the same frame."""
    tags = {
        256: (4, 32),
        257: (4, 32),
        258: (3, 8),
        262: (3, 1),
        273: (4, 8),
        277: (3, 1),
        278: (4, 32),
        279: (4, 1024),
    }
    size = 2 + 12 * len(tags) + 4
    first = 8 + 1024
    parts = [struct.pack("<2sHI", b"II", 42, first), bytes(1024)]
    for page in range(50_000):
        entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in tags.items())
        parts.append(struct.pack("<H", len(tags)) + entries + struct.pack("<I", first + (page + 1) * size))
    parts[-1] = parts[-1][:-4] + bytes(4)
    path.write_bytes(b"".join(parts))


def wide_mkv(path: Path) -> None:
    """FFV1 whose header claims 65,535 x 65,535 pixels."""
    data = write_video(path.with_suffix(".mkv"), numbered_frames(3), "ffv1", "gray").read_bytes()
    assert b"\xb0\x81\x60" in data
    for tag, old in ((b"\xb0", 96), (b"\xba", 64)):  # PixelWidth, PixelHeight
        data = data.replace(tag + b"\x81" + bytes([old]), tag + b"\x82\xff\xff")
    path.write_bytes(data)


def absurd_mkv(path: Path) -> None:
    """A first frame that claims to have 2^55 bytes."""
    data = write_video(path.with_suffix(".mkv"), numbered_frames(3), "ffv1", "gray").read_bytes()
    cluster = data.index(b"\x1f\x43\xb6\x75")
    block = data.index(b"\xa3", cluster)
    path.write_bytes(data[: block + 1] + b"\x01\x7f" + b"\xff" * 6 + data[block + 2 :])


def zip_of_garbage(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.tif", os.urandom(5000))


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(endless_tiff, id="endless TIFF"),
        pytest.param(wide_tiff, id="TIFF of huge frames"),
        pytest.param(many_paged_tiff, id="TIFF of many pages"),
        pytest.param(wide_mkv, id="MKV of huge frames"),
        pytest.param(absurd_mkv, id="MKV of absurd sizes"),
        pytest.param(zip_of_garbage, id="ZIP of garbage"),
    ],
)
def test_hostile_files_are_refused_or_read_in_bounded_time(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "hostile"
    write(path)
    found = probed(path)
    if isinstance(found, Refusal):
        assert "\n" not in found.message
    else:
        assert max(found.width, found.height) <= MAX_FRAME_SIDE


def _seeds(folder: Path) -> list[Path]:
    tifffile.imwrite(folder / "zlib.tif", STACK_16, compression="zlib", photometric="minisblack")
    tifffile.imwrite(folder / "imagej.tif", STACK_16, imagej=True)
    tifffile.imwrite(folder / "tiles.tif", STACK_16, bigtiff=True, tile=(16, 16), photometric="minisblack")
    with zipfile.ZipFile(folder / "stored.zip", "w") as packed:
        packed.write(folder / "zlib.tif", "a.tif")
        packed.write(folder / "imagej.tif", "b.tif")
    units = encode_h264(numbered_frames(20))
    for name in ("a.mp4", "a.mkv", "a.ts"):
        mux_units(folder / name, units)
    mux_units(folder / "f.mp4", units, movflags="frag_keyframe")
    write_video(folder / "a.webm", numbered_frames(10), "libvpx-vp9")
    write_video(folder / "a.avi", numbered_frames(10), "mjpeg", "yuvj420p")
    return sorted(path for path in folder.iterdir() if path.is_file())


def _damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Cut off, with some bytes changed, or with some taken out."""
    changed = bytearray(data)
    kind = random.integers(4)
    if kind == 0:
        del changed[random.integers(1, len(data)) :]
    elif kind == 1:
        place = int(random.integers(len(data)))
        del changed[place : place + int(random.choice([1, 4, 16, 200]))]
    else:
        end = len(data) if kind == 2 else min(700, len(data))  # headers have more to break
        for place in random.integers(0, end, int(random.choice([1, 3, 10, 50]))):
            changed[place] = random.choice([0, 255, 127, 128, int(random.integers(256))])
    return bytes(changed)


def test_damaged_files_of_all_kinds_raise_nothing_but_our_errors(tmp_path: Path) -> None:
    """What this has found: directories with tuples for numbers, tiles of no size, archive members before their archive."""
    random = np.random.default_rng(11)
    refused = 0
    for seed in _seeds(tmp_path):
        data = seed.read_bytes()
        for _ in range(30):
            path = tmp_path / "damaged"
            path.write_bytes(_damaged(data, random))
            try:
                for _chunk in open_source(path).chunks():
                    pass
            except CellstormError:
                refused += 1
    assert refused > 50
