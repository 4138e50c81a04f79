from __future__ import annotations

import httpx
import pytest

from cellstorm.errors import Busy, CellstormError, InvalidInput, InvalidVideo, NotAllowed, StorageFull, WrongState
from cellstorm_client.errors import check
from cellstorm_server.problems import STATUS, as_problem


@pytest.mark.parametrize("kind", STATUS, ids=lambda kind: kind.__name__)
def test_what_the_server_raises_is_what_the_client_raises(kind: type[CellstormError]) -> None:
    answer = as_problem(kind("cut the video"))
    with pytest.raises(CellstormError, match="cut the video") as caught:
        check(httpx.Response(answer.status_code, content=bytes(answer.body)))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(401, NotAllowed, id="401"),
        pytest.param(404, InvalidInput, id="404"),
        pytest.param(502, Busy, id="a proxy without its server"),
    ],
)
def test_an_answer_that_is_no_problem_document_is_told_by_its_status(status: int, kind: type[CellstormError]) -> None:
    with pytest.raises(kind, match=str(status)):
        check(httpx.Response(status, text="<html>"))


def test_a_success_is_no_error() -> None:
    check(httpx.Response(204))


def test_the_tree_is_the_cores_own() -> None:
    assert issubclass(InvalidVideo, InvalidInput)
    assert {WrongState, StorageFull} <= set(STATUS)
