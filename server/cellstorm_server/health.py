"""Is the process alive, can it do its work, and how much does it do: for container engines and Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel, Field
from redis import Redis
from rq import Queue, Worker

from cellstorm import zoo
from cellstorm.acquisitions import Acquisition, State
from cellstorm.errors import CellstormError
from cellstorm.jobs import QUEUES
from cellstorm.store import STORE_TROUBLE
from cellstorm_server.services import Current, Services

router = APIRouter(tags=["health"])

_MAX_COUNTED: Final = 1000
_TOTALS: Final = {
    "frames_received": "Frames that came, damaged ones included",
    "frames_lost": "Frames that were sent and never came",
    "frames_damaged": "Frames that came and could not be used",
    "frames_processed": "Frames that were localized",
    "localizations": "Localizations",
    "spooled_chunks": "Chunks on the gateway's disk that wait for room in Redis",
    "waiting_chunk_bytes": "Bytes of chunks that wait in Redis",
}


class Readiness(BaseModel):
    """Whether acquisitions can be received; each problem says what to do."""

    ready: bool
    problems: dict[str, str] = Field(description="What is missing, by the part that it is missing from.")
    workers: int | None = Field(description="That serve the queues now; none is no obstacle to receiving.")


@router.get("/livez", include_in_schema=False)
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={HTTPStatus.SERVICE_UNAVAILABLE.value: {"model": Readiness}})
async def readyz(response: Response, services: Current) -> Readiness:
    """Whether acquisitions can be received: Redis, disk and default model."""
    problems = await asyncio.to_thread(_problems, services)
    workers = None if "redis" in problems else await asyncio.to_thread(_workers, services.store.redis)
    if problems:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=not problems, problems=problems, workers=workers)


@router.get("/metrics", include_in_schema=False)
async def metrics(services: Current) -> Response:
    """For Prometheus."""
    text = await asyncio.to_thread(generate_latest, services.metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _problems(services: Services) -> dict[str, str]:
    checks: dict[str, Callable[[], object]] = {
        "redis": services.store.ping,
        "disk": services.library.check_room,
        "model": lambda: zoo.entry(services.settings.model, services.settings.zoo),
    }
    found = {}
    for name, check in checks.items():
        try:
            check()
        except CellstormError as error:
            found[name] = str(error)
    return found


def _workers(redis: Redis) -> int:
    return int(Worker.count(connection=redis))


class StoreCollector(Collector):
    """What the store tells, at the moment when Prometheus asks; as far as Redis answers."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        services = self._services
        yield _gauge("viewers", "Viewers of live images on this gateway", services.followers.viewers)
        yield _gauge("sessions", "Phones that publish to this gateway", len(services.sessions.active))
        unfinished, held = services.tus.unfinished()
        yield _gauge("uploads_unfinished", "Resumable uploads that are under way or left alone", unfinished)
        yield _gauge("uploads_unfinished_bytes", "Bytes that they hold", held)
        try:
            acquisitions = self._acquisitions()
            waiting = {name: Queue(name, connection=services.store.redis).count for name in QUEUES}
            workers = _workers(services.store.redis)
        except STORE_TROUBLE:
            yield _gauge("store_up", "Whether Redis answers", 0)
            return
        yield _gauge("store_up", "Whether Redis answers", 1)
        yield _gauge("workers", "Workers that serve the queues", workers)
        yield _labelled("queue_jobs", "Chunks that wait for a worker", "queue", waiting)
        states = {state.value: sum(a.state is state for a in acquisitions) for state in State}
        yield _labelled("acquisitions", "Acquisitions that are kept", "state", states)
        for name, meaning in _TOTALS.items():
            yield _gauge(
                name, f"{meaning}, of all acquisitions that are kept", sum(getattr(a, name) for a in acquisitions)
            )

    def _acquisitions(self) -> list[Acquisition]:
        store = self._services.store
        return store.get_all(store.ids()[:_MAX_COUNTED])


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"cellstorm_{name}", meaning + ".", value=value)


def _labelled(name: str, meaning: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"cellstorm_{name}", meaning + ".", labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
