"""What is counted while it happens; the rest is asked of the store when Prometheus asks (health.py)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
        self.left_out = Counter(
            "cellstorm_viewer_messages_left_out",
            "Live messages that slow viewers had replaced by a snapshot.",
            registry=self.registry,
        )


class CountRequests:
    """Counts answers by the route's template: ids would make a series each."""

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
                self._metrics.requests.labels(scope["method"], route, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted)
