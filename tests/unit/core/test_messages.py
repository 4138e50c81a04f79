"""Binary messages of localizations, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from cellstorm.localizations import COLUMNS, empty
from cellstorm.messages import (
    COLUMN_DESCRIPTIONS,
    DELTA,
    SNAPSHOT,
    WIRE_ROW_BYTES,
    BinaryMessage,
    as_sent,
    framed,
    unframed,
)
from tests.fakes import star_localizations

EXACT = ("frame", "x_nm", "y_nm")


def message(rows: int = 50) -> BinaryMessage:
    return BinaryMessage(DELTA, star_localizations(rows), 7, 9, first_row=3, total_rows=99, history=4_000_000_000)


def test_what_is_sent_arrives_with_all_its_places() -> None:
    sent = message()
    arrived = BinaryMessage.from_bytes(sent.to_bytes())
    np.testing.assert_array_equal(arrived.table, as_sent(sent.table))
    assert arrived._replace(table=sent.table) == sent


def test_positions_and_frames_arrive_as_they_are_and_everything_else_to_three_digits() -> None:
    table = star_localizations(5000)
    arrived = as_sent(table)
    for column in COLUMNS:
        if column.name in EXACT:
            np.testing.assert_array_equal(arrived[column.name], table[column.name])
        else:
            np.testing.assert_allclose(arrived[column.name], table[column.name], rtol=2**-8)


def test_what_is_no_number_or_endless_stays_so() -> None:
    table = star_localizations(3)
    table["precision_nm"] = (np.nan, np.inf, 3.3e38)
    precision_nm = as_sent(table)["precision_nm"]
    assert np.isnan(precision_nm[0])
    assert np.isinf(precision_nm[1])
    assert np.isfinite(as_sent(star_localizations(3))["precision_nm"]).all()


def test_a_row_takes_22_bytes_and_the_opening_tells_how_it_is_read() -> None:
    assert len(message(1).to_bytes()) - len(message(0).to_bytes()) == WIRE_ROW_BYTES == 22
    assert [column.name for column in COLUMN_DESCRIPTIONS] == [column.name for column in COLUMNS]
    assert {column.dtype for column in COLUMN_DESCRIPTIONS} == {"<u4", "<f4", "bfloat16"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"CSL1" + bytes(28), id="another release"),
        pytest.param(message().to_bytes()[:-1], id="cut short"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="message"):
        BinaryMessage.from_bytes(data)


def test_an_empty_snapshot_is_a_message_too() -> None:
    nothing = BinaryMessage(SNAPSHOT, empty(), 0, 0, first_row=0, total_rows=0, history=0)
    assert len(BinaryMessage.from_bytes(nothing.to_bytes()).table) == 0


def test_messages_of_one_body_are_told_apart() -> None:
    sent: list[str | bytes] = ['{"kind":"opening"}', message().to_bytes(), message(0).to_bytes(), '{"name":"µ"}']
    assert list(unframed(b"".join(framed(each) for each in sent))) == sent


@pytest.mark.parametrize("missing", [1, 10, 20], ids=["a byte", "half a message", "a part of its length"])
def test_a_body_that_was_cut_short_is_noticed(missing: int) -> None:
    body = framed('{"kind":"opening"}')
    with pytest.raises(ValueError, match="cut short"):
        list(unframed(body[:-missing]))
