from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from cellstorm import errors
from cellstorm_server.problems import STATUS, as_problem


def every(kind: type[errors.CellstormError]) -> Iterator[type[errors.CellstormError]]:
    for child in kind.__subclasses__():
        yield child
        yield from every(child)


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(every(errors.CellstormError))


@pytest.mark.parametrize("kind", STATUS)
def test_every_error_becomes_a_problem_that_says_what_to_do(kind: type[errors.CellstormError]) -> None:
    response = as_problem(kind("do this instead"))
    problem = json.loads(bytes(response.body))
    assert response.status_code == problem["status"] == STATUS[kind]
    assert problem["detail"] == "do this instead"
    assert problem["type"].startswith("urn:cellstorm:problem:")
    assert problem["title"]
    assert not problem["title"].endswith(".")


def test_types_are_told_apart() -> None:
    kinds = [json.loads(bytes(as_problem(kind("")).body))["type"] for kind in STATUS]
    assert len(set(kinds)) == len(kinds)
    assert "urn:cellstorm:problem:frame-size-changed" in kinds


def test_who_is_turned_away_for_now_is_told_when_to_come_back() -> None:
    for kind, status in STATUS.items():
        assert ("retry-after" in as_problem(kind("")).headers) == (status is HTTPStatus.SERVICE_UNAVAILABLE)
