from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from cellstorm_cli import doorman


class Door(httpx.MockTransport):
    """A gateway's codes: `used` says which have been, `away` how many answers fail first."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.made: list[str] = []
        self.used: set[str] = set()
        self.failures: Iterator[Exception] = iter(())
        self.lifetime = timedelta(hours=1)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if (failure := next(self.failures, None)) is not None:
            raise failure
        if request.method == "POST":
            self.made.append(f"CODE000{len(self.made)}")
        code = self.made[-1]
        return httpx.Response(
            201,
            json={
                "code": code,
                "join_url": f"https://lab/#/join/{code}",
                "uses_left": int(code not in self.used),
                "expires_at": (datetime.now(UTC) + self.lifetime).isoformat(),
            },
        )


class Looks(threading.Event):
    """Lets the doorman look so often, then tells it to go; `meanwhile` happens before each look."""

    def __init__(self, *meanwhile: object) -> None:
        super().__init__()
        self._meanwhile = iter(meanwhile)

    def wait(self, timeout: float | None = None) -> bool:
        happening = next(self._meanwhile, self)
        if happening is not self and callable(happening):
            happening()
        return happening is self


@pytest.fixture
def door() -> Door:
    return Door()


def renew(door: Door, looks: Looks) -> None:
    with httpx.Client(base_url="http://gateway", transport=door) as gateway:
        doorman._renew(gateway, doorman._invite(gateway), "https://lab", looks)


def test_a_code_that_was_used_is_followed_by_another(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    renew(door, Looks(None, lambda: door.used.add("CODE0000"), None, None))
    assert door.made == ["CODE0000", "CODE0001"]
    assert "https://lab/#/join and CODE 0001" in capsys.readouterr().out


def test_a_code_that_has_expired_is_followed_by_another(door: Door) -> None:
    door.lifetime = timedelta(seconds=-1)
    renew(door, Looks(None))
    assert len(door.made) == 2


def test_a_gateway_that_is_just_being_restarted_is_asked_again(door: Door) -> None:
    def goes_away() -> None:
        door.used.add("CODE0000")
        door.failures = iter([httpx.ConnectError("refused"), httpx.ReadTimeout("slow")])

    renew(door, Looks(goes_away, None, None, None))
    assert door.made == ["CODE0000", "CODE0001"]
