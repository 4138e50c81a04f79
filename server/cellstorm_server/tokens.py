"""Tokens: the admin's, which is kept readable by its owner alone, and those that are kept as digests only.

All are random and long, so that a plain hash is enough.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cellstorm.errors import InvalidSetting
from cellstorm.settings import Settings


@dataclass(frozen=True, slots=True)
class AdminToken:
    """The admin's token and whether it has just been made, and so must be shown once."""

    token: str
    is_new: bool


def new_token() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept in place of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def admin_token(settings: Settings) -> AdminToken:
    """From the settings, else from the data directory, else made now and kept there for its owner alone.

    Raises
    ------
    InvalidSetting
        If the file cannot be read or written, or is empty.
    """
    if settings.admin_token is not None:
        return AdminToken(settings.admin_token, is_new=False)
    path = settings.admin_token_file
    try:
        return _read_or_make(path)
    except OSError as error:
        raise InvalidSetting(
            f"{path.parent} cannot be written to ({error.strerror}); choose another --data, or CELLSTORM_DATA"
        ) from error


def _read_or_make(path: Path) -> AdminToken:
    path.parent.mkdir(parents=True, exist_ok=True)
    token = new_token()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return AdminToken(_kept(path), is_new=False)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return AdminToken(token, is_new=True)


def _kept(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise InvalidSetting(
            f"{path} cannot be read ({error.strerror}); mend its permissions, or set CELLSTORM_ADMIN_TOKEN"
        ) from error
    if not token:
        raise InvalidSetting(f"{path} is empty; delete it, and a new token is made")
    return token
