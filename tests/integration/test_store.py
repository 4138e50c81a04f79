"""Acquisitions and batches in a real Redis, when several want something of them at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.store import Store
from tests.fakes import chunk_of_spots

ACQUISITION = "acquisition-1"


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    store = Store.connect(redis_url)
    yield store
    store.redis.close()


def film(store: Store, acquisition_id: str) -> int:
    """Chunk after chunk, until it takes no more; how many it took."""
    number = 0
    while store.put_chunk(acquisition_id, chunk_of_spots(number, 10 * number), budget_bytes=2**30) == "stored":
        number += 1
    return number


def test_chunks_that_come_while_their_acquisition_is_deleted_leave_nothing_behind(store: Store) -> None:
    with ThreadPoolExecutor(1) as phone:
        for _ in range(20):
            store.create(ACQUISITION, AcquisitionSettings(), owner="gateway", token_digest="token")
            filming = phone.submit(film, store, ACQUISITION)
            while not filming.done() and not store.pending(ACQUISITION):
                pass
            store.delete(ACQUISITION)
            assert filming.result() > 0
            assert store.redis.keys() == []
