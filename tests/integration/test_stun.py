"""What a phone asks to know whether its link is back, on a real gateway."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aioice import stun

from tests.gateway import Gateway
from tests.redis_server import RedisServer


def ask(address: str) -> stun.Message:
    """By UDP, what listens at the number of an HTTP port."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    where = urlsplit(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.sendto(bytes(request), (where.hostname, where.port))
        answer = stun.parse_message(udp.recv(1500))
    assert answer.transaction_id == request.transaction_id
    return answer


def test_both_ports_answer_over_udp(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis") as redis, Gateway(tmp_path, redis, https=True) as gateway:
        for address in (gateway.address, gateway.https_address):
            assert ask(address).message_class is stun.Class.RESPONSE


def test_a_gateway_whose_udp_port_is_taken_serves_http_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "redis").mkdir()
    with RedisServer(tmp_path / "redis") as redis, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        monkeypatch.setattr("tests.gateway.free_port", lambda: other.getsockname()[1])
        with Gateway(tmp_path, redis) as gateway:
            assert gateway.http.get("/livez").status_code == 200
            told = gateway.log.read_text()
            assert "no answers over UDP" in told
            assert "could not bind" in told
