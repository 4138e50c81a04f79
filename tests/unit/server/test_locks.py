from __future__ import annotations

import asyncio
import threading

from cellstorm_server.locks import Locks


def test_one_name_is_one_lock_while_somebody_holds_it_and_none_afterwards() -> None:
    locks = Locks(threading.Lock)
    with locks.of("a"):
        assert not locks.of("a").acquire(blocking=False)
        assert locks.of("b").acquire(blocking=False)
        assert len(locks) == 1
    assert len(locks) == 0


async def _two_that_wait(locks: Locks[asyncio.Lock]) -> list[int]:
    order: list[int] = []

    async def work(number: int) -> None:
        async with locks.of("a"):
            order.extend([number, number])
            await asyncio.sleep(0)

    await asyncio.gather(work(1), work(2))
    return order


def test_whoever_waits_for_a_lock_keeps_it_alive() -> None:
    locks = Locks(asyncio.Lock)
    assert asyncio.run(_two_that_wait(locks)) == [1, 1, 2, 2]
    assert len(locks) == 0
