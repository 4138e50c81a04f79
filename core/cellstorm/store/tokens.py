"""The tokens that open an acquisition or a batch, by their digests: the first one always does, and of further ones the newest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from redis import Redis

from cellstorm.store import scripts

_FURTHER: Final = 8


class TokenLists:
    """Of all things of one kind. Everything here blocks.

    Parameters
    ----------
    thing_key
        From a thing's id, the name of the hash that holds its facts, the digests of its tokens among them.
    token_key
        From a token's digest, the name of the key that holds the id of what it opens.
    """

    FIELDS: Final = ("token_digest", "further_tokens")
    """Of a thing's hash: the first digest, and the others, oldest first, between spaces."""

    def __init__(self, redis: Redis, thing_key: Callable[[str], str], token_key: Callable[[str], str]) -> None:
        self._redis = redis
        self._thing_key = thing_key
        self._token_key = token_key
        self._add = redis.register_script(scripts.LET_OPEN)

    def add(self, thing_id: str, token_digest: str) -> bool:
        """Let a token open it too, again is no error; False where the thing is gone."""
        # The key first: whoever removes the thing at the same moment either finds the token listed, or is found here.
        self._redis.set(self._token_key(token_digest), thing_id)
        surplus = self._add(keys=[self._thing_key(thing_id)], args=[token_digest, _FURTHER])
        self._close([token_digest.encode()] if surplus is None else surplus)
        return surplus is not None

    def opened_by(self, token_digest: str) -> str | None:
        """The id of what a token of this digest opens; None where there is none."""
        value = cast("bytes | None", self._redis.get(self._token_key(token_digest)))
        return None if value is None else value.decode()

    def forget(self, listed: Sequence[bytes | None]) -> None:
        """The thing is gone, and so are its tokens; `listed` is what its FIELDS held."""
        self._close([digest for field in listed for digest in (field or b"").split()])

    def _close(self, digests: Sequence[bytes]) -> None:
        if digests:
            self._redis.delete(*(self._token_key(digest.decode()) for digest in digests))
