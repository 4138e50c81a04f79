"""`cellstorm submit` against a real gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes import star_localizations
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_archive import FILES
from tests.integration.test_uploads import VIDEO_FRAMES, write_video


@contextmanager
def committing(gateway: Gateway) -> Iterator[None]:
    """Until the context is left, one localization is found in every chunk that waits."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            for acquisition_id in gateway.store.ids():
                for number in gateway.store.pending(acquisition_id):
                    chunk = gateway.store.get_chunk(acquisition_id, number)
                    if chunk is not None:
                        frames = chunk.header.frame_count
                        table = star_localizations(1)
                        gateway.store.commit(acquisition_id, chunk, table, frame_count=frames, widefield=None)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def submit(gateway: Gateway, file: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cellstorm_cli.main", "submit", str(file), "--server", gateway.address]
    return subprocess.run(
        [*command, "--token", ADMIN_TOKEN, "--out", str(out), *options], capture_output=True, text=True, timeout=120
    )


def test_a_recording_is_uploaded_awaited_and_its_results_fetched(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "actin.mp4", [(96, 64)])
    with committing(gateway):
        done = submit(gateway, video, tmp_path / "out", "--pixel-size", "80", "--threshold", "0.4", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["frames_processed"], told["localizations"]) == ("finished", VIDEO_FRAMES, 4)
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["name"], report["pixel_size_nm"], report["settings"]["threshold"]) == ("actin", 80, 0.4)
    assert report["recording_s"] == pytest.approx(VIDEO_FRAMES / 20, abs=0.06)


def test_a_stream_that_turns_bad_in_the_middle_is_told_and_removed(gateway: Gateway, tmp_path: Path) -> None:
    parts = [write_video(tmp_path / f"{side}.ts", [(side, 64)]).read_bytes() for side in (96, 128)]
    (tmp_path / "changing.ts").write_bytes(b"".join(parts))
    before = gateway.library.ids()
    done = submit(gateway, tmp_path / "changing.ts", tmp_path / "out")
    assert done.returncode == 2
    assert "128x64" in done.stderr
    assert gateway.library.ids() == before


@pytest.mark.parametrize("content", [pytest.param(b"text", id="text"), pytest.param(b"", id="empty")])
def test_a_file_that_is_refused_leaves_nothing_anywhere(gateway: Gateway, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.mp4").write_bytes(content)
    before = gateway.library.ids()
    done = submit(gateway, tmp_path / "bad.mp4", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.strip().startswith("cellstorm: bad.mp4 is ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert gateway.library.ids() == before
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_things_is_not_written_to(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").touch()
    done = submit(gateway, video, tmp_path / "out")
    assert done.returncode == 2
    assert "thesis.docx" in done.stderr


def test_a_file_that_cannot_be_opened_is_told(gateway: Gateway, tmp_path: Path) -> None:
    for file in (tmp_path / "missing.mp4", tmp_path):
        done = submit(gateway, file, tmp_path / "out")
        assert done.returncode == 2
        assert "cannot be read" in done.stderr


def test_many_files_are_one_batch_and_a_broken_one_fails_alone(gateway: Gateway, tmp_path: Path) -> None:
    plate = tmp_path / "plate"
    plate.mkdir()
    for name in ("a", "c"):
        write_video(plate / f"{name}.mp4", [(96, 64)])
    (plate / "b.mp4").write_bytes(b"text")
    with committing(gateway):
        done = submit(gateway, plate, tmp_path / "out", "--json", "--priority", "high")
    assert done.returncode == 2
    assert "1 of 3 recordings have no results: b: " in done.stderr
    told = json.loads(done.stdout)
    assert [(each["name"], each["state"]) for each in told["acquisitions"]] == [
        ("a", "finished"),
        ("b", "failed"),
        ("c", "finished"),
    ]
    assert (told["priority"], told["frames_processed"]) == ("high", 2 * VIDEO_FRAMES)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "c"}
    assert {path.name for path in (tmp_path / "out" / "c").iterdir()} == FILES
    assert not list(tmp_path.glob(".*"))


def test_recordings_whose_names_are_not_utf8_are_sent_too(gateway: Gateway, tmp_path: Path) -> None:
    plate = tmp_path / "plate"
    plate.mkdir()
    names = [os.fsdecode(b"zelle_\xe4"), os.fsdecode(b"zelle_\xf6")]
    for name in names:
        write_video(tmp_path / "video.mp4", [(96, 64)]).rename(plate / f"{name}.mp4")
    with committing(gateway):
        done = submit(gateway, plate, tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert [each["name"] for each in json.loads(done.stdout)["acquisitions"]] == 2 * ["zelle_\ufffd"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names)


def test_after_an_interruption_the_same_command_goes_on(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", [(96, 64)])
    command = [sys.executable, "-m", "cellstorm_cli.main", "submit", str(video), "--server", gateway.address]
    command += ["--token", ADMIN_TOKEN, "--out", str(tmp_path / "out")]
    before = set(gateway.store.ids())
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        deadline = time.monotonic() + 60
        while not (new := set(gateway.store.ids()) - before) or not gateway.store.get(next(iter(new))).chunks_received:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        waiting.send_signal(signal.SIGINT)
        _, told = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    assert "The same command goes on from here" in told
    with committing(gateway):
        done = submit(gateway, video, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert set(gateway.store.ids()) - before == new
