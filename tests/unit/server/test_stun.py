from __future__ import annotations

import pytest
from aioice import stun as peer

from cellstorm_server.stun import answer_to


def request(method: peer.Method = peer.Method.BINDING, message: peer.Class = peer.Class.REQUEST) -> bytes:
    return bytes(peer.Message(method, message, transaction_id=b"transaction!"))


def test_a_binding_request_is_answered_with_an_address_that_no_browser_has_itself() -> None:
    answer = answer_to(request())
    assert answer is not None
    parsed = peer.parse_message(answer)
    assert (parsed.message_method, parsed.message_class) == (peer.Method.BINDING, peer.Class.RESPONSE)
    assert parsed.transaction_id == b"transaction!"
    assert parsed.attributes == {"XOR-MAPPED-ADDRESS": ("192.0.2.1", 9)}


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n...", id="another protocol"),
        pytest.param(request()[:-1], id="cut off"),
        pytest.param(request() + b"1234", id="longer than it says"),
        pytest.param(request(peer.Method.ALLOCATE), id="another method"),
        pytest.param(request(message=peer.Class.RESPONSE), id="an answer: two servers would talk for ever"),
    ],
)
def test_anything_else_is_left_without_an_answer(datagram: bytes) -> None:
    assert answer_to(datagram) is None
