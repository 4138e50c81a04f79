from __future__ import annotations

import pytest
from pydantic import ValidationError

from cellstorm.acquisitions import (
    FOLLOWS,
    OVER,
    PERMITTED,
    STORED,
    AcquisitionSettings,
    Action,
    State,
    check_action,
    check_transition,
)
from cellstorm.errors import WrongState


@pytest.mark.parametrize("old", State)
@pytest.mark.parametrize("new", State)
def test_each_transition_is_as_the_table_says_and_every_other_tells_what_to_do(old: State, new: State) -> None:
    if new is old or new in FOLLOWS[old]:
        check_transition(old, new)
    else:
        with pytest.raises(WrongState, match=f"{old} and cannot become {new}; .+"):
            check_transition(old, new)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", State)
def test_each_action_is_as_the_table_says_and_every_other_tells_what_to_do(action: Action, state: State) -> None:
    if state in PERMITTED[action]:
        check_action(action, state)
    else:
        with pytest.raises(WrongState, match=f"{state}, so that {action} does not fit; .+"):
            check_action(action, state)


def test_what_is_finished_or_cancelled_stays_so() -> None:
    assert {state for state in OVER if FOLLOWS[state]} == {State.FAILED}
    assert all(State.CANCELLED in FOLLOWS[state] for state in set(State) - OVER)


@pytest.mark.parametrize(
    ("stored", "read"), [("0.005", 0.02), ("0.02", 0.02), ("0.4", 0.4), ("1", 0.999), ("null", None)]
)
def test_a_threshold_that_an_older_version_has_stored_is_read_as_what_it_does_now(
    stored: str, read: float | None
) -> None:
    text = f'{{"threshold": {stored}}}'
    assert AcquisitionSettings.model_validate_json(text, context=STORED).threshold == read


@pytest.mark.parametrize("threshold", [0.005, 1.0])
def test_a_new_threshold_beyond_the_limits_is_refused(threshold: float) -> None:
    with pytest.raises(ValidationError, match="threshold"):
        AcquisitionSettings(threshold=threshold)
