"""What a gateway asks of a worker: names and JSON, never frames and never code."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from cellstorm.acquisitions import Priority

LIVE_QUEUE: Final = "live"
BATCH_QUEUES: Final = {Priority.HIGH: "batch-high", Priority.NORMAL: "batch", Priority.LOW: "batch-low"}
QUEUES: Final = (LIVE_QUEUE, *BATCH_QUEUES.values())
"""In the order in which workers serve them."""

LOCALIZE_CHUNK: Final = "cellstorm_worker.jobs.localize_chunk"
ALLOWED: Final = frozenset({LOCALIZE_CHUNK})
"""The functions that a worker runs; a job that names any other is refused."""

LEASE_S: Final = 6.0
"""A worker that has not renewed its claim on a chunk for so long is taken for dead."""
MAX_ATTEMPTS: Final = 40
"""A chunk that has ended so many workers is given up and its frames counted as damaged."""


class LocalizeChunkJob(BaseModel):
    """Localize the emitters in one stored chunk and commit the result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    acquisition_id: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")
    chunk: int = Field(ge=0)
