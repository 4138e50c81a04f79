"""One worker process: it starts able to work, or not at all."""

from __future__ import annotations

import structlog

from cellstorm.jobs import LOCALIZE_CHUNK
from cellstorm.settings import Settings
from cellstorm.store import Store
from cellstorm_worker.jobs import ChunkJobs
from cellstorm_worker.onnx_generator import WarmGenerators
from cellstorm_worker.worker import NamedFunctionsWorker

log = structlog.get_logger()


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT.

    Raises
    ------
    ModelUnavailable, RuntimeUnavailable
        If the default generator cannot be run here.
    StoreUnavailable
        If Redis does not answer.
    """
    generators = WarmGenerators(settings.zoo, provider=settings.provider, threads=settings.threads)
    generator = generators.get(settings.model)
    store = Store.connect(settings.redis_url)
    store.ping()
    jobs = ChunkJobs(store, generators)
    worker = NamedFunctionsWorker({LOCALIZE_CHUNK: jobs.localize_chunk}, store.redis)
    log.info("worker ready", model=generator.spec.name, provider=settings.provider)
    worker.work(logging_level="WARNING")
