from __future__ import annotations

from itertools import product

import pytest
from pydantic import ValidationError

from cellstorm.grants import EVERYTHING, Grant, Right

RIGHTS: tuple[Right, ...] = ("manage", "film", "watch")
ALL = set(product(RIGHTS, (None, "mine", "another")))


@pytest.mark.parametrize(
    ("grant", "covered"),
    [
        pytest.param(EVERYTHING, ALL, id="the admin may everything"),
        pytest.param(
            Grant(right="film"),
            {("film", None), ("watch", None), ("watch", "mine"), ("watch", "another")},
            id="a member films what he opens, and watches all",
        ),
        pytest.param(
            Grant(right="watch"),
            {("watch", None), ("watch", "mine"), ("watch", "another")},
            id="a spectator watches all",
        ),
        pytest.param(
            Grant(right="film", acquisition_id="mine"), {("film", "mine"), ("watch", "mine")}, id="an owner, his own"
        ),
        pytest.param(Grant(right="watch", acquisition_id="mine"), {("watch", "mine")}, id="a guest watches one"),
    ],
)
def test_a_grant_covers_what_it_says_and_nothing_else(grant: Grant, covered: set[tuple[Right, str | None]]) -> None:
    assert {(right, key) for right, key in ALL if grant.covers(right, key)} == covered


def test_managing_is_for_the_whole_server() -> None:
    with pytest.raises(ValidationError, match="whole server"):
        Grant(right="manage", acquisition_id="mine")


@pytest.mark.parametrize("key", ["", "a:b", "../x", "x" * 65])
def test_what_is_no_id_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        Grant(right="watch", acquisition_id=key)


def test_a_class_ends_with_its_day_and_one_s_own_lasts() -> None:
    assert Grant(right="film").lifetime_s == Grant(right="watch").lifetime_s == 24 * 3600
    assert EVERYTHING.lifetime_s == Grant(right="film", acquisition_id="mine").lifetime_s == 30 * 24 * 3600
