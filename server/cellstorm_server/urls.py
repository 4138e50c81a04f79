"""Absolute addresses, as phones and viewers reach this gateway."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from fastapi.requests import HTTPConnection

from cellstorm.settings import Settings
from cellstorm_server.addresses import lan_address
from cellstorm_server.tls import brought_name

API: Final = "/api/v1"
VIDEO: Final = "/video"
"""Behind an acquisition's address: where a recording is put."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def base_url(settings: Settings, connection: HTTPConnection) -> str:
    """Without a slash at the end: as configured, else as the caller has addressed it."""
    return (settings.public_url or str(connection.base_url)).rstrip("/")


def phone_base_url(settings: Settings, connection: HTTPConnection) -> str:
    """Likewise, for another device than the caller's: over HTTPS where that is served, under a name that leads there."""
    own = urlsplit(base_url(settings, connection))
    if settings.public_url is not None or (own.scheme == "https" and not _is_this_machine(own.hostname or "")):
        return own.geturl()
    return local_https_url(settings) or own.geturl()


def local_https_url(settings: Settings) -> str | None:
    """Under which other devices of the network reach this gateway's own HTTPS, no slash at the end; None without that."""
    if settings.https_port is None:
        return None
    host = brought_name(settings) or lan_address() or "localhost"
    port = "" if settings.https_port == _DEFAULT_PORTS["https"] else f":{settings.https_port}"
    return f"https://{host}{port}"


def is_own_origin(settings: Settings, connection: HTTPConnection) -> bool:
    """Whether the page that has sent this, as its browser says in `Origin`, is this gateway's."""
    origin = _origin(connection.headers.get("origin", ""))
    own = [str(connection.base_url).replace("ws", "http", 1) if _is_websocket(connection) else str(connection.base_url)]
    if settings.public_url is not None:
        own.append(settings.public_url)
    return origin is not None and origin in [_origin(url) for url in own]


def acquisition_urls(base: str, acquisition_id: str) -> dict[str, str]:
    """Where to publish, upload and watch."""
    resource = f"{base}{API}/acquisitions/{acquisition_id}"
    websocket = "ws" + resource.removeprefix("http")
    return {
        "whip_url": f"{base}/whip/{acquisition_id}",
        "upload_url": f"{resource}{VIDEO}",
        "live_url": f"{websocket}/live",
        "viewer_url": f"{base}/#/view/{acquisition_id}",
    }


def _is_websocket(connection: HTTPConnection) -> bool:
    return bool(connection.scope["type"] == "websocket")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port (RFC 6454, 4); None where it is no address."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)
