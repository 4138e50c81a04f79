"""Who may do what: a right, on one acquisition or on the whole server.

On the whole server `manage` opens everything, `film` makes a member of the class (opens acquisitions of one's own, watches
all), `watch` a spectator of all. On one acquisition `film` is everything that can be done with it, `watch` only reads.
"""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Right = Literal["manage", "film", "watch"]

_DAY_S: Final = 24 * 3600
CLASS_LIFETIME_S: Final = _DAY_S
"""Of membership in a class and of watching all: the class is over then, and its phones are in other hands."""
OWN_LIFETIME_S: Final = 30 * _DAY_S
"""Of the admin's browser and of rights on one acquisition: one comes back for the results."""


class Grant(BaseModel):
    """One right that somebody has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    right: Right
    acquisition_id: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Null for the whole server."
    )

    @model_validator(mode="after")
    def _is_meaningful(self) -> Self:
        if self.right == "manage" and self.acquisition_id is not None:
            raise ValueError("`manage` is for the whole server; on one acquisition `film` is all there is")
        return self

    @property
    def lifetime_s(self) -> int:
        """How long a browser keeps it."""
        is_of_class = self.acquisition_id is None and self.right != "manage"
        return CLASS_LIFETIME_S if is_of_class else OWN_LIFETIME_S

    def covers(self, right: Right, acquisition_id: str | None) -> bool:
        """Whether this right is enough for that one; `acquisition_id` None asks for the whole server."""
        if self.acquisition_id is not None:
            return self.acquisition_id == acquisition_id and right in (self.right, "watch")
        if self.right == "manage" or right == "watch":
            return True
        return right == self.right and acquisition_id is None


EVERYTHING: Final = Grant(right="manage", acquisition_id=None)
