"""The Python client (cellstorm_client), for commands that do other things meanwhile: each call waits in a thread."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Self

import httpx

from cellstorm.acquisitions import Acquisition, AcquisitionSettings, CreatedAcquisition
from cellstorm_client import Client


class GatewayClient:
    """A gateway's HTTP interface, with a token. Use it as an async context manager."""

    def __init__(self, server: str, token: str) -> None:
        self._client = Client(server, token)
        self.server = self._client.server

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.close()

    async def create(self, settings: AcquisitionSettings) -> CreatedAcquisition:
        """A new acquisition."""
        return await asyncio.to_thread(self._client.create, settings)

    async def get(self, acquisition_id: str) -> Acquisition:
        return await asyncio.to_thread(self._client.get, acquisition_id)

    async def finish(self, acquisition_id: str) -> None:
        """No more video will come."""
        await asyncio.to_thread(self._client.finish, acquisition_id)

    async def wait_until_over(self, acquisition_id: str, timeout_s: float) -> Acquisition:
        """The acquisition, finished or failed.

        Raises
        ------
        Busy
            If it is neither after `timeout_s`.
        """
        return await asyncio.to_thread(self._client.wait, acquisition_id, timeout_s=timeout_s)

    async def download_results(self, acquisition_id: str, folder: Path) -> None:
        """The result folder of a finished acquisition, into `folder`."""
        await asyncio.to_thread(self._client.results, acquisition_id, folder)

    async def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own
        """A response that is no error; `path` may be a whole address.

        Raises
        ------
        CellstormError
            As the server raised it.
        """
        return await asyncio.to_thread(self._client.request, method, path, **kwargs)
