"""Where a session's frames begin: behind what came before, and behind what a phone has missed while its link was lost."""

from __future__ import annotations

from cellstorm import gaps
from cellstorm.gaps import LinkGap, Place
from cellstorm.store import Store
from cellstorm_server.feeder import Feeder


def begin(acquisition_id: str, session_id: str, told: LinkGap | None, store: Store, feeder: Feeder) -> tuple[int, int]:
    """Blocks. Number of the session's first chunk and index of its first frame; its beginning and the gap are kept."""
    next_chunk, next_frame = feeder.next_position(acquisition_id)
    place = store.field(acquisition_id, "session")
    first_frame, known = gaps.after_gap(
        told,
        next_frame,
        None if place is None else Place.model_validate_json(place),
        gaps.from_json(store.field(acquisition_id, "gaps")),
    )
    began = Place(session_id=session_id, first_frame=first_frame)
    store.set_fields(acquisition_id, session=began.model_dump_json(), gaps=gaps.to_json(known))
    return next_chunk, first_frame
