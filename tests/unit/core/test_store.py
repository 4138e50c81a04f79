from __future__ import annotations

import pytest
from redis._parsers.base import BaseParser

from cellstorm.store import STORE_TROUBLE, DiskTroubleError


def error_of(answer: str) -> object:
    return BaseParser.parse_error(answer)  # type: ignore[no-untyped-call]  # redis-py's own is untyped


@pytest.mark.parametrize(
    "answer",
    [
        "MISCONF Errors writing to the AOF file: No space left on device",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
    ],
)
def test_what_passes_by_itself_is_told_apart_from_what_is_wrong(answer: str) -> None:
    assert isinstance(error_of(answer), STORE_TROUBLE)


def test_a_full_disk_is_told_apart_from_a_redis_that_is_away() -> None:
    assert isinstance(error_of("MISCONF Errors writing to the AOF file"), DiskTroubleError)
    assert not isinstance(error_of("ERR unknown command"), STORE_TROUBLE)
