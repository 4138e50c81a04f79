"""What is counted for Prometheus."""

from __future__ import annotations

import asyncio

from prometheus_client import generate_latest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from cellstorm_server.metrics import CountRequests, Metrics


def test_methods_that_somebody_invents_are_one_series() -> None:
    metrics = Metrics()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        return None

    async def scenario() -> None:
        counted = CountRequests(PlainTextResponse("no", status_code=405), metrics)
        for method in ("GET", "INVENTED", "INVENTED-TOO"):
            await counted({"type": "http", "method": method, "path": "/", "headers": []}, receive, send)

    asyncio.run(scenario())
    text = generate_latest(metrics.registry).decode()
    assert 'method="other"' in text
    assert 'method="GET"' in text
    assert "INVENTED" not in text
