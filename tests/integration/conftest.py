"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.intake_bench import Bench
from tests.redis_server import RedisServer


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a Redis of its own, for all tests of a module."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "redis").mkdir()
    settings = {
        "CELLSTORM_MAX_UPLOAD_BYTES": str(4 * 2**20),
        "CELLSTORM_ACQUISITION_UPLOAD_BYTES": str(6 * 2**20),
        "CELLSTORM_EXPIRE_AFTER_S": "1",
        "CELLSTORM_FINISH_AFTER_S": "1",
        "CELLSTORM_SILENT_AFTER_S": "1",
        "CELLSTORM_FREED_AFTER_S": "1",
        "CELLSTORM_PAGE": str(folder / "no-page"),
    }
    with RedisServer(folder / "redis") as redis, Gateway(folder, redis, settings) as running:
        yield running


@pytest.fixture
def bench(redis_url: str, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(redis_url, tmp_path / "data")
    yield bench
    bench.store.redis.close()
