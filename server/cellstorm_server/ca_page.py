"""The page that explains the browser's warning, and the authority's certificate in the forms that devices install.

Served without a token, and without TLS too: it is for who cannot come in yet. Whether it is the right authority tells its
fingerprint, which stands in the server's terminal as well.
"""

from __future__ import annotations

import asyncio
import plistlib
from http import HTTPStatus
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from fastapi import APIRouter, HTTPException, Request, Response

from cellstorm.settings import Settings
from cellstorm_server.certificates import certificate_pem, common_name, fingerprint
from cellstorm_server.plain_pages import plain_page
from cellstorm_server.services import Current
from cellstorm_server.tls import authority_file, read_certificate
from cellstorm_server.urls import phone_base_url

router = APIRouter(include_in_schema=False)

_PAGE: Final = "/ca"
_CERTIFICATE: Final = "/ca.crt"
_PROFILE: Final = "/ca.mobileconfig"
WITHOUT_TLS: Final = frozenset({_PAGE, _CERTIFICATE, _PROFILE})

_SYSTEMS: Final = {
    "Android": "android",
    "iPhone": "ios",
    "iPad": "ios",
    "Windows": "windows",
    "Macintosh": "macos",
    "Linux": "linux",
}
"""What a browser's name for itself holds, the first that fits, and the section of the page that is then open."""


@router.get(_PAGE)
async def ca_page(request: Request, services: Current) -> Response:
    """What the warning means, how to go on, how to be rid of it."""
    authority = await asyncio.to_thread(_authority, services.settings)
    base = phone_base_url(services.settings, request)
    if authority is None:
        return plain_page("no_authority.html", {"base": base})
    browser = request.headers.get("user-agent", "")
    own = next((system for sign, system in _SYSTEMS.items() if sign in browser), None)
    values = {
        "base": base,
        "name": common_name(authority),
        "fingerprint": _in_lines(fingerprint(authority)),
        "ends": authority.not_valid_after_utc.date().isoformat(),
    }
    opened = {f"open_{system}": "open" if system == own else "" for system in _SYSTEMS.values()}
    return plain_page("authority.html", values | opened)


@router.get(_CERTIFICATE)
async def ca_certificate(services: Current) -> Response:
    """The authority's certificate, as everything but an iPhone takes it."""
    pem = certificate_pem(await _required(services.settings))
    return Response(pem, media_type="application/x-x509-ca-cert", headers=_as_file("cellstorm-ca.crt"))


@router.get(_PROFILE)
async def ca_profile(services: Current) -> Response:
    """The same as a configuration profile, as iPhones and iPads take it."""
    profile = configuration_profile(await _required(services.settings))
    return Response(
        profile, media_type="application/x-apple-aspen-config", headers=_as_file("cellstorm-ca.mobileconfig")
    )


def configuration_profile(authority: x509.Certificate) -> bytes:
    """Installs the authority; the same one again replaces it."""
    der = authority.public_bytes(serialization.Encoding.DER)
    name, identity = common_name(authority), fingerprint(authority)
    identifier = f"org.cellstorm.authority.{identity.replace(':', '')[:16].lower()}"
    certificate = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.root",
        "PayloadUUID": str(uuid5(NAMESPACE_URL, f"{identity}/root")).upper(),
        "PayloadDisplayName": name,
        "PayloadCertificateFileName": "cellstorm-ca.cer",
        "PayloadContent": der,
    }
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": identifier,
            "PayloadUUID": str(uuid5(NAMESPACE_URL, identity)).upper(),
            "PayloadDisplayName": name,
            "PayloadDescription": "Lets this device trust the cellSTORM server of this name, and nothing else.",
            "PayloadContent": [certificate],
        }
    )


def _authority(settings: Settings) -> x509.Certificate | None:
    path = authority_file(settings)
    return None if path is None else read_certificate(path)


async def _required(settings: Settings) -> x509.Certificate:
    authority = await asyncio.to_thread(_authority, settings)
    if authority is None:
        raise HTTPException(
            HTTPStatus.NOT_FOUND, "there is nothing to install: this server has no authority of its own"
        )
    return authority


def _in_lines(text: str) -> str:
    """As many as a phone shows without breaking them."""
    bytes_ = text.split(":")
    return "\n".join(":".join(bytes_[start : start + 8]) for start in range(0, len(bytes_), 8))


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
