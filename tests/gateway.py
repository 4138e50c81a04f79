"""A gateway for tests: a process of its own, as in life, with a real Redis and a zoo of one empty generator."""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
import yaml

from cellstorm.chunks import Chunk
from cellstorm.generator import GeneratorSpec
from cellstorm.localizations import Localizations
from cellstorm.roi import RegionOfInterest
from cellstorm.store import Store, Widefield
from cellstorm_cli.machine import free_port
from cellstorm_server.library import Library
from tests.redis_server import RedisServer

ADMIN_TOKEN = "admin-token-of-the-tests"
_START_S = 60.0


def make_zoo(folder: Path) -> Path:
    """A zoo whose only generator, `default`, has the right description and useless weights."""
    model = folder / "default"
    model.mkdir(parents=True)
    (model / "weights.onnx").write_bytes(b"weights")
    spec = GeneratorSpec(
        name="default",
        version="1.0",
        sha256=hashlib.sha256(b"weights").hexdigest(),
        output="emitters",
        context_frames=3,
        size_multiple=8,
        threshold=0.5,
    )
    (model / "rdf.yaml").write_text(yaml.safe_dump({"config": {"cellstorm": spec.model_dump()}}))
    (model / "README.md").write_text("# A generator for tests\n")
    return folder


class Gateway:
    """`cellstorm gateway`, until the context is left. What it prints goes to `log`."""

    def __init__(
        self, folder: Path, redis: RedisServer, settings: Mapping[str, str] | None = None, *, https: bool = False
    ) -> None:
        self.data = folder / "data"
        self.log = folder / "gateway.log"
        self.zoo = folder / "zoo"
        self.redis = redis
        self.store = Store.connect(redis.url)
        self.library = Library(self.data, 0)
        self._folder = folder
        self._settings = settings or {}
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client()
        self.address = ""
        self.https_address = ""
        self._https_port = free_port() if https else None

    def __enter__(self) -> Self:
        make_zoo(self.zoo)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.http.close()
        self.store.redis.close()

    def start(self) -> None:
        """Begin, and wait until it is ready."""
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.http.close()
        self.http = httpx.Client(
            base_url=self.address, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=30, trust_env=False
        )
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CELLSTORM_")},
            "CELLSTORM_DATA": str(self.data),
            "CELLSTORM_PORT": str(port),
            "CELLSTORM_REDIS_URL": self.redis.url,
            "CELLSTORM_ADMIN_TOKEN": ADMIN_TOKEN,
            "CELLSTORM_ZOO": str(self.zoo),
            "CELLSTORM_MIN_FREE_DISK_BYTES": "0",
            **self._settings,
        }
        if self._https_port is not None:
            self.https_address = f"https://127.0.0.1:{self._https_port}"
            environment |= {"CELLSTORM_HTTPS_HOST": "127.0.0.1", "CELLSTORM_HTTPS_PORT": str(self._https_port)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cellstorm_cli.main", "gateway"], env=environment, stdout=log, stderr=log
            )
        self._wait_until_ready()

    def stop(self, *, kill: bool = False) -> None:
        """End it, by SIGTERM or SIGKILL."""
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(timeout=60)
        self._process = None

    def trusted(self, **options: Any) -> httpx.Client:  # noqa: ANN401  # httpx's own
        """A client of its HTTPS that trusts its authority, as a phone does that has installed it."""
        authority = httpx.get(f"{self.address}/ca.crt", trust_env=False).raise_for_status().text
        context = ssl.create_default_context(cadata=authority)
        return httpx.Client(base_url=self.https_address, verify=context, timeout=30, trust_env=False, **options)

    def create(self, **settings: object) -> dict[str, Any]:
        """A new acquisition, as POST /acquisitions tells it."""
        response = self.http.post("/api/v1/acquisitions", json=settings)
        response.raise_for_status()
        created: dict[str, Any] = response.json()
        return created

    def wait_for(self, acquisition_id: str, *states: str) -> dict[str, Any]:
        """The acquisition, once it is in one of these states."""
        deadline = time.monotonic() + 60
        while True:
            acquisition: dict[str, Any] = self.http.get(f"/api/v1/acquisitions/{acquisition_id}").json()
            if acquisition["state"] in states:
                return acquisition
            assert time.monotonic() < deadline, acquisition
            time.sleep(0.05)

    def commit(self, acquisition_id: str, table: Localizations, *, frames: int = 10, side_px: int = 64) -> None:
        """What an upload's or a phone's next chunk and a worker would do together."""
        commit_chunk(self.store, acquisition_id, table, frames=frames, side_px=side_px)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            try:
                if self.http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)


def commit_chunk(
    store: Store, acquisition_id: str, table: Localizations, *, frames: int = 10, side_px: int = 64
) -> None:
    """Store a chunk of `frames` black frames, and commit `table` as what a worker has found in it."""
    acquisition = store.get(acquisition_id)
    if acquisition.roi is None:
        store.set_frame_size(acquisition_id, side_px, side_px, RegionOfInterest.default(side_px, side_px))
    first_frame = int(store.field(acquisition_id, "next_frame") or 0)
    times_s = [0.05 * (first_frame + place) for place in range(frames)]
    counts = np.zeros((frames, side_px, side_px), np.uint8)
    chunk = Chunk.of_counts(acquisition.chunks_received, first_frame, times_s, counts)
    assert store.put_chunk(acquisition_id, chunk, budget_bytes=2**30) == "stored"
    widefield = store.widefield(acquisition_id)
    sum_so_far = np.zeros((side_px, side_px), np.uint32) if widefield.counts is None else widefield.counts
    ramp = np.arange(side_px, dtype=np.uint32) * np.ones((side_px, 1), np.uint32)
    outcome = store.commit(
        acquisition_id, chunk, table, frame_count=frames, widefield=Widefield(sum_so_far + ramp, widefield.version)
    )
    assert outcome == "committed"
