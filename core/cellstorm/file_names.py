"""Names of files as text. Linux takes any bytes for a name; those that are no UTF-8 can stand in no JSON, header or archive."""

from __future__ import annotations

import os
from pathlib import Path


def readable(path: Path) -> str:
    """The path, with what is no UTF-8 replaced."""
    return os.fsencode(path).decode(errors="replace")


def readable_name(path: Path) -> str:
    """Likewise its last part."""
    return Path(readable(path)).name
