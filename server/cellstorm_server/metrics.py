"""What is counted while it happens; the rest is asked of the store when Prometheus asks (health.py)."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class Metrics:
    """Of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "cellstorm_http_requests",
            "Answered requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.uploads = Counter(
            "cellstorm_uploads",
            "Resumable uploads that are over: taken, refused, expired or terminated.",
            ["outcome"],
            registry=self.registry,
        )
        self.upload_bytes = Counter(
            "cellstorm_upload_bytes",
            "Bytes of resumable uploads that were received and kept.",
            registry=self.registry,
        )


class CountRequests:
    """Counts answers by the route's template: ids would make a series each, and so would methods that somebody invents."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.requests.labels(method, route, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted)
