"""A phone's network that can be cut: a namespace with one cable to this machine. Needs root, iproute2 and iptables."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

Cut = Literal["drop", "down"]

HOST: Final = "10.213.77.1"
"""This machine, as seen from inside."""
_PHONE: Final = "10.213.77.2"


def can_link() -> bool:
    """Whether this process may make one here."""
    return os.geteuid() == 0 and all(map(shutil.which, ("ip", "iptables")))


class Link:
    """A namespace with one cable to this machine, which can be cut."""

    def __init__(self) -> None:
        self.name = f"film{secrets.token_hex(2)}"
        self._near = f"v{self.name}"

    def __enter__(self) -> Link:
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self._near, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        self._ip("addr", "add", f"{HOST}/24", "dev", self._near)
        self._ip("link", "set", self._near, "up")
        for command in (f"addr add {_PHONE}/24 dev eth0", "link set eth0 up", "link set lo up"):
            self._ip("-n", self.name, *command.split())
        return self

    def __exit__(self, *_: object) -> None:
        self._ip("link", "del", self._near)  # the namespace itself goes when the last process in it has
        self._ip("netns", "del", self.name)

    def wrapper(self, folder: Path, program: str) -> Path:
        """A program that runs another one inside."""
        path = folder / "inside"
        path.write_text(f'#!/bin/sh\nexec ip netns exec {self.name} {program} "$@"\n')
        path.chmod(0o755)
        return path

    @contextmanager
    def cut(self, how: Cut) -> Iterator[None]:
        """Until the block is left, nothing gets through: `drop` loses packets, `down` pulls the cable."""
        self._set(how, is_cut=True)
        try:
            yield
        finally:
            self._set(how, is_cut=False)

    def _set(self, how: Cut, *, is_cut: bool) -> None:
        if how == "down":
            self._ip("link", "set", self._near, "down" if is_cut else "up")
            return
        for chain, option in (("INPUT", "-i"), ("OUTPUT", "-o")):
            rule = ("iptables", "-A" if is_cut else "-D", chain, option, self._near, "-j", "DROP")
            subprocess.run(rule, check=True)

    def _ip(self, *arguments: str) -> None:
        subprocess.run(("ip", *arguments), check=True)
