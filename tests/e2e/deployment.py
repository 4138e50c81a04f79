"""docker-compose.yml without Docker: each service's command and environment, run as a process of this machine.

What a container engine would do is done by hand: variables are filled in, /data becomes a folder of the test, and the
name `redis`, which is a host in the containers' network, becomes this machine.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import yaml

from cellstorm_cli.embedded_redis import find_server
from cellstorm_cli.machine import free_port
from cellstorm_models.compression import Compression, write_mp4
from cellstorm_models.simulation import SimulationConfig, simulate
from tests.conftest import CHECKOUT

CELLSTORM: Final = (sys.executable, "-m", "cellstorm_cli.main")
FRAMES: Final = 100
_READY_S: Final = 90.0
_END_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Service:
    """What compose would run in a container."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


def services(profile: str, variables: Mapping[str, str]) -> dict[str, Service]:
    """Of docker-compose.yml, those of a profile, with the variables filled in."""
    document = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
    filled = _fill(document["services"], variables)
    return {
        name: Service(name, spec["image"], tuple(spec["command"]), spec.get("environment", {}))
        for name, spec in filled.items()
        if profile in spec["profiles"]
    }


def _fill(value: Any, variables: Mapping[str, str]) -> Any:  # noqa: ANN401  # any part of a YAML document
    """Interpolation as in the compose specification: ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?reason}."""
    if isinstance(value, dict):
        return {key: _fill(part, variables) for key, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, variables) for part in value]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        found = variables.get(name, "")
        if not found and operator == ":?":
            raise KeyError(f"{name}: {rest}")
        if operator == "-" and name in variables:
            return found
        return found or (rest if operator in (":-", "-") else "")

    return re.sub(r"\$\{(\w+)(?:(:-|-|:\?)([^}]*))?\}", look_up, value)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running one; its services are as they run, on this machine."""

    url: str
    admin_token: str
    services: Mapping[str, Service]


Wrap = Callable[[Service, Path], tuple[str, ...]]
"""How to run a service whose /data is that folder: as a process here, or from an image."""


def as_process(service: Service, data: Path) -> tuple[str, ...]:
    """The command itself; `cellstorm` is the one of this Python."""
    program, *arguments = service.command
    return (*CELLSTORM, *arguments) if program == "cellstorm" else (program, *arguments)


@contextmanager
def deployed(folder: Path, wrap: Wrap = as_process) -> Iterator[Deployment]:
    """Redis, gateway and one worker, as docker-compose.yml has them, with their data and logs below `folder`."""
    redis_port, port, https_port = free_port(), free_port(), free_port()
    token, password = "admin-token-of-this-test", "passwordofthistest"
    variables = {
        "CELLSTORM_REDIS_PASSWORD": password,
        "CELLSTORM_REDIS_PORT": str(redis_port),
        "CELLSTORM_HOST": "127.0.0.1",
        "CELLSTORM_PORT": str(port),
        "CELLSTORM_HTTPS_HOST": "127.0.0.1",
        "CELLSTORM_HTTPS_PORT": str(https_port),
        "CELLSTORM_ADMIN_TOKEN": token,
        "CELLSTORM_THREADS": "1",
    }
    found = {name: _here(service, folder, redis_port) for name, service in services("cpu", variables).items()}
    redis, gateway, worker = found["redis"], found["gateway"], found["worker"]
    url = f"http://127.0.0.1:{port}"
    with (
        running(redis.command, redis.environment, folder / "redis.log") as first,
        running(wrap(gateway, folder / "gateway"), gateway.environment, folder / "gateway.log") as second,
        running(wrap(worker, folder / "worker"), worker.environment, folder / "worker.log") as third,
    ):
        wait_until_ready(url, folder, (first, second, third))
        yield Deployment(url, token, found)


def _here(service: Service, folder: Path, redis_port: int) -> Service:
    """The service with this machine in place of the containers' network and volumes."""
    data = folder / service.name
    data.mkdir()
    environment = {
        name: value.replace("@redis:6379", f"@127.0.0.1:{redis_port}") for name, value in service.environment.items()
    }
    command = service.command
    if service.name == "redis":
        server = find_server()
        assert server is not None, "the extra `local` brings a Redis"
        arguments = tuple(str(data) if argument == "/data" else argument for argument in command[1:])
        command = (str(server), *arguments, "--bind", "127.0.0.1", "--port", str(redis_port))
    return Service(service.name, service.image, command, environment)


@contextmanager
def running(command: tuple[str, ...], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with these variables and none of our own CELLSTORM_*; it and its children end with the context."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CELLSTORM_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**inherited, **environment}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ready(url: str, folder: Path, processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Until the gateway is ready and has a worker; a failure shows the logs in `folder`."""
    deadline = time.monotonic() + _READY_S
    answer = "nothing"
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        try:
            response = httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False)
            answer = response.text
            if response.is_success and response.json()["workers"]:
                return
        except httpx.TransportError as error:
            answer = str(error)
        time.sleep(0.2)
    logs = "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in sorted(folder.glob("*.log")))
    raise AssertionError(f"not ready: {answer}\n{logs}")


def write_sample(path: Path) -> None:
    """A short video of blinking emitters as a phone would record it: H.264, 20 frames/s."""
    recording = simulate(SimulationConfig(frames=FRAMES, width=64, height=64), np.random.default_rng(3))
    write_mp4(path, recording.counts.astype(np.uint8), Compression())


def publish(deployment: Deployment, video: Path) -> dict[str, Any]:
    """Stream a video to it with `cellstorm publish`; the finished acquisition."""
    command = (
        *CELLSTORM,
        "publish",
        str(video),
        "--server",
        deployment.url,
        "--token",
        deployment.admin_token,
        "--json",
    )
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    acquisition: dict[str, Any] = json.loads(run.stdout)
    return acquisition


def fetch(deployment: Deployment, acquisition: Mapping[str, Any], name: str) -> bytes:
    """One of its results."""
    response = httpx.get(
        f"{deployment.url}/api/v1/acquisitions/{acquisition['id']}/{name}",
        headers={"Authorization": f"Bearer {deployment.admin_token}"},
        timeout=60.0,
        trust_env=False,
    )
    assert response.is_success, response.text
    return response.content


def assert_localized(deployment: Deployment, acquisition: Mapping[str, Any]) -> None:
    """All frames came through, molecules were found, and the results can be had."""
    assert acquisition["state"] == "finished"
    assert acquisition["frames_received"] == FRAMES
    assert acquisition["frames_processed"] == FRAMES
    assert acquisition["localizations"] > FRAMES
    rows = fetch(deployment, acquisition, "localizations.csv").decode().splitlines()
    assert len(rows) == acquisition["localizations"] + 1
    assert fetch(deployment, acquisition, "reconstruction.png").startswith(b"\x89PNG")
    assert fetch(deployment, acquisition, "archive.zip").startswith(b"PK")
