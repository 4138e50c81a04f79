"""Whose turn it is to hand a chunk to the workers, so that nobody's many files hold up somebody else's one.

Files that belong together (a batch) are one group. Groups take turns, those of a higher priority before the others; within
a group, files go in the order of their coming. A group whose chunks fill its share of the queue rests until workers have
taken some. So each group has as many chunks in the queue as any other, however many files it has. No sockets, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from cellstorm.acquisitions import Priority

OPEN_PER_GROUP: Final = 4
OPEN_IN_ALL: Final = 64
"""Files that are read at once: each holds a file handle and a decoder."""
_RANK: Final = {priority: rank for rank, priority in enumerate(Priority)}

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Member(Generic[T]):
    """One file in the line, with whatever the caller needs for it."""

    group: str
    priority: Priority
    work: T
    is_open: bool = False
    is_busy: bool = False
    rests_until_s: float = 0.0


@dataclass(slots=True)
class Line(Generic[T]):
    """All files that are being handed to the workers."""

    _members: list[Member[T]] = field(default_factory=list)
    _served: dict[str, int] = field(default_factory=dict)
    _turns: int = 0

    def __iter__(self) -> Iterator[Member[T]]:
        return iter(self._members)

    def add(self, member: Member[T]) -> None:
        """At the end."""
        self._members.append(member)

    def remove(self, member: Member[T]) -> None:
        """It has nothing more to hand over."""
        self._members.remove(member)
        if all(other.group != member.group for other in self._members):
            self._served.pop(member.group, None)

    def next(self, now_s: float) -> Member[T] | None:
        """The one whose turn it is, marked as busy and open; None while all rest or are busy."""
        ready = [member for member in self._eligible(now_s) if not member.is_busy and member.rests_until_s <= now_s]
        if not ready:
            return None
        chosen = min(ready, key=lambda member: (_RANK[member.priority], self._served.get(member.group, 0)))
        self._turns += 1
        self._served[chosen.group] = self._turns
        chosen.is_open = chosen.is_busy = True
        return chosen

    def rest(self, group: str, until_s: float) -> None:
        """Let a whole group wait: its share of the queue is full."""
        for member in self._members:
            if member.group == group:
                member.rests_until_s = until_s

    def _eligible(self, now_s: float) -> list[Member[T]]:
        """Those that are open, and as many others as may be opened, oldest first; one that rests takes nobody's place."""
        in_all = sum(member.is_open for member in self._members)
        per_group: dict[str, int] = {}
        for member in self._members:
            per_group[member.group] = per_group.get(member.group, 0) + member.is_open
        eligible = []
        for member in self._members:
            if not member.is_open:
                if member.rests_until_s > now_s:
                    continue
                if in_all >= OPEN_IN_ALL or per_group[member.group] >= OPEN_PER_GROUP:
                    continue
                in_all += 1
                per_group[member.group] += 1
            eligible.append(member)
        return eligible
