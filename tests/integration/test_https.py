"""HTTPS by a certificate of the installation's own, on a real gateway."""

from __future__ import annotations

import plistlib
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from websockets.sync.client import connect
from websockets.typing import Origin

from cellstorm.errors import InvalidSetting
from cellstorm_client import Client
from cellstorm_server.addresses import lan_address
from cellstorm_server.certificates import fingerprint
from tests.gateway import ADMIN_TOKEN, Gateway
from tests.redis_server import RedisServer

API = "/api/v1"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("https")
    (folder / "redis").mkdir()
    with RedisServer(folder / "redis") as redis, Gateway(folder, redis, https=True) as running:
        yield running


def host_and_port(gateway: Gateway) -> tuple[str, int]:
    host, _, port = gateway.https_address.removeprefix("https://").partition(":")
    return host, int(port)


def plain(gateway: Gateway, request: bytes) -> bytes:
    """What the port of HTTPS answers to somebody who does not speak TLS."""
    with socket.create_connection(host_and_port(gateway), timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def presented(gateway: Gateway) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(host_and_port(gateway)).encode())


def test_whoever_trusts_the_authority_talks_to_the_same_application(gateway: Gateway) -> None:
    created = gateway.create()
    with gateway.trusted(headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}) as client:
        over_https = client.get(f"{API}/acquisitions/{created['id']}")
        assert over_https.json()["id"] == created["id"]
        assert "server" not in over_https.headers
        assert (
            "strict-transport-security" not in over_https.headers
        )  # a browser would lock itself out with our authority
        made = client.post(f"{API}/acquisitions", json={}).json()
        assert made["whip_url"] == f"{gateway.https_address}/whip/{made['id']}"
        assert made["live_url"].startswith(gateway.https_address.replace("https", "wss"))


def test_whoever_does_not_trust_it_is_warned(gateway: Gateway) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{gateway.https_address}/livez", trust_env=False)


def test_a_program_that_does_not_know_the_authority_is_told_how_to_make_it_known(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(gateway.https_address, ADMIN_TOKEN) as stranger, pytest.raises(InvalidSetting, match="SSL_CERT_FILE"):
        stranger.request("GET", "/api/v1/models")
    (tmp_path / "ca.crt").write_bytes(httpx.get(f"{gateway.address}/ca.crt").content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    with Client(gateway.https_address, ADMIN_TOKEN) as client:
        assert client.request("GET", "/api/v1/models").status_code == 200


def test_over_https_the_cookie_is_for_https_alone(gateway: Gateway) -> None:
    with gateway.trusted(headers={"Origin": gateway.https_address}) as phone:
        answer = phone.post(f"{API}/session", json={"token": ADMIN_TOKEN}).raise_for_status()
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-cellstorm_session_")
        assert "Secure" in cookie
        assert phone.post(f"{API}/acquisitions", json={}).status_code == 201
        created = phone.post(f"{API}/acquisitions", json={}).json()
        context = ssl.create_default_context(cadata=httpx.get(f"{gateway.address}/ca.crt").text)
        headers = {"Cookie": cookie.partition(";")[0]}
        origin = Origin(gateway.https_address)
        with connect(created["live_url"], ssl=context, additional_headers=headers, origin=origin) as live:
            assert '"opening"' in str(live.recv())


def test_a_code_made_on_this_machine_leads_phones_to_https_in_the_network(gateway: Gateway) -> None:
    made = gateway.http.post(f"{API}/codes", json={"right": "film"}).json()
    port = host_and_port(gateway)[1]
    assert made["join_url"] == f"https://{lan_address() or 'localhost'}:{port}/#/join/{made['code']}"


def test_whoever_has_typed_http_is_sent_on(gateway: Gateway) -> None:
    host, port = host_and_port(gateway)
    head = f"Host: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
    answer = plain(gateway, b"GET /a%20b?c=d HTTP/1.1\r\n" + head)
    assert answer.startswith(b"HTTP/1.1 307")
    assert f"location: {gateway.https_address}/a%20b?c=d\r\n".encode() in answer
    refused = plain(gateway, b"POST /api/v1/session HTTP/1.1\r\nContent-Length: 0\r\n" + head)
    assert refused.startswith(b"HTTP/1.1 400")
    assert b"https://" in refused
    page = plain(gateway, b"GET /ca HTTP/1.1\r\n" + head)
    assert page.startswith(b"HTTP/1.1 200")


def test_what_is_neither_tls_nor_http_ends_without_harm(gateway: Gateway) -> None:
    assert plain(gateway, b"SSH-2.0-OpenSSH\r\n\r\n").startswith(b"HTTP/1.1 400")
    with socket.create_connection(host_and_port(gateway)):
        pass  # silent, then gone
    with socket.create_connection(host_and_port(gateway), timeout=30) as connection:
        connection.sendall(b"\x16\x03\x01\x00\x05nonsense")
        while connection.recv(65536):
            pass
    with gateway.trusted() as client:
        assert client.get("/livez").status_code == 200


def test_many_who_connect_and_say_nothing_keep_nobody_out(gateway: Gateway) -> None:
    with ExitStack() as silent:
        for _ in range(300):
            silent.enter_context(socket.create_connection(host_and_port(gateway), timeout=30))
        with gateway.trusted() as client:
            assert client.get("/livez").status_code == 200


def test_the_page_that_explains_needs_no_token_and_loads_nothing(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.address}/ca", headers={"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0)"})
    authority = x509.load_pem_x509_certificate(httpx.get(f"{gateway.address}/ca.crt").content)
    assert fingerprint(authority) in answer.text.replace("\n", ":")
    assert "<details open>\n<summary>iPhone" in answer.text
    assert "<details >\n<summary>Android" in answer.text
    assert "src=" not in answer.text
    assert "default-src 'none'; style-src 'sha256-" in answer.headers["content-security-policy"]
    profile = httpx.get(f"{gateway.address}/ca.mobileconfig")
    assert profile.headers["content-type"] == "application/x-apple-aspen-config"
    content = plistlib.loads(profile.content)["PayloadContent"][0]
    assert x509.load_der_x509_certificate(content["PayloadContent"]) == authority


def test_the_keys_are_for_their_owner_alone(gateway: Gateway) -> None:
    folder = gateway.data / "tls"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.pem")} == {0o600}


def test_a_restart_keeps_authority_and_certificate(gateway: Gateway) -> None:
    before = presented(gateway)
    gateway.stop()
    gateway.start()
    assert presented(gateway) == before


def test_it_ends_in_good_order_with_connections_open(gateway: Gateway) -> None:
    with gateway.trusted() as client, socket.create_connection(host_and_port(gateway)):
        assert client.get("/livez").is_success
        gateway.stop()  # fails where it has to be killed
        with pytest.raises(httpx.ConnectError):
            client.get("/livez")
    gateway.start()
