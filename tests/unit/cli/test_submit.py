from __future__ import annotations

from pathlib import Path

import pytest

from cellstorm.batches import MAX_BATCH
from cellstorm.errors import InvalidVideo
from cellstorm_cli.submit import batch_name, find_recordings, result_folders


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A folder of recordings and other things."""
    folder = tmp_path / "plate"
    (folder / "more").mkdir(parents=True)
    for name in ("b.mp4", "a.TIF", "notes.docx", "more/c.mp4"):
        (folder / name).touch()
    return folder


def test_a_folder_gives_its_recordings_and_a_pattern_what_it_fits(plate: Path) -> None:
    assert find_recordings([str(plate)]) == [plate / "a.TIF", plate / "b.mp4"]
    assert find_recordings([str(plate / "*.mp4")]) == [plate / "b.mp4"]


def test_each_recording_is_taken_once_and_a_file_that_is_named_whatever_its_name(plate: Path) -> None:
    given = [str(plate / "notes.docx"), str(plate / "b.mp4"), str(plate)]
    assert find_recordings(given) == [plate / "notes.docx", plate / "b.mp4", plate / "a.TIF"]


def test_a_file_with_brackets_in_its_name_is_itself(plate: Path) -> None:
    (plate / "d[1].mp4").touch()
    assert find_recordings([str(plate / "d[1].mp4")]) == [plate / "d[1].mp4"]


def test_many_recordings_are_not_called_by_the_first_alone() -> None:
    assert batch_name([Path("plate/a1.mp4")]) == "a1"
    assert batch_name([Path("plate/a1.mp4"), Path("plate/a2.mp4"), Path("plate/a3.tif")]) == "a1 and 2 more"


def test_a_folder_of_frames_is_one_recording_if_that_is_said(plate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_recordings([str(plate), str(plate / "more/c.mp4")], as_one=True) == [plate, plate / "more/c.mp4"]
    monkeypatch.chdir(plate)
    assert find_recordings(["."], as_one=True) == [plate]
    with pytest.raises(InvalidVideo, match="holds no TIFF file"):
        find_recordings([str(plate / "more")], as_one=True)


def test_too_many_files_may_be_the_frames_of_one_recording(tmp_path: Path) -> None:
    for frame in range(MAX_BATCH + 1):
        (tmp_path / f"{frame}.tif").touch()
    with pytest.raises(InvalidVideo, match=r"1001 recordings; submit at most 1000 at a time, or.* add --as-one"):
        find_recordings([str(tmp_path)])
    assert find_recordings([str(tmp_path)], as_one=True) == [tmp_path]


def test_where_there_is_nothing_it_is_said(plate: Path) -> None:
    with pytest.raises(InvalidVideo, match="there are no videos or TIFF stacks"):
        find_recordings([str(plate / "*.mov")])


def test_the_results_of_one_recording_lie_in_the_folder_and_those_of_many_in_folders_of_their_own(plate: Path) -> None:
    out = Path("out")
    one, many = [plate / "b.mp4"], [plate / "b.mp4", plate / "more/c.mp4", plate / "more/b.mp4"]
    assert result_folders(one, out) == {one[0]: out}
    assert list(result_folders(many, out).values()) == [out / "b", out / "c", out / "b-2"]
