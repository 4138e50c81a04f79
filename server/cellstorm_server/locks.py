"""A lock for each name, for as long as somebody holds it or waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

Lock = TypeVar("Lock")


class Locks(Generic[Lock]):
    """`threading.Lock` or `asyncio.Lock` by name; those that nobody uses any more are forgotten by themselves."""

    def __init__(self, make: Callable[[], Lock]) -> None:
        self._make = make
        self._by_name: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._looking = threading.Lock()

    def of(self, name: str) -> Lock:
        """The lock of that name, the same for all who ask while it is used."""
        with self._looking:
            lock = self._by_name.get(name)
            if lock is None:
                lock = self._by_name[name] = self._make()
            return lock

    def __len__(self) -> int:
        return len(self._by_name)
