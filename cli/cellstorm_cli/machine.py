"""Facts about this machine."""

from __future__ import annotations

import os
import socket


def usable_cores() -> int:
    """Processor cores that this process may use, which a container may have fewer of than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_port() -> int:
    """A port on which nothing listens on this machine now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False
