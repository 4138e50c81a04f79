"""What uploads may take together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cellstorm.errors import StorageFull
from cellstorm_server.metrics import Metrics
from cellstorm_server.tus.protocol import CONTENT_TYPE, Creation
from cellstorm_server.tus.service import Limits, Tus
from cellstorm_server.tus.storage import Storage, UploadInfo


class Nowhere:
    """Takes no file."""

    async def take(self, info: UploadInfo, data: Path, note: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        raise AssertionError("nothing is whole")

    async def exists(self, acquisition_id: str) -> bool:
        return True


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.fixture
def tus(tmp_path: Path) -> Tus:
    limits = Limits(file_bytes=1000, acquisition_bytes=80, all_bytes=100, expires_s=60)
    return Tus(Storage(tmp_path), limits, lambda _: None, Metrics())


def append(tus: Tus, upload_id: str, content: bytes, length: int) -> UploadInfo:
    headers = {"content-type": CONTENT_TYPE, "upload-offset": "0", "upload-length": str(length)}
    return asyncio.run(tus.append(upload_id, headers, pieces(content), Nowhere()))


@pytest.mark.parametrize(("acquisition_id", "most"), [(None, 40), ("one", 20)], ids=["all", "an acquisition's"])
def test_a_length_that_is_told_later_counts_like_one_that_is_told_at_once(
    tus: Tus, acquisition_id: str | None, most: int
) -> None:
    asyncio.run(tus.create(Creation(60, "", {}), acquisition_id))
    deferred = asyncio.run(tus.create(Creation(None, "", {}), acquisition_id))
    with pytest.raises(StorageFull, match="leave no room"):
        append(tus, deferred.id, b"12", most + 1)
    with pytest.raises(StorageFull, match="leave no room"):
        asyncio.run(tus.create(Creation(most + 1, "", {}), acquisition_id))
    assert append(tus, deferred.id, b"12", most).length == most
