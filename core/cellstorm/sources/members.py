"""TIFF files that together are one recording: one file, a folder of them, or a ZIP archive of them.

Nothing of an archive is ever written to disk. Members that are stored are read where they lie, however large;
compressed ones are unpacked into memory one by one, so they must be small, as single frames are.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from cellstorm.errors import InvalidVideo

ZIP_MAGICS: Final = frozenset({b"PK\3\4", b"PK\5\6"})
_SUFFIXES: Final = (".tif", ".tiff")
_MAX_MEMBERS: Final = 200_000
_MAX_UNPACKED_BYTES: Final = 256 * 2**20
"""Of a compressed member: a frame of 8192x8192 pixels at 16 bits is half of it."""
_MAX_RATIO: Final = 200
_ALWAYS_UNPACKED_BYTES: Final = 2**30
"""An archive of this size unpacked is no bomb, whatever its own size."""
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and of the extra field (APPNOTE 4.3.7)."""


class Member(Protocol):
    """One TIFF file."""

    @property
    def name(self) -> str: ...

    def opened(self) -> AbstractContextManager[BinaryIO]:
        """As a file that can be sought in, for as long as the context lasts.

        Raises
        ------
        InvalidVideo
            If it cannot be opened.
        """


@dataclass(frozen=True, slots=True)
class PlainFile:
    """A file of its own.

    Attributes
    ----------
    called
        What its owner calls it, where it lies under another name.
    """

    path: Path
    called: str | None = None

    @property
    def name(self) -> str:
        return self.called or self.path.name

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise InvalidVideo(f"{self.name} cannot be read ({error.strerror}); check its permissions") from error
        with file:
            yield file


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file in an archive."""

    archive: PlainFile
    info: zipfile.ZipInfo

    @property
    def name(self) -> str:
        return self.info.filename

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        with self.archive.path.open("rb") as file:
            if self.info.compress_type == zipfile.ZIP_STORED:
                yield io.BufferedReader(_Window(file, self._start(file), self.info.file_size))
            else:
                yield io.BytesIO(self._unpacked(file))

    def _start(self, file: BinaryIO) -> int:
        file.seek(max(0, self.info.header_offset))  # one that points before the file is found out below
        head = file.read(_LOCAL_HEADER.size)
        if self.info.header_offset < 0 or len(head) < _LOCAL_HEADER.size or head[:4] != b"PK\3\4":
            raise damaged_archive(self.archive)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(head)
        return self.info.header_offset + len(head) + int(name_length) + int(extra_length)

    def _unpacked(self, file: BinaryIO) -> bytes:
        file.seek(self._start(file))
        try:
            # Not by ZipFile, which would read the directory of all members for each of them.
            with zipfile.ZipExtFile(file, "r", self.info) as member:
                return member.read(_MAX_UNPACKED_BYTES + 1)[:_MAX_UNPACKED_BYTES]
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise damaged_archive(self.archive) from error


class _Window(io.RawIOBase):
    """`size` bytes of a file from `start` on, as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        self._file, self._start, self._size, self._position = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # any buffer, to typeshed
        self._file.seek(self._start + self._position)
        wanted = max(0, min(len(buffer), self._size - self._position))
        data = self._file.read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def folder_members(folder: Path) -> list[PlainFile]:
    """The TIFF files in a folder, in the order in which people count: 2 before 10.

    Raises
    ------
    InvalidVideo
        If there is none, or they cannot be listed.
    """
    try:
        files = [path for path in folder.iterdir() if _is_tiff(path.name) and path.is_file()]
    except OSError as error:
        raise InvalidVideo(f"{folder.name} cannot be read ({error.strerror}); check its permissions") from error
    if not files:
        raise InvalidVideo(f"the folder {folder.name} holds no TIFF file; name one that does, or a video")
    return [PlainFile(path) for path in sorted(files, key=lambda path: _counted(path.name))]


def zip_members(archive: PlainFile) -> list[ZipMember]:
    """The TIFF files in an archive, in the order of their names.

    Raises
    ------
    InvalidVideo
        If there is none, or the archive is damaged, encrypted or made to swell.
    """
    try:
        with zipfile.ZipFile(archive.path) as opened:
            infos = [info for info in opened.infolist() if _is_tiff(info.filename) and not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error) as error:
        raise damaged_archive(archive) from error
    _check_archive(archive, infos)
    return [ZipMember(archive, info) for info in sorted(infos, key=lambda info: _counted(info.filename))]


def damaged_archive(archive: PlainFile) -> InvalidVideo:
    return InvalidVideo(f"{archive.name} is a damaged ZIP archive; pack the TIFF files again, without compression")


def _check_archive(archive: PlainFile, infos: Sequence[zipfile.ZipInfo]) -> None:
    if not infos:
        raise InvalidVideo(
            f"{archive.name} holds no TIFF file; pack the recording's TIFF files into it, and nothing else"
        )
    if len(infos) > _MAX_MEMBERS:
        raise InvalidVideo(f"{archive.name} holds {len(infos)} files; save the frames as one stack")
    if any(info.flag_bits & 1 for info in infos):
        raise InvalidVideo(f"{archive.name} is encrypted; pack the TIFF files without a password")
    packed = [info for info in infos if info.compress_type != zipfile.ZIP_STORED]
    if max((info.file_size for info in packed), default=0) > _MAX_UNPACKED_BYTES:
        raise InvalidVideo(
            f"{archive.name} holds a large compressed stack; pack it without compression, or send it by itself"
        )
    if sum(info.file_size for info in infos) > max(_ALWAYS_UNPACKED_BYTES, _MAX_RATIO * archive.path.stat().st_size):
        raise InvalidVideo(
            f"{archive.name} would unpack to far more than it is; pack the TIFF files without compression"
        )


def _is_tiff(name: str) -> bool:
    """A Mac packs files whose names begin with "._" beside each other one."""
    base = name.rsplit("/", 1)[-1]
    return base.lower().endswith(_SUFFIXES) and not base.startswith(".")


def _counted(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdecimal() else (1, part.lower()) for part in re.split(r"(\d+)", name) if part]
