"""Names of keys. An acquisition's id is their hash tag, so that one script's keys lie on one shard."""

from __future__ import annotations

from typing import Final

ACQUISITIONS: Final = "acquisitions"
"""Sorted set of ids by the time of their creation."""


def state(acquisition_id: str) -> str:
    """Hash: settings, state, counters."""
    return f"acq:{{{acquisition_id}}}:state"


def pending(acquisition_id: str) -> str:
    """Sorted set of the chunks that are stored and not committed, by the time at which to ask what became of them."""
    return f"acq:{{{acquisition_id}}}:pending"


def attempts(acquisition_id: str) -> str:
    """Hash: how often a worker began on each pending chunk."""
    return f"acq:{{{acquisition_id}}}:attempts"


def chunk(acquisition_id: str, number: int) -> str:
    """One pending chunk's bytes."""
    return f"acq:{{{acquisition_id}}}:chunk:{number}"


def commits(acquisition_id: str) -> str:
    """Stream: the localizations, one entry per committed chunk."""
    return f"acq:{{{acquisition_id}}}:commits"


def events(acquisition_id: str) -> str:
    """Stream, capped: one entry whenever something changed."""
    return f"acq:{{{acquisition_id}}}:events"


def widefield(acquisition_id: str) -> str:
    """The sum of all processed frames, (height, width) uint32, zlib."""
    return f"acq:{{{acquisition_id}}}:widefield"


def bulk(acquisition_id: str) -> tuple[str, ...]:
    """What leaves Redis when an acquisition is archived."""
    return tuple(name(acquisition_id) for name in (pending, attempts, commits, events, widefield))


def lock(name: str) -> str:
    """Held by the one process that does a thing for all."""
    return f"lock:{name}"
