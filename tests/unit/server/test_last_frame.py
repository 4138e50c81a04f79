"""The newest frame as a picture, of acquisitions whose video lies in the library."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cellstorm.acquisitions import AcquisitionSettings, FrameRange
from cellstorm.errors import ResultNotReady
from cellstorm.frame_marks import FrameMark
from cellstorm.mp4 import FragmentedWriter
from cellstorm.rendering import widefield_png
from cellstorm.roi import RegionOfInterest
from cellstorm.sources import open_source
from cellstorm.store import Commit, Store
from cellstorm_server import last_frame as module
from cellstorm_server.last_frame import LastFrames, Picture
from cellstorm_server.library import Library
from cellstorm_server.recent_chunks import RecentChunks
from cellstorm_server.viewers import View
from tests.fakes import encode_h264, numbered_frames, star_localizations, with_mark
from tests.unit.core.test_sources import mux_units, write_video

FRAMES = 30
ROI = RegionOfInterest(x=8, y=16, width=64, height=32)


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store.connect(redis_url)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = Library(tmp_path, 0)
    library.create("a")
    return library


def finished(store: Store, end_frame: int, settings: AcquisitionSettings | None = None) -> View:
    """As it is read from the archive: one commit up to the number of frames, lost ones included."""
    store.create("a", settings or AcquisitionSettings(), owner="test", token_digest="")
    store.set_frame_size("a", 96, 64, ROI)
    store.set_fields("a", frames_received=FRAMES, frames_lost=end_frame - FRAMES, state="finished")
    return View(store.get("a"), (Commit("0-1", 0, 0, end_frame, FRAMES, star_localizations(3)),), "0", 3)


def picture(frames: LastFrames, view: View) -> Picture:
    return asyncio.run(frames.picture(view))


def expected(path: Path, index: int) -> bytes:
    found = open_source(path).frame(index)
    assert found is not None
    rows, columns = ROI.slices
    return widefield_png(found[1][rows, columns])


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_lost_frames_at_the_end_do_not_hide_the_last_one(store: Store, library: Library, codec: str) -> None:
    made = library.root / "video.mkv"
    if codec == "h264":
        mux_units(made, encode_h264(numbered_frames(FRAMES)))
    else:
        write_video(made, numbered_frames(FRAMES), codec)
    video = made.rename(library.upload("a"))
    last = picture(LastFrames(library, RecentChunks()), finished(store, FRAMES + 4))
    assert (last.frame_index, last.png) == (FRAMES - 1, expected(video, FRAMES - 1))


def test_the_frame_of_a_finished_recording_is_looked_for_once(store: Store, library: Library) -> None:
    video = mux_units(library.root / "video.mkv", encode_h264(numbered_frames(FRAMES))).rename(library.upload("a"))
    frames, view = LastFrames(library, RecentChunks()), finished(store, FRAMES + 4)
    first = picture(frames, view)
    video.unlink()
    assert picture(frames, view) is first


def test_a_video_that_is_not_here_is_looked_for_seldom(
    store: Store, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, view = LastFrames(library, RecentChunks()), finished(store, FRAMES)
    with pytest.raises(ResultNotReady, match="ask the gateway that received it"):
        picture(frames, view)
    mux_units(library.root / "video.mkv", encode_h264(numbered_frames(FRAMES))).rename(library.upload("a"))
    with pytest.raises(ResultNotReady, match="ask the gateway that received it"):
        picture(frames, view)
    monkeypatch.setattr(module, "_MISSED_S", 0.0)
    assert picture(frames, view).frame_index == FRAMES - 1


def test_a_damaged_video_is_one_that_is_not_here(store: Store, library: Library) -> None:
    library.upload("a").write_bytes(bytes(1000))
    with pytest.raises(ResultNotReady, match="ask the gateway that received it"):
        picture(LastFrames(library, RecentChunks()), finished(store, FRAMES))


def test_frames_that_were_left_out_are_not_the_newest(store: Store, library: Library) -> None:
    mux_units(library.root / "video.mkv", encode_h264(numbered_frames(FRAMES))).rename(library.upload("a"))
    settings = AcquisitionSettings(frames=FrameRange(start=3, stop=14))
    assert picture(LastFrames(library, RecentChunks()), finished(store, FRAMES, settings)).frame_index == 13


def test_of_several_parts_the_newest_that_goes_so_far_is_read(store: Store, library: Library) -> None:
    for session in range(2):
        first, *others = encode_h264(numbered_frames(10, first=10 * session), first_timestamp=30_000 * session)
        units = [with_mark(first, FrameMark(10 * session, session)), *others]
        with FragmentedWriter(library.new_part("a"), units[0], first_timestamp=0) as writer:
            writer.append(units)
    view = finished(store, FRAMES)
    assert picture(LastFrames(library, RecentChunks()), view).frame_index == 19
    earlier = replace(view, commits=(replace(view.commits[0], end_frame=7),))
    assert picture(LastFrames(library, RecentChunks()), earlier).frame_index == 6
