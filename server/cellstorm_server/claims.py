"""Which of several gateways that share a data directory does a thing: the one that keeps renewing its claim."""

from __future__ import annotations

import secrets
from typing import Final

from cellstorm.store import Store

_CLAIM_S: Final = 5.0
"""So long after a gateway's death another one, or the same one started again, takes its work over."""


class Claims:
    """One gateway's. Everything here blocks."""

    def __init__(self, store: Store) -> None:
        self.holder: Final = secrets.token_hex(8)
        self._store = store
        self._held: set[str] = set()

    def take(self, name: str) -> bool:
        """Whether the thing is ours to do from now on, until it is released."""
        if self._store.try_lock(name, self.holder, _CLAIM_S):
            self._held.add(name)
            return True
        return False

    def release(self, name: str) -> None:
        """It is done; the claim runs out by itself."""
        self._held.discard(name)

    def renew(self) -> None:
        """To be called every second or so."""
        for name in list(self._held):
            self._store.try_lock(name, self.holder, _CLAIM_S)
