"""What a gateway does by itself for acquisitions that nobody looks after."""

from __future__ import annotations

from cellstorm.acquisitions import State
from tests.fakes import star_localizations
from tests.gateway import Gateway
from tests.integration.test_rest import API


def test_a_live_acquisition_whose_phone_does_not_come_back_is_finished(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.store.set_fields(created["id"], live=1)
    gateway.commit(created["id"], star_localizations(5))
    assert gateway.wait_for(created["id"], "finished")["localizations"] == 5


def test_a_live_acquisition_whose_gateway_was_killed_waits_for_its_phone(gateway: Gateway) -> None:
    created = gateway.create()
    gateway.store.set_fields(created["id"], live=1)
    gateway.store.transition(created["id"], State.RECEIVING)
    assert gateway.wait_for(created["id"], "waiting")["error"] is None


def test_one_that_waits_for_its_first_phone_is_left_alone(gateway: Gateway) -> None:
    waiting, other = gateway.create(), gateway.create()
    gateway.store.set_fields(waiting["id"], live=1)
    gateway.store.set_fields(other["id"], live=1)
    gateway.commit(other["id"], star_localizations(5))
    gateway.wait_for(other["id"], "finished")
    assert gateway.http.get(f"{API}/{waiting['id']}").json()["state"] == "waiting"
