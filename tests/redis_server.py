"""A real Redis for tests: it keeps its append-only file, so that it can be stopped and started in the middle of things."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from cellstorm_cli.embedded_redis import find_server
from cellstorm_cli.machine import free_port


class RedisServer:
    """On a free port of this machine, with its files in `folder`; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """With what the append-only file holds."""
        server = find_server()
        assert server is not None
        options = ("--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", "")
        self._process = subprocess.Popen(
            (str(server), *options, "--appendonly", "yes", "--appendfsync", "always"), stdout=subprocess.DEVNULL
        )
        while not self._answers():
            assert self._process.poll() is None, "Redis did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """As by SIGTERM."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with Redis.from_url(self.url) as redis:
            try:
                return bool(redis.ping())
            except RedisConnectionError:
                return False
