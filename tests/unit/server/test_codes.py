from __future__ import annotations

from xml.etree import ElementTree

import pytest

from cellstorm_server.codes import as_meant, join_url, new_code, qr_svg


def test_a_code_is_forty_bits_of_letters_that_nobody_takes_for_others() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {len(code) for code in codes} == {8}
    assert not set("".join(codes)) & set("ILOU")
    assert len(set("".join(codes))) == 32


@pytest.mark.parametrize("typed", ["abcd0123", "ABCD-0123", " abcd o1z3".replace("z", "2"), "ABCDOI23", "abcdol23"])
def test_a_code_may_be_typed_as_people_type(typed: str) -> None:
    assert as_meant(typed) == "ABCD0123"


def test_what_is_meant_stays_as_it_is() -> None:
    code = new_code()
    assert as_meant(code) == code


def test_the_qr_code_is_one_svg_element_that_stands_alone() -> None:
    drawn = ElementTree.fromstring(qr_svg(join_url("https://10.0.0.1:8443", "ABCD0123")))
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    assert drawn.get("viewBox")
    assert drawn.get("width") is None


def test_the_code_is_behind_the_fragment_s_sign_and_so_in_no_server_s_log() -> None:
    assert join_url("https://lab", "ABCD0123").split("#") == ["https://lab/", "/join/ABCD0123"]
