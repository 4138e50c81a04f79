"""Places where nothing can be written: what the system says of them, as an error of ours; and what is written to stay."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cellstorm.errors import InvalidSetting, StorageFull

HIDDEN: Final = ".incomplete-"
"""How names of folders begin that are of no worth unless their process lives."""
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


def sync(path: Path) -> None:
    """Have a file's content, or the names in a folder, survive a loss of power from now on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_writable(folder: Path) -> None:
    """Nothing, if files can be written into `folder`, which need not be there yet: worth asking before hours of work.

    Raises
    ------
    InvalidSetting, StorageFull
        As of `writing_to`.
    """
    with writing_to(folder):
        whole = folder.resolve()
        nearest = next(each for each in (whole, *whole.parents) if each.exists())
        # only a try tells: a read-only disk stands in the way as well as permissions
        tempfile.TemporaryDirectory(prefix=HIDDEN, dir=nearest).cleanup()
