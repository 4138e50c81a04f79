"""`up`, `gateway` and `worker`: the service as one command, or process by process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import httpx
import typer

from cellstorm.errors import Busy, InvalidSetting, StoreUnavailable
from cellstorm.logs import configure_logs
from cellstorm.settings import Settings
from cellstorm.store import Store
from cellstorm_cli.embedded_redis import reserve, server_process
from cellstorm_cli.machine import free_port, is_free, usable_cores
from cellstorm_cli.processes import ProcessSpec, Supervisor

_START_S: Final = 60.0
_REDIS_START_S: Final = 60.0
"""Reading a long append-only file takes its time."""

_HTTPS_PORT: Final = 8443
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}  # noqa: S104  # no address to connect to
"""Hosts on which a gateway listens for all, and where this machine then finds it."""
_MENDED_INSIDE: Final = "disk"
"""The problem of a gateway (`/readyz`) that is no reason not to start: to make room, acquisitions are deleted on its page."""

PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Of the gateway; else CELLSTORM_PORT or 8000.")
]
HttpsPortOption = Annotated[
    int | None,
    typer.Option("--https-port", min=0, max=65535, help="For other devices; else CELLSTORM_HTTPS_PORT or 8443."),
]
DataOption = Annotated[Path | None, typer.Option("--data", help="Folder of all that is kept; else CELLSTORM_DATA.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=64, help="Worker processes.")]


def gateway(port: PortOption = None, data: DataOption = None) -> None:
    """Run a gateway: it receives phones and uploads, and shows the image."""
    from cellstorm_server.main import run

    settings = Settings.load(port=port, data=data)
    configure_logs(settings.log_format)
    run(settings)


def worker() -> None:
    """Run a worker: it turns chunks of video into localizations."""
    from cellstorm_worker.main import run

    settings = Settings.load()
    configure_logs(settings.log_format)
    run(settings)


def up(
    port: PortOption = None,
    https_port: HttpsPortOption = None,
    workers: WorkersOption = 1,
    data: DataOption = None,
    http: Annotated[bool, typer.Option("--http", help="Plain HTTP on this machine alone, no HTTPS.")] = False,
) -> None:
    """Run everything on this machine until Ctrl-C: Redis, a gateway and workers."""
    from cellstorm_cli.doorman import Doorman

    settings = Settings.load(port=port, data=data, https_port=https_port)
    if http:
        settings = settings.model_copy(update={"https_port": None})
    elif settings.https_port is None:
        settings = settings.model_copy(update={"https_port": _HTTPS_PORT})
    configure_logs(settings.log_format)
    with ended_by_signals(), local_service(settings, workers=workers) as service:
        Doorman(service).stand(until=service.supervisor.refused)
        service.supervisor.check()


@dataclass(frozen=True, slots=True)
class LocalService:
    """A running service.

    Attributes
    ----------
    url
        Of the gateway for this machine, without a slash at its end.
    https_url
        Likewise, as other devices reach it; None where it serves no HTTPS.
    authority
        SHA-256 of the certificate authority that devices are asked to trust; None where there is none of our own.
    admin_token
        Opens everything.
    redis_url
        Of its Redis.
    supervisor
        Of its processes: `redis` (where it is our own), `gateway`, `worker-1` and so on.
    hindrance
        What kept it from receiving anything when it was started, though it runs; None where nothing did.
    """

    url: str
    https_url: str | None
    authority: str | None
    admin_token: str
    redis_url: str
    supervisor: Supervisor
    hindrance: str | None = None

    @property
    def admin_link(self) -> str:
        """The page, opened by the admin. A fragment is not sent, and the page exchanges the token at once."""
        return f"{self.url}/#token={self.admin_token}"


@contextmanager
def local_service(settings: Settings, *, workers: int = 1, log_file: Path | None = None) -> Iterator[LocalService]:
    """Redis, a gateway and workers, ready when this is entered and gone when it is left; port 0 takes a free one.

    Raises
    ------
    CellstormError
        If one of them cannot be started.
    """
    from cellstorm_server.tls import authority_fingerprint
    from cellstorm_server.tokens import admin_token
    from cellstorm_server.urls import local_https_url

    settings = settings.model_copy(update={"data": settings.data.resolve()})  # Redis changes into its folder
    settings = _with_free_ports(settings)
    token = admin_token(settings).token
    with ExitStack() as stack:
        own_redis = None if "redis_url" in settings.model_fields_set else settings.data / "redis"
        socket = None if own_redis is None else stack.enter_context(reserve(own_redis))
        supervisor = stack.enter_context(Supervisor())
        redis_url = settings.redis_url
        if own_redis is not None and socket is not None:
            redis_url = _start_redis(supervisor, own_redis, socket, log_file)
        environment = _environment(settings, redis_url=redis_url, workers=workers)
        command = (sys.executable, "-m", "cellstorm_cli.main")
        supervisor.start(
            ProcessSpec("gateway", (*command, "gateway"), environment, log_file),
            *(ProcessSpec(f"worker-{n}", (*command, "worker"), environment, log_file) for n in range(1, workers + 1)),
        )
        url = f"http://{_EVERYWHERE.get(settings.host, settings.host)}:{settings.port}"
        problems: dict[str, str] = {}
        supervisor.wait_until(lambda: _has_come_up(url, workers, problems), "the service", _START_S)
        https_url, authority = local_https_url(settings), authority_fingerprint(settings)
        yield LocalService(url, https_url, authority, token, redis_url, supervisor, problems.get(_MENDED_INSIDE))


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C end what is within, in an orderly way."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_redis(supervisor: Supervisor, folder: Path, socket: Path, log_file: Path | None) -> str:
    url = f"unix://{socket}"
    supervisor.start(server_process(folder, socket, log_file))
    store = Store.connect(url)

    def answers() -> bool:
        try:
            store.ping()
        except StoreUnavailable:
            return False
        return True

    supervisor.wait_until(answers, f"Redis (its log lies in {folder})", _REDIS_START_S)
    store.redis.close()
    return url


def _with_free_ports(settings: Settings) -> Settings:
    port = settings.port or free_port()
    https_port = free_port() if settings.https_port == 0 else settings.https_port
    if port == https_port:
        raise InvalidSetting(f"--port and --https-port are both {port}; choose two, or --http to do without HTTPS")
    if not is_free(settings.host, port):
        raise Busy(f"port {port} is taken; choose another --port, or stop what listens there")
    if https_port is not None and not is_free(settings.https_host, https_port):
        raise Busy(f"port {https_port} is taken; choose another --https-port, or --http to do without HTTPS")
    return settings.model_copy(update={"port": port, "https_port": https_port})


def _environment(settings: Settings, *, redis_url: str, workers: int) -> dict[str, str]:
    """Of the child processes: all settings that are not the defaults."""
    given = {f"CELLSTORM_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}
    return {
        **{name: "" if value == "None" else value for name, value in given.items()},  # empty: as if not given
        "CELLSTORM_DATA": str(settings.data),
        "CELLSTORM_REDIS_URL": redis_url,
        "CELLSTORM_THREADS": str(settings.threads or max(1, usable_cores() // workers)),
    }


def _has_come_up(url: str, workers: int, problems: dict[str, str]) -> bool:
    """What stands in the way is noted in `problems`."""
    try:
        told: dict[str, Any] = httpx.get(f"{url}/readyz", trust_env=False, timeout=5.0).json()
    except httpx.TransportError:
        return False
    problems.clear()
    problems.update(told["problems"])
    return not problems.keys() - {_MENDED_INSIDE} and (told["workers"] or 0) >= workers
