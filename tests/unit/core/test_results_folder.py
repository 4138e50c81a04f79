from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellstorm import reconstruction
from cellstorm.errors import InvalidSetting, StorageFull
from cellstorm.localizations import empty
from cellstorm.results import picasso, smlm
from cellstorm.results.folder import RESULT_NAMES, Results, check_folder, write_results
from tests.fakes import provenance, star_localizations

WITHOUT_VIDEO = [name for name in RESULT_NAMES if name != "video.mp4"]


def results(count: int = 500) -> Results:
    widefield = np.random.default_rng(0).poisson(5000, (64, 64)).astype(np.uint32)
    return Results(star_localizations(count), widefield, frame_count=50, provenance=provenance())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The kernel refuses to write more to any file: as good as a full disk, and needs no disk of its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_every_file_is_written_and_named_in_the_reply(tmp_path: Path) -> None:
    written = write_results(tmp_path / "deep" / "out", results())
    assert sorted(path.name for path in written) == sorted(WITHOUT_VIDEO)
    assert names(tmp_path / "deep" / "out") == set(WITHOUT_VIDEO)
    assert names(tmp_path / "deep") == {"out"}
    assert all(path.stat().st_size for path in written)


def test_all_files_tell_of_the_same_localizations(tmp_path: Path) -> None:
    given = results(500)
    write_results(tmp_path / "out", given)
    table, info = picasso.read(tmp_path / "out" / "localizations.hdf5")
    assert info == picasso.TableInfo(64, 64, 50, 100.0)
    assert len(table) == 500
    assert len((tmp_path / "out" / "localizations.csv").read_text().splitlines()) == 501
    shared = smlm.read(tmp_path / "out" / "localizations.smlm")
    assert shared.pixel_size_nm == 100
    np.testing.assert_allclose(shared.localizations["x_nm"], table["x_nm"], atol=0.01)
    assert "Reconstruction</b> of 500 localizations" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert tifffile.imread(tmp_path / "out" / "reconstruction.ome.tif").sum() == pytest.approx(500, rel=1e-5)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "widefield.ome.tif"), given.widefield_sum)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["localizations"] == 500
    with Image.open(tmp_path / "out" / "reconstruction.png") as picture:
        assert picture.size == (320, 320)
    with Image.open(tmp_path / "out" / "widefield.png") as picture:
        assert picture.size == (64, 64)


def test_the_order_in_which_chunks_were_done_leaves_no_trace(tmp_path: Path) -> None:
    given = results()
    first, second = given.localizations[:200], given.localizations[200:]
    boundary = second["frame"][0]
    second["frame"][second["frame"] == boundary] = boundary + 1  # a frame's localizations are all of one chunk
    write_results(tmp_path / "in order", given)
    write_results(tmp_path / "late first", replace(given, localizations=np.concatenate([second, first])))
    tables = ("localizations.csv", "localizations.hdf5", "localizations.smlm")
    for name in (*tables, "reconstruction.png", "report.html", "report.json"):
        assert (tmp_path / "in order" / name).read_bytes() == (tmp_path / "late first" / name).read_bytes(), name


def test_no_localizations_are_no_error(tmp_path: Path) -> None:
    write_results(tmp_path / "out", replace(results(), localizations=empty()))
    assert names(tmp_path / "out") == set(WITHOUT_VIDEO)


def test_the_video_is_linked_in_and_stays_where_it_was(tmp_path: Path) -> None:
    video = tmp_path / "kept.mp4"
    video.write_bytes(b"as received")
    written = write_results(tmp_path / "out", results(), video=video)
    assert tmp_path / "out" / "video.mp4" in written
    assert (tmp_path / "out" / "video.mp4").samefile(video)


def test_a_video_that_cannot_be_linked_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    video = tmp_path / "kept.mp4"
    video.write_bytes(b"as received")
    write_results(tmp_path / "out", results(), video=video)
    assert (tmp_path / "out" / "video.mp4").read_bytes() == b"as received"


