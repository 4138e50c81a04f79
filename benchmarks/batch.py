"""Two hundred small recordings as one batch, one of them broken; and one long recording on one and on two workers.

`python -m benchmarks.batch [FILES] [LONG_FRAMES]`: times, memory, and whether every table is that of `cellstorm reconstruct`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.streams import sample
from cellstorm.acquisitions import AcquisitionSettings, State
from cellstorm.batches import NewBatch
from cellstorm.results import picasso
from cellstorm.results.folder import TABLE_HDF5
from cellstorm.settings import Settings
from cellstorm_cli.machine import free_port
from cellstorm_cli.service import LocalService, local_service
from cellstorm_client import Client, Sending
from cellstorm_models.compression import Compression, write_mp4

_FRAMES: Final = 40
_SIDE_PX: Final = 64
_LONG_SIDE_PX: Final = 128
_COMPARED: Final = 3
_MIB: Final = 2**20


def main(files: int = 200, long_frames: int = 1500) -> None:
    """Print a line of figures for each."""
    with tempfile.TemporaryDirectory(prefix="cellstorm-bench-") as folder:
        if files:
            print(json.dumps(_batch(Path(folder), files)))
        if long_frames:
            print(json.dumps(_scaling(Path(folder), long_frames)))


def _batch(folder: Path, count: int) -> dict[str, object]:
    recordings = _recordings(folder, sample(_SIDE_PX, 10 * _FRAMES), count)
    broken = recordings[count // 2]
    broken.write_bytes(broken.read_bytes()[:300])
    with _service(folder / "batch", workers=2) as running, _highest_memory(running) as highest_mib:
        begun = time.perf_counter()
        with Client(running.url, running.admin_token) as client:
            sending = Sending(client, NewBatch(name="many"), recordings, notes=folder / "notes.json")
            own = sending.open()
            sending.send(own)
            sent_s = time.perf_counter() - begun
            detail = own.wait_batch(sending.batch_id)
            seconds = time.perf_counter() - begun
            places = np.linspace(0, count - 1, _COMPARED).astype(int)
            same = [_is_as_reconstructed(own, detail.acquisitions[place].id, recordings[place]) for place in places]
    failed = [member for member in detail.acquisitions if member.state is State.FAILED]
    return {
        "files": count,
        "states": {state: number for state, number in detail.states.items() if number},
        "failed": [(member.name, member.error) for member in failed],
        "only_the_broken_one": [member.name for member in failed] == [broken.stem],
        "frames_processed": detail.frames_processed,
        "localizations": detail.localizations,
        "as_reconstructed": same,
        "sent_s": round(sent_s, 1),
        "seconds": round(seconds, 1),
        "highest_mib": {name: round(mib) for name, mib in highest_mib.items()},
        "load": psutil.getloadavg()[0],
    }


def _recordings(folder: Path, counts: NDArray[np.uint8], count: int) -> list[Path]:
    """Videos that differ: windows of one sample, each turned and mirrored in another way."""
    paths = []
    for number in range(count):
        start = number * 7 % (len(counts) - _FRAMES)
        window = np.rot90(counts[start : start + _FRAMES], number % 4, axes=(1, 2))
        paths.append(folder / f"recording-{number:03d}.mp4")
        write_mp4(paths[-1], np.ascontiguousarray(window), Compression(bits_per_pixel=0.5))
    return paths


def _is_as_reconstructed(client: Client, acquisition_id: str, video: Path) -> bool:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "cellstorm_cli.main", "reconstruct", str(video), "--out", f"{out}/results"]
        subprocess.run(command, check=True, capture_output=True)
        expected, _ = picasso.read(Path(out) / "results" / TABLE_HDF5)
    return client.localizations(acquisition_id).tobytes() == expected.tobytes()


def _scaling(folder: Path, frames: int) -> dict[str, object]:
    video = folder / "long.mp4"
    counts = sample(_LONG_SIDE_PX, min(frames, 300))
    write_mp4(video, np.resize(counts, (frames, *counts.shape[1:])), Compression(bits_per_pixel=0.27, key_interval=50))
    seconds = {workers: _seconds(folder / f"workers-{workers}", video, workers) for workers in (1, 2)}
    busy = {workers: _busy_s(folder / f"workers-{workers}") / workers / seconds[workers] for workers in (1, 2)}
    return {
        "frames": frames,
        "side_px": _LONG_SIDE_PX,
        "seconds": {workers: round(value, 1) for workers, value in seconds.items()},
        "ratio": round(seconds[2] / seconds[1], 2),
        "busy_share": {workers: round(share, 2) for workers, share in busy.items()},
        "load": psutil.getloadavg()[0],
    }


def _busy_s(folder: Path) -> float:
    """That workers spent on chunks, together: what is missing to all of the time, they waited for chunks."""
    return sum(int(ms) for ms in re.findall(r"chunk committed .* ms=(\d+)", (folder / "log").read_text())) / 1000


def _seconds(folder: Path, video: Path, workers: int) -> float:
    """From the end of the upload to the last localization; writing the results is not counted."""
    with _service(folder, workers=workers) as running, Client(running.url, running.admin_token) as client:
        acquisition = client.create(AcquisitionSettings(name="long"))
        client.upload(acquisition.id, video)
        begun = time.perf_counter()
        while True:
            seen = client.get(acquisition.id)
            if seen.state is not State.RECEIVING and seen.chunks_processed == seen.chunks_received:
                return time.perf_counter() - begun
            time.sleep(0.05)


@contextmanager
def _service(folder: Path, workers: int) -> Iterator[LocalService]:
    folder.mkdir()
    settings = Settings.load(data=folder, port=free_port(), threads=1, min_free_disk_bytes=0)
    with local_service(settings, workers=workers, log_file=folder / "log") as running:
        yield running


@contextmanager
def _highest_memory(running: LocalService) -> Iterator[dict[str, float]]:
    """Of each process with its children, as long as the context lasts."""
    stop = threading.Event()
    highest: dict[str, float] = {}

    def look() -> None:
        while not stop.wait(0.5):
            for name in ("gateway", "worker-1", "worker-2", "redis"):
                process = psutil.Process(running.supervisor.process_id(name))
                family = [process, *process.children(recursive=True)]
                mib = sum(each.memory_info().rss for each in family if each.is_running()) / _MIB
                highest[name] = max(highest.get(name, 0.0), mib)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield highest
    finally:
        stop.set()
        looking.join()


if __name__ == "__main__":
    main(*[int(argument) for argument in sys.argv[1:]])
