"""A figure that cannot be told is no number: it is `Unknown`, and says why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """In the place of a figure; `reason` is one sentence that may be shown to people."""

    reason: str
