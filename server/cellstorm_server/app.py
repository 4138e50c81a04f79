"""Puts the gateway together: services when it starts, routes, and what stands before all of them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from cellstorm import zoo
from cellstorm.errors import InvalidSetting
from cellstorm.settings import Settings
from cellstorm.store import Batches, GrantStore, Once, Store
from cellstorm_server import (
    acquisitions,
    batches,
    ca_page,
    files,
    health,
    images,
    joining,
    last_frame,
    live,
    models,
    page,
    problems,
    reprocess,
    results,
    uploads,
)
from cellstorm_server.archive import Archiver, archived_commit, restore
from cellstorm_server.background import Background
from cellstorm_server.claims import Claims
from cellstorm_server.feeder import Feeder
from cellstorm_server.feeding import Feeding
from cellstorm_server.follower import Followers, Sources
from cellstorm_server.https import SendToHttps
from cellstorm_server.ingest import camera, whip
from cellstorm_server.ingest.sessions import Sessions
from cellstorm_server.last_frame import LastFrames
from cellstorm_server.library import Library
from cellstorm_server.metrics import CountRequests, Metrics
from cellstorm_server.patience import GuardExchanges
from cellstorm_server.queueing import JobQueues
from cellstorm_server.services import Services
from cellstorm_server.tokens import admin_token, digest
from cellstorm_server.tus import routes as tus
from cellstorm_server.tus.override import MethodOverride
from cellstorm_server.tus.service import Limits, Tus
from cellstorm_server.tus.storage import Storage
from cellstorm_server.uploads import Uploads
from cellstorm_server.urls import API

log = structlog.get_logger()

_THREADS: Final = 64


def create_app(settings: Settings) -> FastAPI:
    """The gateway. `check` first: this assumes that it can do its work."""
    metrics = Metrics()
    app = FastAPI(
        title="cellSTORM",
        summary="A phone's live video of blinking molecules becomes a growing super-resolution image.",
        version=version("cellstorm"),
        lifespan=partial(_lifespan, settings=settings, metrics=metrics),
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        middleware=[
            Middleware(CountRequests, metrics=metrics),
            Middleware(SendToHttps, https_port=settings.https_port),
            Middleware(page.SafeHeaders),
            Middleware(GuardExchanges),
            Middleware(MethodOverride),
        ],
    )
    problems.install(app)
    api = APIRouter(prefix=API, responses=problems.RESPONSES)
    for module in (
        joining,
        acquisitions,
        batches,
        uploads,
        tus,
        live,
        last_frame,
        files,
        images,
        results,
        reprocess,
        models,
        camera,
    ):
        api.include_router(module.router)
    for router in (api, whip.router, health.router, ca_page.router):
        app.include_router(router)
    page.mount(app, settings)
    return app


def check(settings: Settings) -> None:
    """Nothing, if a gateway with these settings can do its work.

    Raises
    ------
    StoreUnavailable
        If Redis does not answer.
    InvalidSetting
        If the data directory cannot be used. One that is nearly full can: acquisitions can then be deleted.
    ModelUnavailable
        If the default model is missing or damaged.
    """
    _check_writable(settings.data)
    zoo.entry(settings.model, settings.zoo).check()
    Store.connect(settings.redis_url).ping()


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidSetting(
            f"{folder} cannot be written to ({error.strerror}); set CELLSTORM_DATA to a folder that can"
        ) from error


async def say_farewell(app: FastAPI) -> None:
    """Tell all viewers that the gateway stops; to be called before their connections are closed."""
    services: Services = app.state.services
    await services.followers.shutdown()


@asynccontextmanager
async def _lifespan(app: FastAPI, *, settings: Settings, metrics: Metrics) -> AsyncIterator[None]:
    # Many threads that wait, for Redis or a disk, not many that compute: the default is six on two cores.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="blocking"))
    services, claims = await asyncio.to_thread(_build, settings, metrics)
    app.state.services = services
    metrics.registry.register(health.StoreCollector(services))
    restored = await asyncio.to_thread(restore, services.store, services.library)
    if restored:
        log.info("acquisitions restored from their archives", count=len(restored))
    await asyncio.to_thread(services.feeder.recover)
    background = Background(services, claims)
    background.start()
    try:
        yield
    finally:
        await background.stop()
        await services.followers.shutdown()
        await services.sessions.shutdown()
        await services.feeding.shutdown()
        await services.archiver.shutdown()
        await asyncio.to_thread(services.store.redis.close)


def _build(settings: Settings, metrics: Metrics) -> tuple[Services, Claims]:
    store = Store.connect(settings.redis_url)
    library = Library(settings.data, settings.min_free_disk_bytes)
    queues = JobQueues(store.redis)
    claims = Claims(store)
    feeder = Feeder(store, queues, library, settings)
    feeding = Feeding(store, feeder, library, settings, claims)
    grants = GrantStore(store.redis)
    sources = Sources(store, partial(archived_commit, library))
    services = Services(
        settings=settings,
        admin_digest=digest(admin_token(settings).token),
        store=store,
        installation=grants.installation(),
        grants=grants,
        queues=queues,
        library=library,
        batches=Batches(store),
        once=Once(store.redis),
        feeder=feeder,
        feeding=feeding,
        sessions=Sessions(store, feeder, library, settings),
        uploads=Uploads(store, feeding, library, settings, claims),
        tus=Tus(Storage(settings.data), Limits.of(settings), library.check_room, metrics),
        archiver=Archiver(store, feeder, library, settings, claims),
        followers=Followers(sources),
        last_frames=LastFrames(library, feeder.recent),
        metrics=metrics,
    )
    return services, claims
