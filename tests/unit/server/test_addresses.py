from __future__ import annotations

import socket
from ipaddress import ip_address

import ifaddr
import pytest

from cellstorm_server.addresses import lan_address, own_hosts


def adapter(name: str, *addresses: str) -> ifaddr.Adapter:
    return ifaddr.Adapter(name, name, [ifaddr.IP(address, 24, name) for address in addresses])


class Offline(socket.socket):
    """Of a machine that knows no way into the internet."""

    def connect(self, address: object) -> None:
        raise OSError(101, "Network is unreachable")


@pytest.mark.parametrize(
    ("adapters", "expected"),
    [
        pytest.param([adapter("lo", "127.0.0.1")], None, id="alone"),
        pytest.param(
            [adapter("lo", "127.0.0.1"), adapter("docker0", "172.17.0.1"), adapter("wlan0", "10.42.0.1")],
            "10.42.0.1",
            id="access point",
        ),
        pytest.param(
            [adapter("eth0", "169.254.3.4", "172.20.0.3"), adapter("wlan0", "192.168.4.1")], "192.168.4.1", id="two"
        ),
    ],
)
def test_a_laptop_without_internet_is_still_found_by_phones(
    monkeypatch: pytest.MonkeyPatch, adapters: list[ifaddr.Adapter], expected: str | None
) -> None:
    monkeypatch.setattr(socket, "socket", Offline)
    assert lan_address(lambda: adapters) == expected


def test_this_machine_is_known_by_name_and_by_address() -> None:
    hosts = own_hosts()
    assert {"localhost", socket.gethostname().lower()} <= set(hosts.names)
    assert any(name.endswith(".local") for name in hosts.names)
    assert {ip_address("127.0.0.1"), ip_address("::1")} <= set(hosts.addresses)
    assert hosts == own_hosts()


@pytest.mark.parametrize("public_host", ["storm.example", "203.0.113.7"])
def test_it_is_also_known_as_its_owner_says(public_host: str) -> None:
    hosts = own_hosts(public_host)
    assert public_host in {*hosts.names, *map(str, hosts.addresses)}


@pytest.mark.parametrize(
    ("hostname", "names"),
    [
        pytest.param("Büro", {"localhost", "xn--bro-hoa", "xn--bro-hoa.local"}, id="umlaut"),
        pytest.param("B\udcfcro", {"localhost"}, id="no text at all"),
    ],
)
def test_a_machine_whose_name_is_not_ascii_is_known_as_dns_knows_it(
    monkeypatch: pytest.MonkeyPatch, hostname: str, names: set[str]
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: hostname)
    assert set(own_hosts().names) == names
