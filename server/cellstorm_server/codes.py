"""Join codes: short enough to type from a projector, and what a phone scans.

Eight digits of Crockford's base 32, which knows no I, L, O and U: 40 bits, typed in either case, with O for 0 and with gaps.
"""

from __future__ import annotations

import io
import secrets
from typing import Final

import segno

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 8
_LOOKS_LIKE: Final = str.maketrans("OIL", "011", " -")


def new_code() -> str:
    """One that nobody can foresee."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def as_meant(typed: str) -> str:
    """The code that somebody has typed; what is none stays none."""
    return typed.strip().upper().translate(_LOOKS_LIKE)


def join_url(base: str, code: str) -> str:
    """Behind "#": a fragment is not sent, so that the code comes into no server's log."""
    return f"{base}/#/join/{code}"


def qr_svg(url: str) -> str:
    """A QR code as one SVG element, black on white whatever is around it; its size is up to the page."""
    svg = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        svg,
        kind="svg",
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        omitsize=True,
        light="#fff",
        dark="#000",
        nl=False,
    )
    return svg.getvalue().decode()
