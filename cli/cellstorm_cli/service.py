"""`up`, `gateway` and `worker`: the service as one command, or process by process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellstorm.errors import RuntimeUnavailable, StoreUnavailable
from cellstorm.logs import configure_logs
from cellstorm.settings import Settings
from cellstorm_cli.embedded_redis import reserve, server_process
from cellstorm_cli.processes import ProcessSpec, Supervisor

if TYPE_CHECKING:
    from rich.console import Console

_START_S: Final = 60.0
_REDIS_START_S: Final = 30.0
"""Reading a long append-only file takes its time."""

Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Of the gateway; else CELLSTORM_PORT or 8000.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of everything that is kept; else CELLSTORM_DATA.")]


def gateway(port: Port = None, data: Data = None) -> None:
    """Run a gateway: phones, uploads, viewers."""
    from cellstorm_server import main as server

    settings = Settings.load(port=port, data=data)
    configure_logs(settings.log_format)
    server.run(settings)


def worker() -> None:
    """Run a worker: it turns chunks of video into localizations."""
    from cellstorm_worker import main as worker_process

    settings = Settings.load()
    configure_logs(settings.log_format)
    worker_process.run(settings)


def up(
    http: Annotated[bool, typer.Option("--http", help="Plain HTTP, for this machine only.")] = True,
    port: Port = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Worker processes.")] = 1,
    data: Data = None,
) -> None:
    """Run everything on this machine, until Ctrl-C: Redis, a gateway and workers."""
    from rich.console import Console

    settings = Settings.load(port=port, data=data)
    configure_logs(settings.log_format)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    with local_service(settings, workers=workers) as service:
        _print_address(Console(), service)
        while not service.supervisor.refused.wait(3600):
            pass
    raise RuntimeUnavailable("a process could not go on; what is wrong is said above")


@dataclass(frozen=True, slots=True)
class LocalService:
    """A running service.

    Attributes
    ----------
    url
        Of the gateway, without a slash at its end.
    admin_token
        Opens everything.
    supervisor
        Of its processes: `redis` (where it is our own), `gateway`, `worker-1` and so on.
    """

    url: str
    admin_token: str
    redis_url: str
    supervisor: Supervisor


@contextmanager
def local_service(settings: Settings, *, workers: int = 1, log_file: Path | None = None) -> Iterator[LocalService]:
    """Redis, a gateway and workers, ready when this is entered and gone when it is left.

    Raises
    ------
    CellstormError
        If one of them cannot be started.
    """
    with Supervisor() as supervisor, _redis(settings, supervisor) as redis_url:
        environment = _environment(settings, redis_url, workers)
        command = (sys.executable, "-m", "cellstorm_cli.main")
        supervisor.start(
            *(ProcessSpec(f"worker-{n + 1}", (*command, "worker"), environment, log_file) for n in range(workers)),
            ProcessSpec("gateway", (*command, "gateway"), environment, log_file),
        )
        url = f"http://127.0.0.1:{settings.port}"
        supervisor.wait_until(lambda: _answers(url), "the gateway", _START_S)
        yield LocalService(url, _admin_token(settings), redis_url, supervisor)


@contextmanager
def _redis(settings: Settings, supervisor: Supervisor) -> Iterator[str]:
    """The address of the Redis that is configured, else of one of our own, which is started."""
    if "redis_url" in settings.model_fields_set:
        yield settings.redis_url
        return
    from cellstorm.store import Store

    folder = settings.data / "redis"
    with reserve(folder) as socket:
        supervisor.start(server_process(folder, socket))
        url = f"unix://{socket}"
        store = Store.connect(url)
        supervisor.wait_until(lambda: _pings(store), "Redis", _REDIS_START_S)
        yield url
