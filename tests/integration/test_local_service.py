from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from cellstorm.errors import Busy, RuntimeUnavailable
from cellstorm.settings import Settings
from cellstorm_cli.machine import free_port
from cellstorm_cli.service import LocalService, local_service


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("CELLSTORM_REDIS_URL", raising=False)
    return Settings.load(data=tmp_path / "data", port=0)


def workers(service: LocalService) -> int:
    return int(httpx.get(f"{service.url}/readyz").json()["workers"])


def test_everything_runs_when_it_is_entered_and_is_gone_when_it_is_left(settings: Settings, tmp_path: Path) -> None:
    with local_service(settings, workers=2, log_file=tmp_path / "log") as service:
        ids = [service.supervisor.process_id(name) for name in ("redis", "gateway", "worker-1", "worker-2")]
        assert workers(service) == 2
        allowed = {"Authorization": f"Bearer {service.admin_token}"}
        assert httpx.get(f"{service.url}/api/v1/acquisitions", headers=allowed).status_code == 200
    assert not any(psutil.pid_exists(each) for each in ids)


def test_a_worker_that_is_killed_comes_back(settings: Settings, tmp_path: Path) -> None:
    with local_service(settings, log_file=tmp_path / "log") as service:
        os.kill(service.supervisor.process_id("worker-1"), signal.SIGKILL)
        while service.supervisor.restarts("worker-1") == 0 or workers(service) != 1:  # the dead one is forgotten
            time.sleep(0.1)
        assert psutil.pid_exists(service.supervisor.process_id("worker-1"))


def test_a_redis_that_is_killed_comes_back_with_what_it_held(settings: Settings, tmp_path: Path) -> None:
    with local_service(settings, log_file=tmp_path / "log") as service:
        allowed = {"Authorization": f"Bearer {service.admin_token}"}
        created = httpx.post(f"{service.url}/api/v1/acquisitions", headers=allowed, json={"name": "kept"}).json()
        os.kill(service.supervisor.process_id("redis"), signal.SIGKILL)
        while service.supervisor.restarts("redis") == 0 or not httpx.get(f"{service.url}/readyz").is_success:
            time.sleep(0.1)
        kept = httpx.get(f"{service.url}/api/v1/acquisitions/{created['id']}", headers=allowed).json()
        assert kept["settings"]["name"] == "kept"
        while workers(service) != 1:
            time.sleep(0.1)
        assert service.supervisor.restarts("worker-1") == service.supervisor.restarts("gateway") == 0


def test_a_port_that_is_taken_is_told_before_anything_starts(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = settings.model_copy(update={"port": listener.getsockname()[1]})
        with pytest.raises(Busy, match="choose another --port"), local_service(taken):
            pass
    assert not settings.data.exists()


def test_a_service_that_cannot_work_says_why(settings: Settings, tmp_path: Path) -> None:
    unable = Settings.load(data=settings.data, port=0, model="unheard-of")
    refuses = pytest.raises(RuntimeUnavailable, match="there is no model 'unheard-of'")
    with refuses, local_service(unable, log_file=tmp_path / "log"):
        pass
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(settings.data) in str(each.info["cmdline"])]


def test_up_prints_the_admins_link_and_ends_in_good_order_on_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name != "CELLSTORM_REDIS_URL"}
    command = (
        sys.executable,
        "-m",
        "cellstorm_cli.main",
        "up",
        "--port",
        str(port),
        "--data",
        "data",
        "--workers",
        "2",
    )
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        link = next(line.strip() for line in up.stdout if "#token=" in line)
        children = psutil.Process(up.pid).children()
        up.send_signal(signal.SIGINT)
        assert up.wait(60) == 0
    assert link == f"http://127.0.0.1:{port}/#token={(tmp_path / 'data' / 'admin-token').read_text().strip()}"
    assert len(children) == 4
    assert not any(child.is_running() for child in children)
