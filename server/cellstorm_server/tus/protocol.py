"""tus 1.0 (https://tus.io/protocols/resumable-upload) as it stands in headers: what a request says, checked.

What tus answers with a status of its own is a `TusError`; everything else that goes wrong is one of our errors.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

from cellstorm.errors import CellstormError, TooLarge

VERSION: Final = "1.0.0"
EXTENSIONS: Final = (
    "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration"  # no spaces, as tus wants it
)
CHECKSUMS: Final = ("sha1", "sha256", "sha512", "md5")
CONTENT_TYPE: Final = "application/offset+octet-stream"

MAX_METADATA_BYTES: Final = 8192
"""Of the header as it comes."""
_MAX_DIGITS: Final = 18
_KEY: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
"""Printable ASCII without space and comma."""


class TusError(CellstormError):
    """What tus answers with a status of its own."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


def malformed(detail: str) -> TusError:
    return TusError(400, "invalid-upload-request", detail)


def wrong_version() -> TusError:
    return TusError(
        412, "wrong-tus-version", f"this server speaks tus {VERSION}; send the header Tus-Resumable: {VERSION}"
    )


def not_found() -> TusError:
    return TusError(404, "upload-not-found", "there is no upload of that id; create a new one")


def expired() -> TusError:
    return TusError(410, "upload-expired", "the upload was left alone for too long and is gone; begin it again")


def wrong_offset(said: int, have: int) -> TusError:
    return TusError(
        409, "wrong-offset", f"Upload-Offset is {said}, but {have} bytes are here; ask with HEAD, and go on from there"
    )


def wrong_checksum() -> TusError:
    return TusError(460, "wrong-checksum", "the bytes do not fit their checksum and were not kept; send them again")


def is_locked() -> TusError:
    return TusError(423, "upload-locked", "another request is at work on this upload; try again in a few seconds")


def taken_over() -> TusError:
    return TusError(400, "upload-taken-over", "another request has taken this upload over; what came before it is kept")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a PATCH's bytes must come to."""

    algorithm: str
    digest: bytes

    def begin(self) -> hashlib._Hash:
        return hashlib.new(self.algorithm, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class Creation:
    """What a POST asks for; `length` is None where it is told later."""

    length: int | None
    metadata_header: str
    metadata: dict[str, str]


def read_creation(headers: Mapping[str, str], max_bytes: int) -> Creation:
    """What is to be created.

    Raises
    ------
    TusError
        If the headers are not as tus wants them.
    TooLarge
        If the file is larger than the server takes.
    """
    length = read_length(headers, max_bytes)
    deferred = headers.get("upload-defer-length")
    if deferred not in (None, "1") or (length is None) == (deferred is None):
        raise malformed("say Upload-Length: BYTES, or Upload-Defer-Length: 1 where it is not known yet")
    header = headers.get("upload-metadata", "")
    return Creation(length, header, read_metadata(header))


def read_length(headers: Mapping[str, str], max_bytes: int) -> int | None:
    """Upload-Length, where it is said."""
    if "upload-length" not in headers:
        return None
    length = _number(headers, "upload-length")
    if length > max_bytes:
        raise too_large(max_bytes)
    return length


def too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"the file is larger than the {max_bytes / 2**20:,.0f} MiB that this server takes; cut or compress it"
    )


def read_offset(headers: Mapping[str, str]) -> int:
    """Upload-Offset, which must be there."""
    return _number(headers, "upload-offset")


def read_checksum(headers: Mapping[str, str]) -> Checksum | None:
    """Upload-Checksum, where it is said."""
    said = headers.get("upload-checksum")
    if said is None:
        return None
    algorithm, _, encoded = said.partition(" ")
    if algorithm not in CHECKSUMS:
        raise malformed(f"checksums are made with {', '.join(CHECKSUMS)}; {algorithm!r} is not one of them")
    checksum = Checksum(algorithm, _decoded(encoded, "Upload-Checksum"))
    if len(checksum.digest) != checksum.begin().digest_size:
        raise malformed(f"Upload-Checksum holds {len(checksum.digest)} bytes, which is no {algorithm}")
    return checksum


def check_content_type(headers: Mapping[str, str]) -> None:
    """Nothing, for a body that is to be appended."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise TusError(415, "wrong-content-type", f"bytes are appended as Content-Type: {CONTENT_TYPE}")


def read_metadata(header: str) -> dict[str, str]:
    """Keys and values of Upload-Metadata; a key without a value has an empty one."""
    if len(header) > MAX_METADATA_BYTES:
        raise malformed(f"Upload-Metadata is longer than {MAX_METADATA_BYTES} characters")
    metadata: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        if not _KEY.fullmatch(key) or key in metadata:
            raise malformed(f"Upload-Metadata has the key {key!r} twice, or it is no key")
        try:
            metadata[key] = _decoded(value.strip(), "Upload-Metadata").decode()
        except UnicodeDecodeError as error:
            raise malformed(f"the value of {key!r} in Upload-Metadata is not UTF-8") from error
    return metadata


def http_date(unix_s: float) -> str:
    """As in RFC 9110, 5.6.7."""
    return formatdate(unix_s, usegmt=True)


def _number(headers: Mapping[str, str], name: str) -> int:
    said = headers.get(name, "")
    if not (said.isascii() and said.isdecimal() and len(said) <= _MAX_DIGITS):
        raise malformed(f"{name.title()} must be a number of bytes, not {said!r}")
    return int(said)


def _decoded(encoded: str, where: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise malformed(f"{where} must be in base64") from error
