"""Everything cellSTORM raises on purpose. Each message may be shown to the person with the phone and says what to do.

CellstormError
├── InvalidInput                   what was given cannot be used
│   ├── InvalidVideo               a file or stream is not a video or TIFF stack that can be read
│   ├── FrameSizeChanged           a frame has another size than the acquisition's first one
│   ├── InvalidChunk               bytes are not a chunk
│   ├── InvalidSetting             a setting is out of range or cannot be parsed
│   └── InvalidOffer               a WebRTC offer cannot be answered
│       └── NoUsableCodec          it offers no H.264 that the gateway can receive
├── NotAllowed                     the token, code or cookie is missing or wrong
├── Forbidden                      the caller is known, and may not do that
├── CodeNotFound                   no join code is that one, or no longer
├── TooManyTries                   somebody tries too often within a short time
├── AcquisitionNotFound            no acquisition has that id
├── BatchNotFound                  no batch has that id
├── SessionReplaced                another phone has taken the place of a WHIP session
├── ResultNotReady                 the acquisition has not come far enough for what was asked
├── WrongState                     the acquisition's state does not permit what was asked
├── KeyReused                      an Idempotency-Key came with another request than before
├── TooLarge                       more than the limit allows
├── StorageFull                    the disk or the chunk budget has no room left
├── Busy                           all places are taken; trying again later helps
├── StoreUnavailable               Redis cannot be reached
├── ModelUnavailable               no generator of that name, or its files are not as published
└── RuntimeUnavailable             the hardware or runtime that was asked for is not there
"""

from __future__ import annotations

import re
from typing import Final


class CellstormError(Exception):
    """Base class; its message is one line, safe to show, and says how to mend what is wrong."""


class InvalidInput(CellstormError):
    """What was given cannot be used."""


class InvalidVideo(InvalidInput):
    """A file or stream is not a video or TIFF stack that can be read."""


class FrameSizeChanged(InvalidInput):
    """A frame has another size than the acquisition's first one."""


class InvalidChunk(InvalidInput):
    """Bytes are not a chunk."""


class InvalidSetting(InvalidInput):
    """A setting is out of range or cannot be parsed."""


class InvalidOffer(InvalidInput):
    """A WebRTC offer cannot be answered."""


class NoUsableCodec(InvalidOffer):
    """A WebRTC offer holds no H.264 that the gateway can receive."""


class NotAllowed(CellstormError):
    """The token, code or cookie is missing or wrong."""


class Forbidden(CellstormError):
    """The caller is known, and may not do that."""


class CodeNotFound(CellstormError):
    """No join code is that one, or no longer."""


class TooManyTries(CellstormError):
    """Somebody tries too often within a short time."""


class AcquisitionNotFound(CellstormError):
    """No acquisition has that id."""


class BatchNotFound(CellstormError):
    """No batch has that id."""


class SessionReplaced(CellstormError):
    """The session has ended because another phone took its place."""


class ResultNotReady(CellstormError):
    """The acquisition has not come far enough for what was asked."""


class WrongState(CellstormError):
    """The acquisition's state does not permit what was asked."""


class KeyReused(CellstormError):
    """An Idempotency-Key came with another request than before."""


class TooLarge(CellstormError):
    """More than the limit allows."""


class StorageFull(CellstormError):
    """The disk or the chunk budget has no room left."""


class Busy(CellstormError):
    """All places are taken; trying again later helps."""


class StoreUnavailable(CellstormError):
    """Redis cannot be reached."""


class ModelUnavailable(CellstormError):
    """No generator of that name, or its files are not as published."""


class RuntimeUnavailable(CellstormError):
    """The hardware or runtime that was asked for is not there."""


_PYDANTIC: Final = (
    (r"^Value error, ", ""),  # a check of our own
    (r"^Field required$", "is missing"),
    (r"^Extra inputs are not permitted$", "is not known here; check its spelling"),
    (r"^Input should be a valid integer.*", "must be a whole number"),
    (r"^Input should be a valid boolean.*", "must be true or false"),
    (r"^Input should be a valid (\w+).*", r"must be a \1"),
    (r"^(Input|String|List|Tuple) should ", "must "),
)
"""What pydantic says, and how it is said to people, after the name of what is wrong."""


def in_words(message: str) -> str:
    """A check's message without pydantic's own words."""
    for theirs, ours in _PYDANTIC:
        message = re.sub(theirs, ours, message)
    return message
