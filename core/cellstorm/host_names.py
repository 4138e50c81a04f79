"""Names of hosts as DNS, certificates and HTTP headers have them: in ASCII, whatever script people write them in (RFC 5890)."""

from __future__ import annotations

from urllib.parse import urlsplit

import idna


def ascii_name(name: str) -> str:
    """Likewise, with what else is the same to browsers made the same (UTS 46).

    Raises
    ------
    ValueError
        If there is no such form, as of a name with symbols in it.
    """
    return name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")


def ascii_url(url: str) -> str:
    """The address with its host in ASCII.

    Raises
    ------
    ValueError
        If it cannot be.
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, port = host.partition(":")
    if name.isascii():  # brackets of IPv6 too
        return url
    return parts._replace(netloc=f"{user}{at}{ascii_name(name)}{colon}{port}").geturl()
