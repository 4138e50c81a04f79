"""The page that explains the browser's warning, and the authority's certificate in the forms that devices install.

Served without a token, and without TLS too: it is for who cannot come in yet. Whether it is the right authority tells its
fingerprint, which stands in the server's terminal as well.
"""

from __future__ import annotations

import asyncio
import plistlib
from base64 import b64encode
from hashlib import sha256
from html import escape
from http import HTTPStatus
from importlib.resources import files
from string import Template
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from cellstorm.settings import Settings
from cellstorm_server.certificates import certificate_pem, common_name, fingerprint
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
        return _html("no_authority.html", base=base)
    browser = request.headers.get("user-agent", "")
    own = next((system for sign, system in _SYSTEMS.items() if sign in browser), None)
    return _html(
        "authority.html",
        base=base,
        name=common_name(authority),
        fingerprint=_in_lines(fingerprint(authority)),
        ends=authority.not_valid_after_utc.date().isoformat(),
        **{f"open_{system}": "open" if system == own else "" for system in _SYSTEMS.values()},
    )


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


def _html(page: str, **values: str) -> Response:
    """A page that loads nothing: its one style sheet is within it, and allowed by its hash; so is its (empty) icon."""
    folder = files("cellstorm_server") / "pages"
    style = (folder / "pages.css").read_text(encoding="utf-8")
    known = {key: escape(value) for key, value in values.items()}
    text = Template((folder / page).read_text(encoding="utf-8")).substitute(known, style=style)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    loads = f"default-src 'none'; style-src 'sha256-{allowed}'; img-src data:"
    policy = f"{loads}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


def _in_lines(text: str) -> str:
    """As many as a phone shows without breaking them."""
    bytes_ = text.split(":")
    return "\n".join(":".join(bytes_[start : start + 8]) for start in range(0, len(bytes_), 8))


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
