from __future__ import annotations

import pytest

from cellstorm.store import Store
from cellstorm_server.claims import Claims


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store.connect(redis_url)


def test_of_two_gateways_one_does_a_thing(store: Store) -> None:
    first, second = Claims(store), Claims(store)
    assert first.take("archive:a")
    assert first.take("archive:a")
    assert not second.take("archive:a")
    assert second.take("archive:b")


def test_what_is_no_longer_renewed_can_be_taken_over(store: Store) -> None:
    first, second = Claims(store), Claims(store)
    first.take("kept")
    first.take("released")
    first.release("released")
    store.redis.delete("lock:kept", "lock:released")  # as if their time had run out
    first.renew()
    assert not second.take("kept")
    assert second.take("released")
