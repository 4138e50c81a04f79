"""Answers that are made while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

log = structlog.get_logger()

STALLED_S: Final = 30.0


class StreamedResponse(StreamingResponse):
    """Ends what makes it at once when the client has gone, and when it has taken nothing for half a minute.

    Starlette leaves an abandoned generator to the garbage collector, and waits for a silent client for ever: what the
    generator holds, as a viewer's place, would stay taken.
    """

    stalled_s = STALLED_S

    def __init__(
        self, pieces: AsyncGenerator[bytes], media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(pieces, media_type=media_type, headers=headers)
        self._pieces = pieces

    async def stream_response(self, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self.stalled_s):
                await send(message)

        async with aclosing(self._pieces):
            try:
                await super().stream_response(in_time)
            except TimeoutError:
                log.info("an answer was given up: its client took nothing", after_s=self.stalled_s)
