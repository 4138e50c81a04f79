"""What becomes of a whole upload here: a recording of the acquisition that it names, or of one that is made for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from cellstorm.acquisitions import AcquisitionSettings, State
from cellstorm.errors import InvalidSetting, in_words
from cellstorm_server.acquisitions import create_acquisition, delete
from cellstorm_server.tus.service import REFUSALS
from cellstorm_server.tus.storage import UploadInfo

if TYPE_CHECKING:  # it knows the uploads itself
    from cellstorm_server.services import Services

ACQUISITION: Final = "acquisition"
"""Of Upload-Metadata: the id of an acquisition that waits for its video. Without it the other keys are a new one's settings."""
_MAX_NAME: Final = 200


def settings_of(metadata: Mapping[str, str]) -> AcquisitionSettings:
    """What a new acquisition is to be, from Upload-Metadata; keys that say nothing here are passed over.

    Raises
    ------
    InvalidSetting
        If a value cannot be used.
    """
    said = {key: value for key, value in metadata.items() if key in AcquisitionSettings.model_fields and value}
    if name := file_name(metadata):
        said.setdefault("name", PurePath(name).stem)
    try:
        return AcquisitionSettings.model_validate_strings(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:1])
        raise InvalidSetting(f"{where} in Upload-Metadata: {in_words(first['msg'])}") from error


def file_name(metadata: Mapping[str, str]) -> str | None:
    """As the file was called where it came from, without its folders."""
    return PurePath(metadata.get("filename", "").replace("\\", "/")).name[-_MAX_NAME:] or None


class Recordings:
    """Takes whole files over, for a request or for the gateway itself.

    Parameters
    ----------
    on_created
        Told the id of each acquisition that is made.
    """

    def __init__(
        self, services: Services, on_created: Callable[[str], Coroutine[Any, Any, None]] | None = None
    ) -> None:
        self._services = services
        self._on_created = on_created

    async def check(self, metadata: Mapping[str, str]) -> None:
        """Nothing, if an upload of this metadata can be taken once it is whole.

        Raises
        ------
        CellstormError
            If not: nobody should send gigabytes for that.
        """
        if acquisition_id := metadata.get(ACQUISITION):
            await asyncio.to_thread(self._services.uploads.check_open, acquisition_id)
        else:
            settings_of(metadata)

    async def take(self, info: UploadInfo, data: Path, note: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        if not await asyncio.to_thread(data.exists):
            return  # it was moved by a process that died before it could say so
        if ACQUISITION in info.metadata:
            await self._services.uploads.take(info.metadata[ACQUISITION], data, file_name(info.metadata))
            return
        acquisition_id = info.acquisition_id or await self._create(info, note)
        try:
            await self._services.uploads.take(acquisition_id, data, file_name(info.metadata))
        except REFUSALS:
            await delete(self._services, acquisition_id)
            raise
        if self._on_created is not None:
            await self._on_created(acquisition_id)

    async def exists(self, acquisition_id: str) -> bool:
        state = await asyncio.to_thread(self._services.store.field, acquisition_id, "state")
        return state not in (None, State.CANCELLED)

    async def _create(self, info: UploadInfo, note: Callable[[str], Coroutine[Any, Any, None]]) -> str:
        acquisition, _ = await create_acquisition(self._services, settings_of(info.metadata))
        await note(acquisition.id)
        return acquisition.id
