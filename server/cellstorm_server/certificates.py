"""A certificate authority for one installation, and the certificates it gives: made here, time is an argument.

Who installs the authority on a phone trusts it with little: it may vouch for this machine's names and for addresses of
private networks only (name constraints, RFC 5280, 4.2.1.10), and for servers only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cellstorm.errors import InvalidSetting
from cellstorm_server.addresses import Hosts

_AUTHORITY_LIFETIME: Final = timedelta(days=3650)
_LIFETIME: Final = timedelta(days=397)
"""Browsers take no longer one; from its first to its last second."""
_RENEWED_BEFORE: Final = timedelta(days=30)
_CLOCKS_DIFFER: Final = timedelta(days=1)
"""A phone whose clock is behind must not find a certificate that is not valid yet."""

_PRIVATE_NETWORKS: Final = tuple(
    ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
_PUBLIC_PREFIXES: Final = {4: 16, 6: 48}
"""A machine with an address of the internet may get another one of the same site."""
_ANY_NAME_OF: Final = ("localhost", "local")


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKeyTypes

    def to_pem(self) -> bytes:
        """Both, the key first."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + certificate_pem(self.certificate)

    @classmethod
    def from_pem(cls, data: bytes) -> Certified:
        """Inverse of `to_pem`.

        Raises
        ------
        ValueError
            If it is not both.
        """
        return cls(x509.load_pem_x509_certificate(data), serialization.load_pem_private_key(data, None))


def make_authority(hosts: Hosts, now: datetime) -> Certified:
    """An authority that may vouch for these hosts, whatever private address they get, and for nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # The digits tell authorities of machines of the same name apart, for people and for browsers.
    name = _name(f"cellSTORM on {_machine(hosts)} ({serial % 16**6:06x})")
    networks = {*_PRIVATE_NETWORKS, *(_site(each) for each in hosts.addresses if not _is_private(each))}
    permitted: list[x509.GeneralName] = [x509.DNSName(each) for each in sorted({*_ANY_NAME_OF, *hosts.names})]
    permitted += [x509.IPAddress(each) for each in sorted(networks, key=str)]
    builder = (
        _builder(name, name, key.public_key(), serial, now, _AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
    )
    return Certified(builder.sign(key, hashes.SHA256()), key)


def make_certificate(authority: Certified, hosts: Hosts, now: datetime) -> Certified:
    """A server's certificate for those of the hosts that the authority may vouch for."""
    key = ec.generate_private_key(ec.SECP256R1())
    hosts = permitted_hosts(authority.certificate, hosts)
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in hosts.names]
    names += [x509.IPAddress(each) for each in hosts.addresses]
    issuer = authority.certificate
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(
            _name(f"cellSTORM on {_machine(hosts)}"),
            issuer.subject,
            key.public_key(),
            x509.random_serial_number(),
            now,
            _LIFETIME,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    assert isinstance(authority.key, ec.EllipticCurvePrivateKey)
    return Certified(builder.sign(authority.key, hashes.SHA256()), key)


def permitted_hosts(authority: x509.Certificate, hosts: Hosts) -> Hosts:
    """Those that the authority may vouch for."""
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = constraints.permitted_subtrees or []
    domains = [each.value for each in permitted if isinstance(each, x509.DNSName)]
    networks = [each.value for each in permitted if isinstance(each, x509.IPAddress)]
    return Hosts(
        tuple(name for name in hosts.names if any(name == each or name.endswith(f".{each}") for each in domains)),
        tuple(address for address in hosts.addresses if any(_lies_in(address, each) for each in networks)),
    )


def hosts_of(certificate: x509.Certificate) -> Hosts:
    """For which hosts it is."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Hosts((), ())
    return Hosts.of(
        set(names.get_values_for_type(x509.DNSName)),
        {each for each in names.get_values_for_type(x509.IPAddress) if isinstance(each, IPv4Address | IPv6Address)},
    )


def needs_renewal(certificate: x509.Certificate, hosts: Hosts, now: datetime) -> bool:
    """Whether it is for other hosts, or ends soon."""
    return hosts_of(certificate) != hosts or certificate.not_valid_after_utc - now < _RENEWED_BEFORE


def check_brought(certificate: x509.Certificate, key: PrivateKeyTypes, now: datetime) -> None:
    """Nothing, if a server can use this pair.

    Raises
    ------
    InvalidSetting
        If they do not belong together, or the certificate has ended.
    """
    if certificate.public_key() != key.public_key():
        raise InvalidSetting("CELLSTORM_TLS_KEY is not the key of CELLSTORM_TLS_CERTIFICATE; give the pair")
    if certificate.not_valid_after_utc <= now:
        ended = certificate.not_valid_after_utc.date()
        raise InvalidSetting(f"CELLSTORM_TLS_CERTIFICATE has ended on {ended}; bring a new one, or none")


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """As text, for files that people install."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, as systems show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def common_name(certificate: x509.Certificate) -> str:
    """What people see as its name."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else "unnamed"


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    start = now - _CLOCKS_DIFFER
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + lifetime - timedelta(seconds=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    longest = 64  # RFC 5280, upper bound of a common name
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cellSTORM"),
            x509.NameAttribute(NameOID.COMMON_NAME, common[:longest]),
        ]
    )


def _machine(hosts: Hosts) -> str:
    local = (name.removesuffix(".local") for name in hosts.names if name.endswith(".local"))
    return next(local, "this machine")


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return any(_lies_in(address, each) for each in _PRIVATE_NETWORKS)


def _lies_in(address: IPv4Address | IPv6Address, network: object) -> bool:
    return isinstance(network, IPv4Network | IPv6Network) and address in network


def _site(address: IPv4Address | IPv6Address) -> IPv4Network | IPv6Network:
    return ip_network((address, _PUBLIC_PREFIXES[address.version]), strict=False)
