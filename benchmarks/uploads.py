"""A large upload that is cut again and again: `python -m benchmarks.uploads [GIB] [CUTS]`.

The bytes are noise made as they are sent, behind the header of a BigTIFF stack, so that the server takes the file in the
end. A request carries a chunk of 16 MiB; at random places the connection is cut in the middle of one. Another process asks
for /livez all along, as an orchestrator would.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import psutil

from cellstorm.settings import Settings
from cellstorm_cli.machine import free_port
from cellstorm_cli.service import LocalService, local_service

_CHUNK: Final = 16 * 2**20
_PIECE: Final = 2**18
_SIDE: Final = 1024
_MIB: Final = 2**20
_BEFORE_S: Final = 20.0
_TUS: Final = {"Tus-Resumable": "1.0.0"}


@dataclass(slots=True)
class Recording:
    """A BigTIFF of one 16-bit frame after another, made where it is asked for; no byte of it lies anywhere."""

    frames: int
    head: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.head = _bigtiff_head(self.frames)

    @property
    def size(self) -> int:
        return len(self.head) + self.frames * _frame_bytes()

    def read(self, start: int, stop: int) -> bytes:
        parts = []
        while start < stop:
            if start < len(self.head):
                part = self.head[start : min(stop, len(self.head))]
            else:
                block, offset = divmod(start - len(self.head), _PIECE)
                part = _noise(block)[offset : offset + stop - start]
            parts.append(part)
            start += len(part)
        return b"".join(parts)


def _frame_bytes() -> int:
    return _SIDE * _SIDE * 2


def _noise(block: int) -> bytes:
    return np.random.Generator(np.random.SFC64(block)).bytes(_PIECE)


def _bigtiff_head(frames: int) -> bytes:
    """Header and a directory for each frame, all before the first of them (BigTIFF; Adobe TIFF 6.0, section 2)."""
    tags = 10
    directory = 8 + tags * 20 + 8
    start = 16 + frames * directory
    head = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16))
    for frame in range(frames):
        values = {
            256: (4, _SIDE),
            257: (4, _SIDE),
            258: (3, 16),
            259: (3, 1),
            262: (3, 1),
            273: (16, start + frame * _frame_bytes()),
            277: (3, 1),
            278: (4, _SIDE),
            279: (16, _frame_bytes()),
            339: (3, 1),
        }
        head += struct.pack("<Q", tags)
        for tag, (kind, value) in values.items():
            head += struct.pack("<HHQQ", tag, kind, 1, value)
        head += struct.pack("<Q", 16 + (frame + 1) * directory if frame + 1 < frames else 0)
    return bytes(head)


@dataclass(slots=True)
class Outcome:
    """What the cuts have cost."""

    cuts: int = 0
    conflicts: int = 0
    sent_again: list[int] = field(default_factory=list)


def send(server: str, token: str, upload: str, recording: Recording, cuts: list[int]) -> Outcome:
    """The whole recording; at each of `cuts` the connection ends."""
    outcome = Outcome()
    with httpx.Client(headers={"Authorization": f"Bearer {token}", **_TUS}, timeout=120) as http:
        offset = 0
        while offset < recording.size:
            stop = min(offset + _CHUNK, recording.size)
            if cuts and cuts[0] < stop:
                cut = max(offset, cuts.pop(0))
                _send_part(server, token, upload, recording, (offset, cut, stop))
                response = http.head(upload)
                outcome.cuts += 1
                outcome.sent_again.append(cut - int(response.headers["Upload-Offset"]))
            else:
                content = _pieces(recording, offset, stop)
                headers = {
                    "Upload-Offset": str(offset),
                    "Content-Type": "application/offset+octet-stream",
                    "Content-Length": str(stop - offset),
                }
                response = http.patch(upload, content=content, headers=headers)
                if response.status_code == httpx.codes.CONFLICT:
                    # A cut request was still on its way when the server was asked where to go on: asked again, as clients do.
                    outcome.conflicts += 1
                    response = http.head(upload)
            response.raise_for_status()
            offset = int(response.headers["Upload-Offset"])
    return outcome


def _pieces(recording: Recording, start: int, stop: int) -> Iterator[bytes]:
    for place in range(start, stop, _PIECE):
        yield recording.read(place, min(place + _PIECE, stop))


def _send_part(server: str, token: str, upload: str, recording: Recording, where: tuple[int, int, int]) -> None:
    """A request that ends at `cut` although it has announced everything up to `stop`."""
    start, cut, stop = where
    host, port = server.removeprefix("http://").split(":")
    lines = [
        f"PATCH {httpx.URL(upload).path} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {token}",
        "Tus-Resumable: 1.0.0",
        "Content-Type: application/offset+octet-stream",
        f"Upload-Offset: {start}",
        f"Content-Length: {stop - start}",
    ]
    with socket.create_connection((host, int(port)), timeout=120) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        for piece in _pieces(recording, start, cut):
            connection.sendall(piece)


def watch_livez(server: str, stop: Event, path: Path) -> None:
    """How long /livez takes, in seconds, twenty times a second; a process of its own."""
    taken = []
    with httpx.Client(timeout=30) as http:
        while not stop.wait(0.05):
            began = time.perf_counter()
            with suppress(httpx.HTTPError):
                http.get(f"{server}/livez").raise_for_status()
                taken.append(time.perf_counter() - began)
    path.write_text(json.dumps(taken))


def watch_memory(running: LocalService, stop: threading.Event, seen: list[int]) -> None:
    process = psutil.Process(running.supervisor.process_id("gateway"))
    while not stop.wait(0.1):
        seen.append(process.memory_info().rss)


def main(gib: float = 4.0, cuts: float = 100) -> None:
    """Print one line of JSON."""
    recording = Recording(int(gib * 2**30) // _frame_bytes())
    places = sorted(random.Random(1).sample(range(recording.size), int(cuts)))
    with tempfile.TemporaryDirectory(prefix="cellstorm-bench-") as name:
        folder = Path(name)
        settings = Settings.load(data=folder, port=free_port(), https_port=free_port())
        with local_service(settings, workers=1, log_file=folder / "log") as running:
            result = _measure(running, recording, places, folder)
    print(json.dumps({"gib": round(recording.size / 2**30, 3), "load": round(os.getloadavg()[0], 1), **result}))


def _measure(running: LocalService, recording: Recording, places: list[int], folder: Path) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {running.admin_token}", **_TUS}
    name = b64encode(b"noise.tif").decode()
    said = {"Upload-Length": str(recording.size), "Upload-Metadata": f"filename {name}"}
    created = httpx.post(f"{running.url}/api/v1/uploads", headers={**headers, **said})
    upload = created.headers["Location"]
    before = _livez_before(running.url, folder)
    stop, asked = multiprocessing.Event(), folder / "livez.json"
    watching = multiprocessing.Process(target=watch_livez, args=(running.url, stop, asked))
    watching.start()
    stop_memory, memory = (
        threading.Event(),
        [psutil.Process(running.supervisor.process_id("gateway")).memory_info().rss],
    )
    sampling = threading.Thread(target=watch_memory, args=(running, stop_memory, memory))
    sampling.start()
    began = time.monotonic()
    try:
        outcome = send(running.url, running.admin_token, upload, recording, places)
        seconds = time.monotonic() - began
    finally:
        stop.set()
        stop_memory.set()
        sampling.join()
        watching.join()
    taken = json.loads(asked.read_text())
    acquisition_id = httpx.get(upload, headers=headers).json()["acquisition_id"]
    kept = folder / "acquisitions" / acquisition_id / "upload"
    return {
        "cuts": outcome.cuts,
        "conflicts": outcome.conflicts,
        "same_sha256": _sha256_of_file(kept) == _sha256_of_recording(recording),
        "sent_again_mib": {
            "max": round(max(outcome.sent_again, default=0) / _MIB, 2),
            "sum": round(sum(outcome.sent_again) / _MIB, 2),
        },
        "chunk_mib": _CHUNK // _MIB,
        "mib_per_s": round(recording.size / _MIB / seconds, 1),
        "gateway_rss_mib": {"before": round(memory[0] / _MIB, 1), "growth": round((max(memory) - memory[0]) / _MIB, 1)},
        "livez_ms": {"before": _quantiles_ms(before), "meanwhile": _quantiles_ms(taken), "asked": len(taken)},
    }


def _livez_before(server: str, folder: Path) -> list[float]:
    """What the machine's other load alone does to it."""
    stop, asked = multiprocessing.Event(), folder / "livez_before.json"
    watching = multiprocessing.Process(target=watch_livez, args=(server, stop, asked))
    watching.start()
    time.sleep(_BEFORE_S)
    stop.set()
    watching.join()
    taken: list[float] = json.loads(asked.read_text())
    return taken


def _quantiles_ms(taken_s: list[float]) -> dict[str, float]:
    return {str(q): round(1000 * float(np.quantile(taken_s, q)), 1) for q in (0.5, 0.95, 0.99, 1.0)}


def _sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256_of_recording(recording: Recording) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(recording, 0, recording.size):
        digest.update(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
