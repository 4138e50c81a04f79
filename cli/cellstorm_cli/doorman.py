"""What `up` shows in the terminal: how to come in, on this machine and with a phone; a new code when one is used up."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from cellstorm.errors import CellstormError
from cellstorm_cli.service import LocalService
from cellstorm_client.errors import check

_VALID_S: Final = 3600
"""The terminal is the teacher's, and out of sight sooner or later; the page shows codes of ten minutes."""
_LOOK_EVERY_S: Final = 1.0
_REQUEST_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Code:
    text: str
    join_url: str
    uses_left: int
    expires_at: datetime


class Doorman:
    """Lets in to one service."""

    def __init__(self, service: LocalService) -> None:
        self._service = service

    def stand(self, until: threading.Event) -> None:
        """Tell how to come in, and stay."""
        print(f"cellSTORM runs. On this machine open\n\n  {self._service.admin_link}\n")
        if self._service.hindrance is not None:
            print(f"Nothing can be filmed or uploaded yet: {self._service.hindrance}.\n")
        https_url = self._service.https_url
        if https_url is None:
            print("Only this machine reaches it.\n\nCtrl-C ends it.", flush=True)
            until.wait()
            return
        with httpx.Client(
            base_url=self._service.url,
            headers={"Authorization": f"Bearer {self._service.admin_token}"},
            timeout=_REQUEST_S,
            trust_env=False,
        ) as gateway:
            code = _invite(gateway)
            _show(code, https_url)
            if self._service.authority is not None:
                print(f"Phones warn of a certificate that they do not know; {https_url}/ca tells what to do.")
                print(f"Its authority: SHA-256 {self._service.authority}")
            print("\nCtrl-C ends it.", flush=True)
            if sys.stdout.isatty():
                _renew(gateway, code, https_url, until)
        until.wait()


def _renew(gateway: httpx.Client, code: _Code, https_url: str, until: threading.Event) -> None:
    """Show another code when one is used up."""
    while not until.wait(_LOOK_EVERY_S):
        try:
            if _is_good(gateway, code):
                continue
            code = _invite(gateway)
        except (httpx.TransportError, CellstormError):  # it is just being started again
            continue
        _show(code, https_url)


def _invite(gateway: httpx.Client) -> _Code:
    return _code(gateway.post("/api/v1/codes", json={"right": "film", "valid_s": _VALID_S}))


def _is_good(gateway: httpx.Client, code: _Code) -> bool:
    if code.expires_at <= datetime.now(UTC):
        return False
    return _code(gateway.get(f"/api/v1/codes/{code.text}")).uses_left > 0


def _code(response: httpx.Response) -> _Code:
    check(response)
    told: dict[str, Any] = response.json()
    expires_at = datetime.fromisoformat(told["expires_at"])
    return _Code(told["code"], told["join_url"], told["uses_left"], expires_at)


def _show(code: _Code, https_url: str) -> None:
    import segno

    print("A phone in the same network joins with this code, which opens once, within the hour:\n")
    segno.make(code.join_url, error="l", micro=False).terminal(compact=True)
    print(f"\n  or {https_url}/#/join and {code.text[:4]} {code.text[4:]}\n", flush=True)
