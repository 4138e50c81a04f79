"""The gateway, seen from outside: what `submit`, `publish` and `demo` ask of it over HTTP."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Self

import httpx

from cellstorm.acquisitions import Acquisition, AcquisitionSettings, State
from cellstorm.errors import Busy, CellstormError, InvalidInput, NotAllowed, SessionReplaced, StoreUnavailable
from cellstorm.results.folder import RESULT_NAMES

_ERRORS: Final[dict[int, type[CellstormError]]] = {401: NotAllowed, 403: NotAllowed, 410: SessionReplaced, 503: Busy}
_POLL_S: Final = 0.5


class GatewayClient:
    """A gateway's HTTP interface, with a token. Use it as an async context manager."""

    def __init__(self, server: str, token: str) -> None:
        self.server = server.rstrip("/")
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(30.0, connect=5.0)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def create(self, settings: AcquisitionSettings) -> dict[str, Any]:
        """A new acquisition: its fields, with `id`, `token` and addresses."""
        body = settings.model_dump(mode="json", exclude_none=True)
        created: dict[str, Any] = (await self.request("POST", "/api/v1/acquisitions", json=body)).json()
        return created

    async def get(self, acquisition_id: str) -> Acquisition:
        response = await self.request("GET", f"/api/v1/acquisitions/{acquisition_id}")
        return Acquisition.model_validate(response.json())

    async def finish(self, acquisition_id: str) -> None:
        """No more video will come."""
        await self.request("POST", f"/api/v1/acquisitions/{acquisition_id}/finish")

    async def wait_until_over(self, acquisition_id: str, timeout_s: float) -> Acquisition:
        """The acquisition, finished or failed.

        Raises
        ------
        Busy
            If it is neither after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            acquisition = await self.get(acquisition_id)
            if acquisition.state in (State.FINISHED, State.FAILED):
                return acquisition
            await asyncio.sleep(_POLL_S)
        raise Busy(f"the acquisition was not finished after {timeout_s:.0f} s; ask again, or look at the server's log")

    async def download_results(self, acquisition_id: str, folder: Path) -> None:
        """The result folder of a finished acquisition, into `folder`; only files that belong to it are taken from the answer.

        Raises
        ------
        CellstormError
            If it cannot be had.
        """
        url = f"{self.server}/api/v1/acquisitions/{acquisition_id}/archive.zip"
        with tempfile.TemporaryFile() as archive:
            try:
                async with self._http.stream("GET", url) as response:
                    if not response.is_success:
                        await response.aread()
                    check(response)
                    async for part in response.aiter_bytes():
                        archive.write(part)
            except httpx.HTTPError as error:
                raise StoreUnavailable(f"the download broke off ({error!r}); ask for the results again") from error
            await asyncio.to_thread(_unpack, archive, folder)

    async def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own
        """A response that is no error; `path` may be a whole address.

        Raises
        ------
        CellstormError
            With the problem's detail, of a class that tells what kind it is.
        """
        url = path if path.startswith("http") else self.server + path
        try:
            response = await self._http.request(method, url, **kwargs)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise StoreUnavailable(
                f"{self.server} cannot be reached ({reason}); is the gateway running there?"
            ) from error
        check(response)
        return response


def _unpack(archive: IO[bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            name = PurePosixPath(member.filename).name  # whatever path it claims
            if name in RESULT_NAMES:
                with opened.open(member) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)


def check(response: httpx.Response) -> None:
    """Nothing, unless the response tells of a problem; then the error that fits."""
    if response.is_success:
        return
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the server answered {response.status_code} {response.reason_phrase}"
    raise _ERRORS.get(response.status_code, InvalidInput)(detail)