def test_older_results_are_replaced_in_the_same_folder_and_their_video_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    video = tmp_path / "kept.mp4"
    video.write_bytes(b"as received")
    write_results(out, results(500), video=video)
    identity = out.stat().st_ino
    write_results(out, results(100))
    assert out.stat().st_ino == identity
    assert json.loads((out / "report.json").read_text())["localizations"] == 100
    assert (out / "video.mp4").read_bytes() == b"as received"
    assert names(out) == set(RESULT_NAMES)


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_results(tmp_path / "out", results())
    assert names(tmp_path / "out") == set(WITHOUT_VIDEO)


def test_a_folder_with_other_peoples_files_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_results(out, results(100))
    (out / "thesis.docx").write_text("years of work")
    before = (out / "report.json").read_bytes()
    with pytest.raises(InvalidSetting, match=r"holds other files \(thesis\.docx\); choose a new or an empty folder"):
        write_results(out, results(200))
    assert (out / "report.json").read_bytes() == before
    assert names(out) == {*WITHOUT_VIDEO, "thesis.docx"}


def test_a_file_in_the_folders_place_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InvalidSetting, match="is a file; choose a folder"):
        check_folder(tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for attempt in (check_folder, lambda folder: write_results(folder, results())):
        with pytest.raises(InvalidSetting, match=r"file/out cannot be written .*; choose another"):
            attempt(tmp_path / "file" / "out")


def test_a_folder_that_was_only_asked_about_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "deep" / "out"):
        check_folder(folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


@pytest.mark.parametrize("limit", [1000, 10_000, 60_000])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, limit: int) -> None:
    with files_no_larger_than(limit), pytest.raises(StorageFull, match=r"no room for .*out; make room"):
        write_results(tmp_path / "out", results(1000))
    assert not names(tmp_path)


def test_a_full_disk_leaves_older_results_as_they_were(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_results(out, results(100))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with files_no_larger_than(10_000), pytest.raises(StorageFull):
        write_results(out, results(1000))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_field_that_is_too_large_for_fine_pixels_is_drawn_with_larger_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        reconstruction, "MAX_OUTPUT_PIXELS", 100 * 100
    )  # 2048x2048 camera pixels would do, and take long
    write_results(tmp_path / "out", results())
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert 64 < report["reconstruction"]["output_pixel_nm"] < 70
    assert len(picasso.read(tmp_path / "out" / "localizations.hdf5")[0]) == 500


def test_a_mistake_in_the_settings_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="too large"):
        write_results(tmp_path / "out", replace(results(), output_pixel_nm=0.3))
    assert not names(tmp_path)


def _write_and_be_killed(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # at the first byte that is too many
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    write_results(folder, results())


@pytest.mark.parametrize("existing", [True, False])
def test_a_killed_process_leaves_no_half_written_results_and_its_rest_goes_with_the_next(
    tmp_path: Path, existing: bool
) -> None:
    out = tmp_path / "out"
    if existing:
        out.mkdir()
    process = multiprocessing.get_context("spawn").Process(target=_write_and_be_killed, args=(out,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGXFSZ
    (leftover,) = (out if existing else tmp_path).iterdir()
    assert leftover.name.startswith(".")
    os.utime(leftover, (0, 0))  # long ago
    write_results(out, results())
    assert names(out) == set(WITHOUT_VIDEO)
    assert names(tmp_path) == {"out"}


def test_all_of_a_result_folder_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept.mp4").write_bytes(b"video")
    on_disk: set[int] = set()
    named: list[bool] = []

    def note(descriptor: int) -> None:
        on_disk.add(os.fstat(descriptor).st_ino)
        named.append((tmp_path / "out").exists())

    monkeypatch.setattr(os, "fsync", note)
    written = write_results(tmp_path / "out", results(), video=tmp_path / "kept.mp4")
    assert "video.mp4" in {path.name for path in written}
    assert {path.stat().st_ino for path in (*written, tmp_path / "out", tmp_path)} <= on_disk
    assert named == [False] * (len(named) - 1) + [True]
