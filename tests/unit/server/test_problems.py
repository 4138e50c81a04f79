from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import pytest

from cellstorm import errors
from cellstorm_server.problems import STATUS, as_problem
from cellstorm_server.tus.protocol import TusError

_PACKAGES: Final = ("cellstorm", "cellstorm_server")


def every(kind: type[errors.CellstormError]) -> Iterator[type[errors.CellstormError]]:
    for child in kind.__subclasses__():
        yield child
        yield from every(child)


def of_the_gateway() -> set[type[errors.CellstormError]]:
    """What the gateway may raise: of all its modules and the core's, not of other programs that these tests import."""
    importlib.import_module("cellstorm_server.main")
    return {kind for kind in every(errors.CellstormError) if kind.__module__.split(".")[0] in _PACKAGES}


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == of_the_gateway() - {TusError}


def test_an_error_of_tus_is_answered_with_the_status_that_it_was_made_with() -> None:
    response = as_problem(TusError(460, "wrong-checksum", "send them again"))
    assert response.status_code == 460
    assert json.loads(bytes(response.body)) == {
        "type": "urn:cellstorm:problem:wrong-checksum",
        "title": "The upload cannot go on like this",
        "status": 460,
        "detail": "send them again",
    }


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
        is_passing = status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
        assert ("retry-after" in as_problem(kind("")).headers) == is_passing
