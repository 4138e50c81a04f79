from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellstorm import localizations
from cellstorm.acquisitions import AcquisitionSettings, FrameRange, State
from cellstorm.results import picasso
from cellstorm.results.folder import FOLDER_NAMES, MAPS_TIFF, RESULT_NAMES, TABLE_HDF5, VIDEO, WIDEFIELD_TIFF
from cellstorm.roi import RegionOfInterest
from cellstorm.scoring import inside, read_truth, score
from cellstorm.sources import open_source
from cellstorm.store import Store
from cellstorm_cli.main import main
from cellstorm_cli.reconstruct import localize_recording
from cellstorm_models.compression import Compression, write_mp4
from cellstorm_models.simulation import Recording, SimulationConfig, simulate
from cellstorm_worker.jobs import ChunkJobs
from cellstorm_worker.onnx_generator import WarmGenerators

SIDE_PX = 64
FIELD_NM = 100.0 * (SIDE_PX - 1)


@pytest.fixture(scope="module")
def recording() -> Recording:
    config = SimulationConfig(frames=80, width=SIDE_PX, height=SIDE_PX, emitters_per_frame=5)
    return simulate(config, np.random.default_rng(7))


@pytest.fixture(scope="module")
def video(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 frames, a key frame every 30: chunks of 60 and 20."""
    path = tmp_path_factory.mktemp("video") / "sample.mp4"
    write_mp4(path, recording.counts.astype(np.uint8), Compression())
    return path


def reconstruct(*arguments: object) -> int:
    return main(["reconstruct", *map(str, arguments)])


def test_a_recordings_molecules_are_found(recording: Recording, video: Path, tmp_path: Path) -> None:
    assert reconstruct(video, "--out", tmp_path / "out", "--pixel-size", 100) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(RESULT_NAMES) - {VIDEO}
    table, _ = picasso.read(tmp_path / "out" / TABLE_HDF5)
    reached = score(inside(table, FIELD_NM, FIELD_NM, 300), inside(recording.truth, FIELD_NM, FIELD_NM, 300))
    assert reached.jaccard > 0.7
    assert reached.rmse_lateral_nm is not None
    assert reached.rmse_lateral_nm < 40


def test_the_reference_video_is_reconstructed_well_enough(shared: Path, tmp_path: Path) -> None:
    assert reconstruct(shared / "bench" / "p1000_crf18.mp4", "--out", tmp_path / "out", "--pixel-size", 100) == 0
    table, _ = picasso.read(tmp_path / "out" / TABLE_HDF5)
    assert score(table, read_truth(shared / "bench" / "p1000.csv")).jaccard >= 0.7


def test_the_reference_video_is_reconstructed_without_a_network(shared: Path, tmp_path: Path) -> None:
    video = shared / "bench" / "p1000_crf18.mp4"
    assert reconstruct(video, "--out", tmp_path / "out", "--pixel-size", 100, "--model", "classical") == 0
    table, _ = picasso.read(tmp_path / "out" / TABLE_HDF5)
    assert score(table, read_truth(shared / "bench" / "p1000.csv")).jaccard >= 0.9
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["generator"]["name"], report["generator"]["sha256"]) == ("classical", None)
    seen = report["analysis"]["recording"]
    assert (seen["agreement"], seen["quantiser"]["frames"]) == (None, 500)  # a fit is no second opinion on itself
    assert 18 < seen["quantiser"]["mean"] < 25  # constant rate factor 18


@pytest.mark.parametrize("model", ["default", "classical"])
def test_live_equals_batch_row_by_row(video: Path, redis_url: str, model: str) -> None:
    generators = WarmGenerators(None, threads=1)
    settings = AcquisitionSettings(
        model=model, frames=FrameRange(start=3, stop=75), roi=RegionOfInterest(x=4, y=6, width=50, height=43)
    )
    batch = localize_recording(open_source(video), generators.get(model), settings, lambda frames: None)

    store = Store.connect(redis_url)
    store.create("acquisition-1", settings, owner="gateway", token_digest="")
    assert settings.roi is not None
    store.set_frame_size("acquisition-1", SIDE_PX, SIDE_PX, settings.roi)
    store.transition("acquisition-1", State.RECEIVING)
    chunks = list(open_source(video).chunks())
    for chunk in chunks:
        store.put_chunk("acquisition-1", chunk, budget_bytes=2**30)
    for chunk in reversed(chunks):
        ChunkJobs(store, WarmGenerators(None, threads=2)).localize_chunk(
            {"acquisition_id": "acquisition-1", "chunk": chunk.header.number}, lambda: None
        )
    assert len(chunks) > 1
    assert len(store.localizations("acquisition-1")) > 50
    assert store.localizations("acquisition-1").tobytes() == localizations.concatenate(batch.tables).tobytes()
    np.testing.assert_array_equal(store.widefield("acquisition-1").counts, batch.widefield_sum)
    assert store.get("acquisition-1").frames_processed == batch.frames_processed == 72
    assert store.get("acquisition-1").frames_left_out == batch.frames_left_out == 8
    store.redis.close()


def test_a_tiff_stack_gives_what_the_same_counts_give_otherwise(recording: Recording, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", recording.counts[:10], photometric="minisblack")
    assert reconstruct(tmp_path / "stack.tif", "--out", tmp_path / "out") == 0
    widefield = tifffile.imread(tmp_path / "out" / WIDEFIELD_TIFF)
    np.testing.assert_array_equal(np.squeeze(widefield), recording.counts[:10].sum(axis=0))


def test_a_file_whose_name_is_not_utf8_is_reconstructed(recording: Recording, tmp_path: Path) -> None:
    stack = tmp_path / os.fsdecode(b"zelle_\xe4.tif")
    tifffile.imwrite(stack, recording.counts[:2], photometric="minisblack")
    assert reconstruct(stack, "--out", tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert (report["name"], report["source"]["file"]) == ("zelle_\ufffd", "zelle_\ufffd.tif")


def test_a_video_of_a_single_frame_gives_its_localizations(recording: Recording, tmp_path: Path) -> None:
    write_mp4(tmp_path / "one.mp4", recording.counts[:1].astype(np.uint8), Compression())
    assert reconstruct(tmp_path / "one.mp4", "--out", tmp_path / "out") == 0
    table, info = picasso.read(tmp_path / "out" / TABLE_HDF5)
    assert info.frame_count == 1
    assert len(table) > 0


def test_json_is_one_object_and_nothing_else(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reconstruct(video, "--out", tmp_path / "out", "--frames", "10:30", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames_received"], told["frames_processed"], told["frames_damaged"]) == (80, 20, 0)
    assert told["localizations"] > 0
    assert told["frames_per_s"] > 0
    assert sorted(told["files"]) == sorted(path.name for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(("--roi", "40,40,32,32"), "reaches beyond the frame of 64x64", id="region beyond the frame"),
        pytest.param(("--roi", "here"), "--roi: ", id="no region"),
        pytest.param(("--frames", "80:90"), "the recording has no frames 80:90", id="frames beyond the end"),
        pytest.param(("--model", "unheard-of"), "there is no model 'unheard-of'", id="no such model"),
        pytest.param(("--camera", "toy"), "--camera: ", id="no such camera"),
        pytest.param(("--pixel-size", "0"), "--pixel-size: ", id="pixels of no size"),
    ],
)
def test_a_setting_that_cannot_be_is_bad_input(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, str], told: str
) -> None:
    assert reconstruct(video, "--out", tmp_path / "out", *options) == 2
    assert_one_line(capsys.readouterr().err, told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"This is a text, and no video.\n" * 20, b"\0" * 4096])
def test_a_file_that_is_no_video_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "text.mp4").write_bytes(content)
    assert reconstruct(tmp_path / "text.mp4", "--out", tmp_path / "out") == 2
    assert_one_line(capsys.readouterr().err, "text.mp4")
    assert not (tmp_path / "out").exists()


def test_a_video_that_was_cut_off_is_bad_input(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "half.mp4").write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    assert reconstruct(tmp_path / "half.mp4", "--out", tmp_path / "out") == 2
    assert_one_line(capsys.readouterr().err, "half.mp4")


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reconstruct(tmp_path / "none.mp4", "--out", tmp_path / "out") == 2
    assert_one_line(capsys.readouterr().err, "none.mp4 cannot be read")


def test_other_peoples_files_are_not_overwritten(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").touch()
    assert reconstruct(video, "--out", tmp_path) == 2
    assert_one_line(capsys.readouterr().err, "holds other files")


def assert_one_line(told: str, part: str) -> None:
    assert told.startswith("cellstorm: ")
    assert told.count("\n") == 1
    assert part in told


def test_a_report_is_enough_to_make_the_same_table_again(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("--roi", "4,6,50,43", "--frames", "3:45", "--camera", "gain=0.5,offset=3,read_noise=2")
    assert reconstruct(video, "--out", tmp_path / "a", "--threshold", 0.6, "--pixel-size", 107.3, *chosen) == 0
    report = tmp_path / "a" / "report.json"
    assert reconstruct(video, "--from", report, "--out", tmp_path / "b") == 0
    for name in ("localizations.hdf5", "localizations.csv", "localizations.smlm"):
        first, again = ((tmp_path / folder / name).read_bytes() for folder in "ab")
        assert first == again, name
    told = json.loads((tmp_path / "b" / "report.json").read_text())
    assert told["settings"] == json.loads(report.read_text())["settings"]
    assert reconstruct(video, "--out", tmp_path / "c", "--threshold", 0.9, "--pixel-size", 107.3, *chosen) == 0
    counts = [json.loads((tmp_path / folder / "report.json").read_text())["localizations"] for folder in "ac"]
    assert counts[0] > counts[1] > 0


def test_a_report_finds_the_recording_that_lies_beside_it(video: Path, tmp_path: Path) -> None:
    assert reconstruct(video, "--out", tmp_path / "a", "--model", "classical") == 0
    shutil.copy(video, tmp_path / video.name)
    shutil.copy(tmp_path / "a" / "report.json", tmp_path / "report.json")
    assert reconstruct("--from", tmp_path / "report.json", "--out", tmp_path / "b") == 0
    assert (tmp_path / "b" / TABLE_HDF5).read_bytes()


def test_a_report_finds_its_generator_under_another_name(video: Path, tmp_path: Path) -> None:
    assert reconstruct(video, "--out", tmp_path / "a", "--model", "fast") == 0
    told = json.loads((tmp_path / "a" / "report.json").read_text())
    told["generator"]["name"] = told["settings"]["model"] = "default"
    (tmp_path / "theirs.json").write_text(json.dumps(told))
    assert reconstruct(video, "--from", tmp_path / "theirs.json", "--out", tmp_path / "b") == 0
    first, again = ((tmp_path / folder / TABLE_HDF5).read_bytes() for folder in "ab")
    assert first == again
    assert json.loads((tmp_path / "b" / "report.json").read_text())["settings"]["model"] == "fast"


def test_what_a_report_does_not_speak_of_is_refused(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reconstruct(video, "--out", tmp_path / "a") == 0
    report = tmp_path / "a" / "report.json"
    capsys.readouterr()

    assert reconstruct(video, "--from", report, "--out", tmp_path / "b", "--frames", "1:3") == 2
    assert_one_line(capsys.readouterr().err, "--from takes all settings from the report; leave out --frames")

    assert reconstruct("--from", report, "--out", tmp_path / "b") == 2
    assert_one_line(capsys.readouterr().err, f"name it: cellstorm reconstruct {video.name} --from {report}")

    other = tmp_path / "other.mp4"
    other.write_bytes(video.read_bytes() + b"\0")
    assert reconstruct(other, "--from", report, "--out", tmp_path / "b") == 2
    assert_one_line(capsys.readouterr().err, "other.mp4 is not the file that the report speaks of")

    told = json.loads(report.read_text())
    told["generator"] |= {"version": "0.0.1", "sha256": "0" * 64}
    (tmp_path / "theirs.json").write_text(json.dumps(told))
    assert reconstruct(video, "--from", tmp_path / "theirs.json", "--out", tmp_path / "b") == 2
    assert_one_line(capsys.readouterr().err, "the report was made with 0.0.1 (000000000000, judge ")

    (tmp_path / "none.json").write_text("{}")
    assert reconstruct(video, "--from", tmp_path / "none.json", "--out", tmp_path / "b") == 2
    assert_one_line(capsys.readouterr().err, "is not a report")
    assert not (tmp_path / "b").exists()


def test_formats_that_are_asked_for_come_beside_the_usual_files_and_go_with_them(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert reconstruct(video, "--out", out, "--format", "parquet", "--format", "ozx", "--format", "16bit") == 0
    without_maps = set(FOLDER_NAMES) - {VIDEO, MAPS_TIFF}  # they come from generators of maps alone
    assert {path.name for path in out.iterdir()} == without_maps
    assert reconstruct(video, "--out", out, "--model", "classical") == 0
    assert {path.name for path in out.iterdir()} == set(RESULT_NAMES) - {VIDEO}


def test_a_format_that_is_not_known_is_bad_input(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconstruct(video, "--out", tmp_path / "out", "--format", "docx") == 2
    assert_one_line(capsys.readouterr().err, "there is no format 'docx'; choose of parquet, ozx, 16bit")
