"""Acquisitions and batches in a real Redis, when several want something of them at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.batches import NewBatch
from cellstorm.errors import AcquisitionNotFound, BatchNotFound
from cellstorm.store import Batches, Store
from tests.fakes import chunk_of_spots

ACQUISITION = "acquisition-1"
THING = "of-either-kind"


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    store = Store.connect(redis_url)
    yield store
    store.redis.close()


@pytest.fixture(params=["an acquisition", "a batch"])
def opened(request: pytest.FixtureRequest, store: Store) -> Store | Batches:
    """Whichever holds a thing of the id `THING`, to which nobody has a token."""
    if request.param == "an acquisition":
        store.create(THING, AcquisitionSettings(), owner="gateway", token_digest="")
        return store
    batches = Batches(store)
    batches.create(THING, NewBatch(), session="")
    return batches


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


def test_tokens_that_are_added_at_the_same_moment_all_open_it_and_go_with_it(
    opened: Store | Batches, store: Store
) -> None:
    tokens = [f"token-{number}" for number in range(9)]
    with ThreadPoolExecutor(len(tokens)) as requests:
        list(requests.map(lambda token: opened.add_token(THING, token), tokens))
    assert {opened.opened_by(token) for token in tokens} == {THING}
    opened.delete(THING)
    assert store.redis.keys() == []


def test_a_token_that_is_added_again_drives_out_no_other(opened: Store | Batches) -> None:
    tokens = [f"token-{number}" for number in range(9)]
    for token in tokens + 3 * tokens[-1:]:
        opened.add_token(THING, token)
    assert {opened.opened_by(token) for token in tokens} == {THING}


def test_of_many_tokens_the_first_and_the_newest_open_it(opened: Store | Batches) -> None:
    tokens = [f"token-{number}" for number in range(11)]
    for token in tokens:
        opened.add_token(THING, token)
    assert [token for token in tokens if opened.opened_by(token) is None] == tokens[1:3]


def test_a_token_of_what_is_gone_opens_nothing(opened: Store | Batches, store: Store) -> None:
    opened.delete(THING)
    with pytest.raises((AcquisitionNotFound, BatchNotFound)):
        opened.add_token(THING, "late")
    assert store.redis.keys() == []
