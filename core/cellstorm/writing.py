"""What the system says of a place where nothing can be written, as an error of ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cellstorm.errors import InvalidSetting, StorageFull

FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where there is no room for more."""
_UNWRITABLE: Final = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.ENOENT,
    errno.EISDIR,
    errno.EEXIST,  # a file where a folder above it should be
    errno.ENAMETOOLONG,
)


@contextmanager
def writing_to(place: Path) -> Iterator[None]:
    """For code that writes the file or folder `place`, and reads nothing else of which the system could complain.

    Raises
    ------
    InvalidSetting
        If nothing can be written there.
    StorageFull
        If the disk has no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise StorageFull(f"the disk has no room for {place}; make room and try again") from error
        if error.errno in _UNWRITABLE:
            # libraries put more than the reason into strerror
            raise InvalidSetting(f"{place} cannot be written ({os.strerror(error.errno)}); choose another") from error
        raise
