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
    return f"{chunk_prefix(acquisition_id)}{number}"


def chunk_prefix(acquisition_id: str) -> str:
    """What the keys of all its pending chunks begin with."""
    return f"acq:{{{acquisition_id}}}:chunk:"


def commits(acquisition_id: str) -> str:
    """Stream: the localizations, one entry per committed chunk."""
    return f"acq:{{{acquisition_id}}}:commits"


def events(acquisition_id: str) -> str:
    """Stream, capped: one entry whenever something changed."""
    return f"acq:{{{acquisition_id}}}:events"


def progress(acquisition_id: str) -> str:
    """List: when how many frames were done, as `UNIX_TIME FRAMES`; thinned out towards the past."""
    return f"acq:{{{acquisition_id}}}:progress"


def widefield(acquisition_id: str) -> str:
    """The sum of all processed frames, (height, width) uint32, zlib."""
    return f"acq:{{{acquisition_id}}}:widefield"


def maps(acquisition_id: str) -> str:
    """The sum of all localization maps of a generator that makes them: rows and columns as uint32, then uint32, zlib."""
    return f"acq:{{{acquisition_id}}}:maps"


def bulk(acquisition_id: str) -> tuple[str, ...]:
    """What leaves Redis when an acquisition is over."""
    return tuple(name(acquisition_id) for name in (pending, attempts, commits, events, progress, widefield, maps))


BATCHES: Final = "batches"
"""Sorted set of ids by the time of their creation."""


def batch(batch_id: str) -> str:
    """Hash: name, settings, priority."""
    return f"batch:{{{batch_id}}}:state"


def batch_members(batch_id: str) -> str:
    """Sorted set of the ids of its acquisitions, in the order in which they joined."""
    return f"batch:{{{batch_id}}}:members"


def batch_token(digest: str) -> str:
    """The id of the batch that a token, known by its digest, opens."""
    return f"batch-token:{digest}"


def once(name: str) -> str:
    """What came of a request that bore an Idempotency-Key."""
    return f"once:{name}"


ONCE: Final = "once"
"""Sorted set of those names by their time."""


def token(digest: str) -> str:
    """The id of the acquisition that a token, known by its digest, opens."""
    return f"token:{digest}"


INSTALLATION: Final = "installation"
"""What this installation is told from others by, where one browser knows several."""


def browser(digest: str) -> str:
    """Hash: what the browser with the cookie of that digest may do, and until when."""
    return f"browser:{digest}"


def code(code: str) -> str:
    """Hash: what a code lets in to, and how often."""
    return f"code:{code}"


def tries(purpose: str, bucket: int) -> str:
    """How often one of those who share that counter has tried within a minute."""
    return f"tries:{purpose}:{bucket}"


def lock(name: str) -> str:
    """Held by the one process that does a thing for all."""
    return f"lock:{name}"
