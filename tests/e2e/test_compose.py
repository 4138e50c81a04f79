"""docker-compose.yml is what the compose specification allows, and its commands are a working cellSTORM."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from redis import Redis
from redis.exceptions import AuthenticationError

from cellstorm.settings import Settings
from cellstorm_cli.machine import free_port
from tests.conftest import CHECKOUT
from tests.e2e import deployment

PASSWORD = {"CELLSTORM_REDIS_PASSWORD": "x"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
    return content


def test_the_file_keeps_to_the_compose_specification() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    ]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(("profile", "worker"), [("cpu", "worker"), ("gpu", "worker-gpu")])
def test_each_profile_is_redis_a_gateway_and_its_worker(profile: str, worker: str) -> None:
    assert set(deployment.services(profile, PASSWORD)) == {"redis", "gateway", worker}


def test_nothing_starts_without_a_password() -> None:
    with pytest.raises(KeyError, match="CELLSTORM_REDIS_PASSWORD"):
        deployment.services("cpu", {})


def test_every_variable_is_a_setting(document: dict[str, Any]) -> None:
    known = {f"CELLSTORM_{name.upper()}" for name in Settings.model_fields}
    given = {name for name in document["services"] for name in document["services"][name].get("environment", {})}
    assert given - {"REDISCLI_AUTH"} <= known


def test_every_setting_of_a_gateway_can_be_given(document: dict[str, Any]) -> None:
    of_workers_and_checkouts = {"CELLSTORM_PROVIDER", "CELLSTORM_THREADS", "CELLSTORM_ZOO", "CELLSTORM_PAGE"}
    settings = {f"CELLSTORM_{name.upper()}" for name in Settings.model_fields}
    assert settings - of_workers_and_checkouts == document["services"]["gateway"]["environment"].keys()


def test_the_example_names_every_variable_and_what_holds_without_it() -> None:
    example = (CHECKOUT / ".env.example").read_text()
    told = dict(re.findall(r"^#? ?(\w+)=(\S*)", example, re.MULTILINE))
    compose = (CHECKOUT / "docker-compose.yml").read_text()
    assert told.keys() - {"COMPOSE_PROFILES"} == set(re.findall(r"\$\{(\w+)", compose))
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int | float) and (value := told.get(f"CELLSTORM_{name.upper()}")):
            assert float(value) == field.default, name


@pytest.mark.parametrize("name", ["redis", "gateway", "worker", "worker-gpu"])
def test_every_container_can_do_no_more_than_it_must(document: dict[str, Any], name: str) -> None:
    service = document["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "restart"} <= service.keys()


def test_the_gpu_worker_reserves_a_gpu_and_refuses_to_work_without(document: dict[str, Any]) -> None:
    service = document["services"]["worker-gpu"]
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert service["environment"]["CELLSTORM_PROVIDER"] == "cuda"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[deployment.Deployment]:
    with deployment.deployed(tmp_path_factory.mktemp("deployment")) as running:
        yield running


def test_a_video_streamed_to_its_processes_becomes_localizations(
    service: deployment.Deployment, tmp_path: Path
) -> None:
    video = tmp_path / "sample.mp4"
    deployment.write_sample(video)
    deployment.assert_localized(service, deployment.publish(service, video))


def test_phones_come_over_https_by_an_authority_of_the_installation(service: deployment.Deployment) -> None:
    gateway = service.services["gateway"].environment
    authority = httpx.get(f"{service.url}/ca.crt", trust_env=False).raise_for_status().text
    address = f"https://127.0.0.1:{gateway['CELLSTORM_HTTPS_PORT']}"
    context = ssl.create_default_context(cadata=authority)
    assert httpx.get(f"{address}/livez", verify=context, trust_env=False).json() == {"status": "alive"}


@pytest.mark.parametrize(("given", "port"), [({}, "8443"), ({"CELLSTORM_HTTPS_PORT": ""}, "")])
def test_https_is_the_default_and_can_be_left_to_a_proxy(given: dict[str, str], port: str) -> None:
    gateway = deployment.services("cpu", PASSWORD | given)["gateway"].environment
    assert gateway["CELLSTORM_HTTPS_PORT"] == port
    assert gateway["CELLSTORM_HOST"] == "127.0.0.1"


def test_redis_refuses_whoever_has_no_password(service: deployment.Deployment) -> None:
    url = service.services["worker"].environment["CELLSTORM_REDIS_URL"]
    host_and_port = url.partition("@")[2]
    with Redis.from_url(f"redis://{host_and_port}") as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_a_health_check_tells_whether_the_process_is_alive(service: deployment.Deployment, name: str) -> None:
    alive = service.services[name].environment
    elsewhere = {"CELLSTORM_PORT": str(free_port()), "CELLSTORM_REDIS_URL": alive["CELLSTORM_REDIS_URL"][:-1] + "1"}
    assert _health(name, alive).returncode == 0
    assert _health(name, {**alive, **elsewhere}).returncode == 1


def _health(name: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    check = [sys.executable, str(CHECKOUT / {"gateway": "server", "worker": "worker"}[name] / "healthcheck.py")]
    return subprocess.run(check, env=dict(environment), capture_output=True, check=False)


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_the_images_own_command_is_the_one_of_the_compose_file(document: dict[str, Any], name: str) -> None:
    service = document["services"][name]
    dockerfile = (CHECKOUT / service["build"]["dockerfile"]).read_text()
    assert f"\nCMD {json.dumps(service['command'])}\n" in dockerfile
