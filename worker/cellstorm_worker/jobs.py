"""The jobs that a worker knows: localizing one chunk.

What a job is told is a name and two numbers; everything else it takes from the store, and what became of it is told by
the store alone. It may run twice, be killed anywhere or come late: a chunk is committed once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

import structlog

from cellstorm import maps
from cellstorm.acquisitions import Acquisition, State
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.chunks import Chunk
from cellstorm.errors import AcquisitionNotFound, InvalidChunk, InvalidInput, ModelUnavailable
from cellstorm.generator import Generator, GeneratorSpec
from cellstorm.jobs import LEASE_S, MAX_ATTEMPTS, LocalizeChunkJob
from cellstorm.pipeline import ChunkResult, add_maps, localize_chunk
from cellstorm.roi import RegionOfInterest
from cellstorm.store import STORE_TROUBLE, CommitOutcome, Store, Widefield

_RENEW_S: Final = LEASE_S / 6
log = structlog.get_logger()


class _Withdrawn(Exception):  # no error: the work is no longer wanted
    """The chunk at hand was deleted, cancelled or paused, or another worker has committed it."""


class Generators(Protocol):
    """Where generators come from."""

    def get(self, name: str, release: str | None = None) -> Generator:
        """Raises ModelUnavailable where there is none of that name, or not that release of it."""
        ...


class ChunkJobs:
    """Localizes chunks of the store's acquisitions."""

    def __init__(self, store: Store, generators: Generators, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._generators = generators
        self._clock = clock

    def localize_chunk(self, arguments: Mapping[str, object], still_alive: Callable[[], None]) -> None:
        """Do the job of `LocalizeChunkJob`; `still_alive` is called about once a second."""
        job = LocalizeChunkJob.model_validate(arguments)
        try:
            self._localize(job.acquisition_id, job.chunk, still_alive)
        except _Withdrawn:
            log.info("chunk left: it is not wanted now", acquisition=job.acquisition_id, chunk=job.chunk)
        except AcquisitionNotFound:  # deleted meanwhile: nothing is left to do
            return

    def _localize(self, acquisition_id: str, number: int, still_alive: Callable[[], None]) -> None:
        attempts = self._store.lease(acquisition_id, number, LEASE_S, begin=True)
        if attempts is None:
            return
        acquisition = self._store.get(acquisition_id)
        try:
            chunk = self._store.get_chunk(acquisition_id, number)
            if chunk is None:
                return
            if attempts > MAX_ATTEMPTS:
                self._store.give_up(acquisition_id, chunk, f"chunk {number} ended every worker that began on it")
                return
            self._process(acquisition, chunk, still_alive)
        except (ModelUnavailable, InvalidInput) as error:
            # Of all its chunks this is true, or the chunk's own header cannot be read: more of them would not help.
            log.error("acquisition failed", acquisition=acquisition_id, chunk=number, error=str(error))
            self._store.transition(acquisition_id, State.FAILED, error=str(error))

    def _process(self, acquisition: Acquisition, chunk: Chunk, still_alive: Callable[[], None]) -> None:
        began = self._clock()
        number = chunk.header.number
        settings = acquisition.settings
        try:
            result = localize_chunk(
                chunk,
                self._generators.get(settings.model, self._release(acquisition.id)),
                settings=settings,
                roi=acquisition.roi or RegionOfInterest.default(chunk.header.width, chunk.header.height),
                camera=settings.camera or DEFAULT_CAMERA,
                on_batch=self._renewal(acquisition.id, number, still_alive),
            )
        except InvalidChunk as error:
            log.warning("chunk given up", acquisition=acquisition.id, chunk=number, error=str(error))
            self._store.give_up(acquisition.id, chunk, f"chunk {number}: {error}")
            return
        outcome = self._commit(acquisition.id, chunk, result)
        log.info(
            f"chunk {outcome}",
            acquisition=acquisition.id,
            chunk=number,
            frames=result.frame_count,
            localizations=len(result.localizations),
            ms=round(1000 * (self._clock() - began)),
        )

    def _release(self, acquisition_id: str) -> str | None:
        """Of the generator with which the acquisition was begun, and which its report names."""
        spec = self._store.field(acquisition_id, "generator")
        return None if spec is None else GeneratorSpec.model_validate_json(spec).release

    def _commit(self, acquisition_id: str, chunk: Chunk, result: ChunkResult) -> CommitOutcome:
        """Add the chunk's counts to the widefield image as it is now, until no other chunk came in between."""
        while True:
            present = self._store.widefield(acquisition_id)
            total = result.widefield_sum
            if present.counts is not None:
                total = maps.added(present.counts, total)
            outcome = self._store.commit(
                acquisition_id,
                chunk,
                result.localizations,
                frame_count=result.frame_count,
                widefield=Widefield(total, present.version, add_maps(present.maps, result.map_sum)),
                left_out=result.left_out,
            )
            if outcome != "conflict":
                return outcome

    def _renewal(self, acquisition_id: str, number: int, still_alive: Callable[[], None]) -> Callable[[], None]:
        """Renews the claim on the chunk, now and then; ends the work on it when there is none any more."""
        renewed = self._clock()

        def renew() -> None:
            nonlocal renewed
            if self._clock() - renewed < _RENEW_S:
                return
            # An unreachable Redis is no reason to throw the work away: the commit shows whether it is back.
            with suppress(*STORE_TROUBLE):
                if self._store.lease(acquisition_id, number, LEASE_S, begin=False) is None:
                    raise _Withdrawn
            still_alive()
            renewed = self._clock()

        return renew
