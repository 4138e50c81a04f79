"""Absolute addresses, as phones and viewers reach this gateway."""

from __future__ import annotations

from fastapi.requests import HTTPConnection

from cellstorm.settings import Settings

API = "/api/v1"


def base_url(settings: Settings, connection: HTTPConnection) -> str:
    """Without a slash at the end: as configured, else as the caller has addressed it."""
    return (settings.public_url or str(connection.base_url)).rstrip("/")


def acquisition_urls(base: str, acquisition_id: str, token: str) -> dict[str, str]:
    """Where to publish, upload and watch."""
    resource = f"{base}{API}/acquisitions/{acquisition_id}"
    websocket = "ws" + resource.removeprefix("http")
    return {
        "whip_url": f"{base}/whip/{acquisition_id}",
        "upload_url": f"{resource}/video",
        "live_url": f"{websocket}/live",
        # Behind "#": a fragment is not sent, so the token comes into no server's log.
        "viewer_url": f"{base}/#acquisition={acquisition_id}&token={token}",
    }
