"""The gateway's certificate: one that the user brings, or one from an authority of this installation, renewed by itself.

The authority and its certificates lie in CELLSTORM_DATA/tls, for their owner alone. Gateways that share that directory
share the authority; each has a certificate of its own.
"""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from cellstorm.errors import InvalidSetting
from cellstorm.settings import Settings
from cellstorm_server.addresses import Hosts, own_hosts
from cellstorm_server.certificates import (
    Certified,
    check_brought,
    fingerprint,
    hosts_of,
    make_authority,
    make_certificate,
    needs_renewal,
    permitted_hosts,
)

log = structlog.get_logger()

_AUTHORITY: Final = "authority.pem"


class CertificateFiles(NamedTuple):
    """In PEM form; one file may hold both."""

    certificate: Path
    key: Path


class CertificateSource(Protocol):
    """Where the gateway's certificate comes from."""

    authority: x509.Certificate | None
    """What devices may install to trust it; None where they trust it anyway."""

    def refresh(self, now: datetime) -> CertificateFiles | None:
        """The files, if their content is another than before; None if it is as it was."""


class OwnAuthority:
    """Certificates of an authority that was made for this installation."""

    def __init__(self, folder: Path, hosts: Callable[[], Hosts], now: datetime) -> None:
        self._folder = folder
        self._hosts = hosts
        self._file = folder / f"{socket.gethostname()}.pem"
        self._is_loaded = False
        self._left_out: Hosts | None = None
        with _locked(folder):
            self._issuer = _read(folder / _AUTHORITY) or self._make_authority(now)
        self.authority: x509.Certificate | None = self._issuer.certificate

    def refresh(self, now: datetime) -> CertificateFiles | None:
        hosts = self._hosts()
        allowed = permitted_hosts(self._issuer.certificate, hosts)
        self._tell_of_left_out(hosts, allowed)
        with _locked(self._folder):
            kept = _read(self._file)
            is_good = kept is not None and kept.certificate.issuer == self._issuer.certificate.subject
            if kept is None or not is_good or needs_renewal(kept.certificate, allowed, now):
                _write(self._file, make_certificate(self._issuer, allowed, now).to_pem())
                log.info("certificate made", names=allowed.names, addresses=[str(each) for each in allowed.addresses])
            elif self._is_loaded:
                return None
        self._is_loaded = True
        return CertificateFiles(self._file, self._file)

    def _make_authority(self, now: datetime) -> Certified:
        made = make_authority(self._hosts(), now)
        _write(self._folder / _AUTHORITY, made.to_pem())
        return made

    def _tell_of_left_out(self, hosts: Hosts, allowed: Hosts) -> None:
        if hosts in (allowed, self._left_out):
            return
        self._left_out = hosts
        others = sorted(_texts(hosts) - _texts(allowed))
        log.warning(
            "the authority may not vouch for some hosts; delete it and start again for one that may",
            hosts=others,
            authority=str(self._folder / _AUTHORITY),
        )


class BroughtCertificate:
    """A certificate that the user has and renews himself: its files are read again when they have changed."""

    authority: x509.Certificate | None = None

    def __init__(self, certificate: Path, key: Path, now: datetime) -> None:
        self._certificate = certificate
        self._key = key
        self._seen: tuple[int, int] | None = None
        check_brought(read_certificate(certificate), _read_key(key), now)

    def refresh(self, now: datetime) -> CertificateFiles | None:
        seen = self._certificate.stat().st_mtime_ns, self._key.stat().st_mtime_ns
        if seen == self._seen:
            return None
        check_brought(read_certificate(self._certificate), _read_key(self._key), now)
        self._seen = seen
        return CertificateFiles(self._certificate, self._key)


class ServerTls:
    """What a listener needs: a context whose certificate changes under it, without touching connections that are open."""

    def __init__(self, source: CertificateSource, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.source = source
        self._now = clock
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self.refresh()

    def refresh(self) -> bool:
        """Whether there was another certificate to be loaded.

        Raises
        ------
        InvalidSetting
            If it cannot be used; the one before stays.
        """
        files = self.look()
        if files is not None:
            self.load(files)
        return files is not None

    def look(self) -> CertificateFiles | None:
        """Another certificate than the one that is loaded, made where it is time for it. Blocks.

        Raises
        ------
        InvalidSetting
            If there is one, and it cannot be used.
        """
        try:
            return self.source.refresh(self._now())
        except (OSError, ValueError) as error:
            raise InvalidSetting(f"the certificate cannot be renewed ({error}); see docs/deployment.md") from error

    def load(self, files: CertificateFiles) -> None:
        """Present it from now on. To be called in the thread that makes handshakes: OpenSSL does not lock it against them.

        Raises
        ------
        InvalidSetting
            If it cannot be used; the one before stays.
        """
        try:
            self.context.load_cert_chain(files.certificate, files.key)
        except OSError as error:  # ssl.SSLError is one
            raise InvalidSetting(f"the certificate cannot be used ({error}); see docs/deployment.md") from error


def certificate_source(settings: Settings, now: datetime) -> CertificateSource:
    """As the settings have it.

    Raises
    ------
    InvalidSetting
        If only half of a certificate is given, or what is given cannot be used.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is not None and key is not None:
        return BroughtCertificate(certificate, key, now)
    if certificate is not None or key is not None:
        raise InvalidSetting("CELLSTORM_TLS_CERTIFICATE and CELLSTORM_TLS_KEY go together; give both, or none")
    public_host = urlsplit(settings.public_url).hostname if settings.public_url else None
    try:
        return OwnAuthority(settings.data / "tls", lambda: own_hosts(public_host), now)
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"{settings.data / 'tls'} cannot be used ({error}); mend or delete it") from error


def check_settings(settings: Settings, now: datetime | None = None) -> str:
    """In a word what HTTPS would be served with; nothing is made.

    Raises
    ------
    InvalidSetting
        If it could not be.
    """
    if settings.tls_certificate is None and settings.tls_key is None:
        return "an authority of its own"
    certificate_source(settings, now or datetime.now(UTC))
    return "a certificate of your own"


def authority_file(settings: Settings) -> Path | None:
    """What holds the authority, and its key; None where none is used."""
    is_own = settings.https_port is not None and settings.tls_certificate is None
    return settings.data / "tls" / _AUTHORITY if is_own else None


def authority_fingerprint(settings: Settings) -> str | None:
    """Of the authority that devices are asked to trust; None where none is used."""
    path = authority_file(settings)
    return None if path is None else fingerprint(read_certificate(path))


def brought_name(settings: Settings) -> str | None:
    """A name for which the user's own certificate is; None where he has brought none, or it is for none."""
    if settings.tls_certificate is None:
        return None
    hosts = hosts_of(read_certificate(settings.tls_certificate))
    return next((name for name in hosts.names if not name.startswith("*")), None)


def read_certificate(path: Path) -> x509.Certificate:
    """The first one of a file.

    Raises
    ------
    InvalidSetting
        If there is none.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidSetting(f"CELLSTORM_TLS_CERTIFICATE: {path} is no certificate in PEM form ({error})") from error


def _read_key(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:  # TypeError: it has a password
        raise InvalidSetting(f"CELLSTORM_TLS_KEY: {path} is no key in PEM form without a password ({error})") from error


def _read(path: Path) -> Certified | None:
    try:
        return Certified.from_pem(path.read_bytes())
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, for the owner alone."""
    beside = path.with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _texts(hosts: Hosts) -> set[str]:
    return {*hosts.names, *map(str, hosts.addresses)}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time, where several gateways share the folder."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
