from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import takewhile
from pathlib import Path

import httpx
import psutil
import pytest
from cryptography import x509

from cellstorm.errors import Busy, InvalidSetting, RuntimeUnavailable
from cellstorm.settings import Settings
from cellstorm_cli.doorman import Doorman
from cellstorm_cli.service import LocalService, local_service
from cellstorm_server.certificates import fingerprint


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
        taken = settings.model_copy(update={"https_host": "127.0.0.1", "https_port": listener.getsockname()[1]})
        with pytest.raises(Busy, match="choose another --https-port"), local_service(taken):
            pass
    assert not settings.data.exists()


def test_one_port_for_both_is_refused_at_once(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    both = settings.model_copy(update={"port": port, "https_port": port})
    with pytest.raises(InvalidSetting, match=f"--port and --https-port are both {port}"), local_service(both):
        pass


def test_a_service_that_cannot_work_says_why(settings: Settings, tmp_path: Path) -> None:
    unable = Settings.load(data=settings.data, port=0, model="unheard-of")
    refuses = pytest.raises(RuntimeUnavailable, match="there is no model 'unheard-of'")
    with refuses, local_service(unable, log_file=tmp_path / "log"):
        pass
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(settings.data) in str(each.info["cmdline"])]


def test_on_a_full_disk_it_runs_all_the_same_and_says_what_stands_in_the_way(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = settings.model_copy(update={"min_free_disk_bytes": 2**60})
    over = threading.Event()
    over.set()
    with local_service(full, log_file=tmp_path / "log") as service:
        Doorman(service).stand(until=over)
        allowed = {"Authorization": f"Bearer {service.admin_token}"}
        assert httpx.post(f"{service.url}/api/v1/acquisitions", headers=allowed, json={}).status_code == 507
    assert "Nothing can be filmed or uploaded yet: the server's disk is full; delete" in capsys.readouterr().out


def up(folder: Path, *options: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CELLSTORM_REDIS_URL"}
    command = (sys.executable, "-m", "cellstorm_cli.main", "up", "--port", "0", "--data", "data", *options)
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def test_up_prints_how_to_come_in_and_ends_in_good_order_on_ctrl_c(tmp_path: Path) -> None:
    with up(tmp_path, "--https-port", "0", "--workers", "2") as running:
        assert running.stdout is not None
        lines = list(takewhile(lambda line: "Ctrl-C ends it" not in line, running.stdout))
        link = next(line.strip() for line in lines if "#token=" in line)
        typed = next(line for line in lines if "/#/join and " in line)
        token = (tmp_path / "data" / "admin-token").read_text().strip()
        assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/#token={token}", link)
        code = "".join(typed.split()[-2:])
        gateway = link.partition("/#")[0]
        joined = httpx.post(f"{gateway}/api/v1/session", json={"code": code}).raise_for_status().json()
        assert joined["grants"] == [{"right": "film", "acquisition_id": None}]
        authority = x509.load_pem_x509_certificate(httpx.get(f"{gateway}/ca.crt").content)
        assert any(line.strip().endswith(fingerprint(authority)) for line in lines)
        assert not any(token in line for line in lines if line.strip() != link)
        children = psutil.Process(running.pid).children()
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    assert len(children) == 4
    assert not any(child.is_running() for child in children)


def test_up_with_plain_http_is_for_this_machine_alone(tmp_path: Path) -> None:
    with up(tmp_path, "--http") as running:
        assert running.stdout is not None
        lines = list(takewhile(lambda line: "Ctrl-C ends it" not in line, running.stdout))
        assert "Only this machine reaches it.\n" in lines
        assert not any("https://" in line for line in lines)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    assert not (tmp_path / "data" / "tls").exists()
