"""What the server says is wrong, as the exception that it raised itself (cellstorm.errors): one tree on both sides.

CellstormError          its text is the problem's `detail`, and says what to do
├── Unreachable         (a Busy) the server cannot be reached; trying again later helps
└── …                   as cellstorm.errors draws it: NotAllowed, WrongState, InvalidVideo, StorageFull and the others
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import httpx

from cellstorm import errors
from cellstorm.errors import Busy, CellstormError, InvalidInput, InvalidSetting, NotAllowed

_PROBLEM: Final = "urn:cellstorm:problem:"
_BY_STATUS: Final[dict[int, type[CellstormError]]] = {
    401: NotAllowed,
    403: NotAllowed,
    408: Busy,
    410: errors.SessionReplaced,
    423: Busy,
    500: Busy,
    502: Busy,
    503: Busy,
    504: Busy,
}
"""For problems that have no exception of their own, and for what a proxy answers."""


class Unreachable(Busy):
    """The server cannot be reached."""


def check(response: httpx.Response) -> None:
    """Nothing, unless the response, which has been read, tells of a problem; then the error that fits."""
    if response.is_success:
        return
    try:
        problem = response.json()
    except ValueError:
        problem = None
    raise error_of(problem, response)


def error_of(problem: Any, response: httpx.Response) -> CellstormError:  # noqa: ANN401  # whatever JSON was sent
    """The error that a problem document tells of; where it is none, the one that fits the response's status."""
    try:
        detail, kind = str(problem["detail"]), str(problem["type"]).removeprefix(_PROBLEM)
    except (KeyError, TypeError):
        detail, kind = f"the server answered {response.status_code} {response.reason_phrase}", ""
    return _by_kind().get(kind, _BY_STATUS.get(response.status_code, InvalidInput))(detail)


def unreachable(server: str, error: httpx.HTTPError | httpx.InvalidURL) -> CellstormError:
    """What to say of a connection that was not made or broke; trying again helps, unless it is not trusted or nobody's."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return InvalidSetting(
            f"{server} is no server's address; begin with http:// or https://, as http://127.0.0.1:8000"
        )
    reason = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return InvalidSetting(
            f"{server} has a certificate that is not known here; save its /ca.crt (curl -k), compare the SHA-256 with the one "
            "in the server's terminal, and set SSL_CERT_FILE to that file"
        )
    return Unreachable(f"{server} cannot be reached ({reason}); is the gateway running there?")


def _by_kind() -> dict[str, type[CellstormError]]:
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in _all(CellstormError)}


def _all(kind: type[CellstormError]) -> Iterator[type[CellstormError]]:
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield below
            yield from _all(below)
