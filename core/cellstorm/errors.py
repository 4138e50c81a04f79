"""Everything cellSTORM raises on purpose. Each message may be shown to the person with the phone and says what to do.

CellstormError
├── InvalidInput                   what was given cannot be used
│   ├── InvalidVideo               a file or stream is not a video or TIFF stack that can be read
│   ├── FrameSizeChanged           a frame has another size than the acquisition's first one
│   ├── InvalidChunk               bytes are not a chunk
│   ├── InvalidSetting             a setting is out of range or cannot be parsed
│   └── InvalidOffer               a WebRTC offer cannot be answered
│       └── NoUsableCodec          it offers no H.264 that the gateway can receive
├── NotAllowed                     the token is missing or wrong
├── AcquisitionNotFound            no acquisition has that id
├── SessionNotFound                no WHIP session has that id
│   └── SessionReplaced            it had, until another phone took its place
├── ResultNotReady                 the acquisition has not come far enough for what was asked
├── WrongState                     the acquisition's state does not permit what was asked
├── TooLarge                       more bytes than the limit allows
├── StorageFull                    the disk or the chunk budget has no room left
├── Busy                           all places are taken; trying again later helps
├── StoreUnavailable               Redis cannot be reached
├── ModelUnavailable               no generator of that name, or its files are not as published
└── RuntimeUnavailable             the hardware or runtime that was asked for is not there
"""


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
    """The token is missing or wrong."""


class AcquisitionNotFound(CellstormError):
    """No acquisition has that id."""


class SessionNotFound(CellstormError):
    """No WHIP session has that id."""


class SessionReplaced(SessionNotFound):
    """The session has ended because another phone took its place."""


class ResultNotReady(CellstormError):
    """The acquisition has not come far enough for what was asked."""


class WrongState(CellstormError):
    """The acquisition's state does not permit what was asked."""


class TooLarge(CellstormError):
    """More bytes than the limit allows."""


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
