"""The gateway's HTTP interface as methods: one object, one server, one token. Threads may share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from cellstorm.acquisitions import (
    OVER,
    Acquisition,
    AcquisitionSettings,
    CreatedAcquisition,
    NewAcquisition,
    Priority,
)
from cellstorm.batches import Batch, BatchDetail, CreatedBatch, NewBatch
from cellstorm.comparison import CommonComparison
from cellstorm.errors import Busy, InvalidSetting, StoreUnavailable, in_words
from cellstorm.localizations import Localizations
from cellstorm.sources.packing import sendable
from cellstorm_client import downloads
from cellstorm_client.errors import check, unreachable
from cellstorm_client.events import Event, events
from cellstorm_client.tus import OnLocation, OnProgress, Upload

API: Final = "/api/v1"
_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)
_POLL_S: Final = 0.5
_PATIENCE_S: Final = 60.0
"""For a server that is being restarted while we wait."""

Settings = AcquisitionSettings | None
Seen = TypeVar("Seen", Acquisition, BatchDetail)


class Client:
    """A cellSTORM server.

    Parameters
    ----------
    server
        Its address, such as http://127.0.0.1:8000.
    token
        The admin's, an acquisition's or a batch's: it decides what may be asked.
    transport
        How requests travel, where httpx's own way will not do.
    """

    def __init__(self, server: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.server = server.rstrip("/")
        self._transport = transport
        self._http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def with_token(self, token: str) -> Client:
        """The same server with another token, such as a batch's."""
        return Client(self.server, token, transport=self._transport)

    # -- acquisitions

    def create(
        self,
        settings: Settings = None,
        *,
        priority: Priority = Priority.NORMAL,
        idempotency_key: str | None = None,
        **chosen: object,
    ) -> CreatedAcquisition:
        """Open an acquisition, with `settings` or with single ones by name (`name=`, `pixel_size_nm=`, …).

        Sent again with the same `idempotency_key`, it is the same acquisition.

        Raises
        ------
        InvalidSetting
            Naming the first setting that cannot be.
        """
        body = _body(settings) | chosen | {"priority": priority.value}
        try:
            new = NewAcquisition.model_validate(body).model_dump(mode="json", exclude_unset=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidSetting(f"{first['loc'][0]}: {in_words(first['msg'])}") from error
        answer = self.request("POST", f"{API}/acquisitions", json=new, headers=_once(idempotency_key))
        return CreatedAcquisition.model_validate(answer.json())

    def acquisitions(self, limit: int = 100) -> list[Acquisition]:
        """The newest, newest first; for whoever may see all."""
        found = self.request("GET", f"{API}/acquisitions", params={"limit": limit}).json()
        return [Acquisition.model_validate(each) for each in found]

    def get(self, acquisition_id: str) -> Acquisition:
        """How far it has come."""
        return Acquisition.model_validate(self.request("GET", _acquisition(acquisition_id)).json())

    def finish(self, acquisition_id: str) -> Acquisition:
        """No more video will come."""
        return self._ask(acquisition_id, "finish")

    def pause(self, acquisition_id: str) -> Acquisition:
        """Let nothing of it be localized until it is resumed."""
        return self._ask(acquisition_id, "pause")

    def resume(self, acquisition_id: str) -> Acquisition:
        """Go on where it was paused."""
        return self._ask(acquisition_id, "resume")

    def cancel(self, acquisition_id: str) -> Acquisition:
        """End it at once and remove its video and localizations; an entry stays that says so."""
        return self._ask(acquisition_id, "cancel")

    def retry(self, acquisition_id: str) -> Acquisition:
        """Localize a failed acquisition's kept video again."""
        return self._ask(acquisition_id, "retry")

    def delete(self, acquisition_id: str) -> None:
        """Remove it with all its data."""
        self.request("DELETE", _acquisition(acquisition_id))

    def upload(
        self,
        acquisition_id: str,
        file: str | Path,
        *,
        location: str | None = None,
        on_progress: OnProgress | None = None,
        on_location: OnLocation | None = None,
    ) -> Acquisition:
        """Send a recording, also a folder of TIFF files that are one; the acquisition, once it has proved readable.

        It survives broken connections. To go on after this process has ended, keep what `on_location` is told, and give it
        as `location` next time. `on_progress` is told (bytes sent, bytes in all).
        """
        with sendable(Path(file)) as content:
            Upload(self._http, f"{self.server}{API}/uploads", content, acquisition_id).send(
                location=location, on_progress=on_progress, on_location=on_location
            )
        return self.get(acquisition_id)

    def wait(
        self,
        acquisition_id: str,
        *,
        on_progress: Callable[[Acquisition], object] | None = None,
        timeout_s: float | None = None,
    ) -> Acquisition:
        """The acquisition when it is over: finished, failed or cancelled, which its `state` tells.

        Raises
        ------
        Busy
            If it is not over after `timeout_s`, or the server is away for a minute.
        """
        return self._wait(lambda: self.get(acquisition_id), lambda seen: seen.state in OVER, on_progress, timeout_s)

    def events(self, acquisition_id: str, *, patience_s: float = _PATIENCE_S) -> Iterator[Event]:
        """The acquisition whenever it has changed, until it is over; reconnects by itself, and misses no newest state."""
        return events(self._http, self.server, f"{_acquisition(acquisition_id)}/events", patience_s)

    # -- results

    def results(self, acquisition_id: str, folder: str | Path) -> Path:
        """The result folder of a finished acquisition, into `folder`."""
        url = f"{self.server}{_acquisition(acquisition_id)}/archive.zip"
        downloads.unpack_results(self._http, url, Path(folder))
        return Path(folder)

    def localizations(self, acquisition_id: str, **filters: str) -> Localizations:
        """The table so far, one structured array; `photons="300:"` and the like leave rows out."""
        url = f"{self.server}{_acquisition(acquisition_id)}"
        return downloads.table(self._http, url, filters)

    def image(self, acquisition_id: str, name: str = "reconstruction.png", **look: object) -> bytes:
        """An image of it as a file's bytes: reconstruction or widefield, .png or .ome.tif."""
        params = {key: str(value) for key, value in look.items()}
        return self.request("GET", f"{_acquisition(acquisition_id)}/{name}", params=params).content

    # -- once more, and side by side

    def reprocess(
        self, acquisition_id: str, changes: Mapping[str, object], *, idempotency_key: str | None = None
    ) -> CreatedAcquisition:
        """A new acquisition of its kept video, with other settings by name, as `{"threshold": 0.5}`; the others stay.

        Sent again with the same `idempotency_key`, it is the same acquisition.
        """
        path = f"{_acquisition(acquisition_id)}/reprocess"
        answer = self.request("POST", path, json=dict(changes), headers=_once(idempotency_key))
        return CreatedAcquisition.model_validate(answer.json())

    def compare(self, acquisition_id: str, other_id: str, *, tolerance_nm: float | None = None) -> CommonComparison:
        """What two acquisitions of the same video have found in common, as far apart as `tolerance_nm`.

        Of the region and frames that both have; `roi` and `frames` tell which, where they are not the same.
        """
        params = {} if tolerance_nm is None else {"tolerance_nm": tolerance_nm}
        answer = self.request("GET", _comparison(acquisition_id, other_id), params=params)
        return CommonComparison.model_validate(answer.json())

    def difference(self, acquisition_id: str, other_id: str) -> bytes:
        """Both images in one, as a PNG: orange is what only the first shows, blue the second."""
        return self.request("GET", f"{_comparison(acquisition_id, other_id)}/difference.png").content

    # -- batches

    def create_batch(self, new: NewBatch, *, idempotency_key: str | None = None) -> CreatedBatch:
        """Open a batch, with an acquisition for each of its files."""
        body = new.model_dump(mode="json", exclude_unset=True)
        answer = self.request("POST", f"{API}/batches", json=body, headers=_once(idempotency_key))
        return CreatedBatch.model_validate(answer.json())

    def batches(self, limit: int = 20) -> list[Batch]:
        """The newest, newest first."""
        found = self.request("GET", f"{API}/batches", params={"limit": limit}).json()
        return [Batch.model_validate(each) for each in found]

    def batch(self, batch_id: str) -> BatchDetail:
        """How far it has come, with all its acquisitions."""
        return BatchDetail.model_validate(self.request("GET", _batch(batch_id)).json())

    def pause_batch(self, batch_id: str) -> BatchDetail:
        """Pause all that is not over."""
        return self._ask_batch(batch_id, "pause")

    def resume_batch(self, batch_id: str) -> BatchDetail:
        """Go on with all that is paused."""
        return self._ask_batch(batch_id, "resume")

    def cancel_batch(self, batch_id: str) -> BatchDetail:
        """Cancel all that is not over; what is finished keeps its results."""
        return self._ask_batch(batch_id, "cancel")

    def retry_failed(self, batch_id: str) -> BatchDetail:
        """Localize the kept videos of all failed acquisitions again."""
        return self._ask_batch(batch_id, "retry-failed")

    def delete_batch(self, batch_id: str) -> None:
        """Remove it with all its acquisitions and their data."""
        self.request("DELETE", _batch(batch_id))

    def wait_batch(
        self,
        batch_id: str,
        *,
        on_progress: Callable[[BatchDetail], object] | None = None,
        timeout_s: float | None = None,
    ) -> BatchDetail:
        """The batch when each of its acquisitions is over.

        Raises
        ------
        Busy
            If it is not over after `timeout_s`, or the server is away for a minute.
        """
        return self._wait(lambda: self.batch(batch_id), lambda seen: seen.is_over, on_progress, timeout_s)

    # -- HTTP

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own
        """A response that is no error; `path` may be a whole address.

        Raises
        ------
        CellstormError
            With the problem's detail, of the class that the server raised.
        """
        url = path if path.startswith("http") else self.server + path
        try:
            response = self._http.request(method, url, **kwargs)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.server, error) from error
        check(response)
        return response

    def _ask(self, acquisition_id: str, action: str) -> Acquisition:
        return Acquisition.model_validate(self.request("POST", f"{_acquisition(acquisition_id)}/{action}").json())

    def _ask_batch(self, batch_id: str, action: str) -> BatchDetail:
        return BatchDetail.model_validate(self.request("POST", f"{_batch(batch_id)}/{action}").json())

    def _wait(
        self,
        look: Callable[[], Seen],
        is_over: Callable[[Seen], bool],
        on_progress: Callable[[Seen], object] | None,
        timeout_s: float | None,
    ) -> Seen:
        begun = answered = time.monotonic()
        while True:
            try:
                seen = look()
                answered = time.monotonic()
            except (Busy, StoreUnavailable):
                if time.monotonic() - answered > _PATIENCE_S:
                    raise
            else:
                if on_progress is not None:
                    on_progress(seen)
                if is_over(seen):
                    return seen
            if timeout_s is not None and time.monotonic() - begun > timeout_s:
                raise Busy(f"it was not over after {timeout_s:.0f} s; ask again, or look at the server's log")
            time.sleep(_POLL_S)


def _body(settings: Settings) -> dict[str, Any]:
    return {} if settings is None else settings.model_dump(mode="json", exclude_unset=True)


def _once(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


def _acquisition(acquisition_id: str) -> str:
    return f"{API}/acquisitions/{quote(acquisition_id, safe='')}"


def _comparison(acquisition_id: str, other_id: str) -> str:
    return f"{_acquisition(acquisition_id)}/compare/{quote(other_id, safe='')}"


def _batch(batch_id: str) -> str:
    return f"{API}/batches/{quote(batch_id, safe='')}"
