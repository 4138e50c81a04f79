from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from cellstorm.errors import in_words


class Wanted(BaseModel, extra="forbid"):
    count: int = Field(default=1, gt=0)
    size_nm: float = 1.0
    live: bool = False
    name: str = Field(default="a", max_length=3)
    kind: Literal["star", "rings"] = "star"
    needed: str

    @field_validator("size_nm")
    @classmethod
    def _check(cls, size_nm: float) -> float:
        if size_nm == 0:
            raise ValueError("nothing is that small")
        return size_nm


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"count": 0}, "must be greater than 0", id="too-little"),
        pytest.param({"count": "many"}, "must be a whole number", id="no-number"),
        pytest.param({"count": 1.5}, "must be a whole number", id="a-fraction"),
        pytest.param({"size_nm": "q"}, "must be a number", id="no-fraction"),
        pytest.param({"size_nm": 0}, "nothing is that small", id="a-check-of-our-own"),
        pytest.param({"live": "perhaps"}, "must be true or false", id="neither"),
        pytest.param({"name": 5}, "must be a string", id="no-text"),
        pytest.param({"name": "long"}, "must have at most 3 characters", id="too-long"),
        pytest.param({"kind": "ring"}, "must be 'star' or 'rings'", id="no-such-choice"),
        pytest.param({"kin": "star"}, "is not known here; check its spelling", id="misspelt"),
        pytest.param({"needed": ...}, "is missing", id="left-out"),
    ],
)
def test_a_check_says_what_must_be_in_words_for_people(given: dict[str, object], said: str) -> None:
    values = {name: value for name, value in {"needed": "here", **given}.items() if value is not ...}
    with pytest.raises(ValidationError) as refused:
        Wanted.model_validate(values)
    assert [in_words(error["msg"]) for error in refused.value.errors()] == [said]
