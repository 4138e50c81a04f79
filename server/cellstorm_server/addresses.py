"""Under which names and addresses other devices of the network may reach this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Final

import ifaddr

from cellstorm.host_names import ascii_name

_WITHIN_MACHINE: Final = ("docker", "br-", "veth", "virbr", "vmnet", "vboxnet")
"""Adapters of containers and virtual machines."""
_SMALL_NETWORKS: Final = IPv4Network("192.168.0.0/16")


@dataclass(frozen=True, slots=True)
class Hosts:
    """What a certificate may be asked for; sorted, so that equal ones compare equal."""

    names: tuple[str, ...]
    addresses: tuple[IPv4Address | IPv6Address, ...]

    @classmethod
    def of(cls, names: set[str], addresses: set[IPv4Address | IPv6Address]) -> Hosts:
        return cls(tuple(sorted(names)), tuple(sorted(addresses, key=lambda each: (each.version, int(each)))))


def lan_address(adapters: Callable[[], Iterable[ifaddr.Adapter]] = ifaddr.get_adapters) -> str | None:
    """An address under which other devices of the network may reach this machine; None where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: the system only chooses the way (RFC 5737 address)
            chosen = IPv4Address(probe.getsockname()[0])
        except OSError:  # no way into the internet, as on a laptop that is the phones' access point
            chosen = next(iter(_plausible(adapters())), IPv4Address("127.0.0.1"))
    return None if chosen.is_loopback else str(chosen)


def _plausible(adapters: Iterable[ifaddr.Adapter]) -> list[IPv4Address]:
    """Those of networks that reach beyond this machine, the usual ones of small networks first."""
    found = [
        address
        for adapter in adapters
        if not adapter.nice_name.startswith(_WITHIN_MACHINE)
        for address in _addresses(adapter)
        if isinstance(address, IPv4Address) and not address.is_loopback and not address.is_link_local
    ]
    return sorted(found, key=lambda address: (address not in _SMALL_NETWORKS, address))


def _addresses(adapter: ifaddr.Adapter) -> list[IPv4Address | IPv6Address]:
    return [ip_address(each.ip[0] if isinstance(each.ip, tuple) else each.ip) for each in adapter.ips]


def own_hosts(public_host: str | None = None) -> Hosts:
    """All of them, this machine's own view of itself included; `public_host` is one more by which it is known."""
    name = _own_name()
    short = name.partition(".")[0]
    names = {"localhost", name, short, f"{short}.local"} - {"", ".local"}  # .local: multicast DNS (RFC 6762)
    addresses: set[IPv4Address | IPv6Address] = {ip_address("127.0.0.1"), ip_address("::1")}
    for adapter in ifaddr.get_adapters():
        addresses |= set(_addresses(adapter))
    if public_host is not None:
        _add(public_host, names, addresses)
    # Link-local addresses of IPv6 are of no use in a browser, which cannot be told the interface.
    return Hosts.of(names, {each for each in addresses if each.version == 4 or not each.is_link_local})


def _own_name() -> str:
    """As DNS has it; empty where nobody could ask for it there."""
    try:
        return ascii_name(socket.gethostname().lower().rstrip("."))
    except ValueError:
        return ""


def _add(host: str, names: set[str], addresses: set[IPv4Address | IPv6Address]) -> None:
    try:
        addresses.add(ip_address(host))
    except ValueError:
        names.add(host)
