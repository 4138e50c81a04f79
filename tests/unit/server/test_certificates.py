from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from cellstorm.errors import InvalidSetting
from cellstorm_server.addresses import Hosts
from cellstorm_server.certificates import (
    Certified,
    check_brought,
    common_name,
    fingerprint,
    hosts_of,
    make_authority,
    make_certificate,
    needs_renewal,
    permitted_hosts,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def hosts(*addresses: str, name: str = "lab") -> Hosts:
    return Hosts.of({"localhost", name, f"{name}.local"}, {ip_address(each) for each in ("127.0.0.1", *addresses)})


def is_trusted(authority: Certified, certificate: Certified, host: str, now: datetime = NOW) -> bool:
    try:
        subject: x509.GeneralName = x509.IPAddress(ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    assert isinstance(subject, x509.IPAddress | x509.DNSName)
    verifier = PolicyBuilder().store(Store([authority.certificate])).time(now).build_server_verifier(subject)
    try:
        verifier.verify(certificate.certificate, [])
    except VerificationError:
        return False
    return True


@pytest.fixture(scope="module")
def authority() -> Certified:
    return make_authority(hosts("192.168.1.5"), NOW)


@pytest.mark.parametrize("host", ["localhost", "lab", "lab.local", "127.0.0.1", "192.168.1.5", "fd00::5"])
def test_a_device_that_trusts_the_authority_trusts_the_server_under_all_its_names(
    authority: Certified, host: str
) -> None:
    made = make_certificate(authority, hosts("192.168.1.5", "fd00::5"), NOW)
    assert is_trusted(authority, made, host)
    assert not is_trusted(authority, made, "192.168.1.6")


def test_a_certificate_lasts_at_most_397_days_and_begins_for_clocks_that_are_behind(authority: Certified) -> None:
    made = make_certificate(authority, hosts(), NOW).certificate
    assert made.not_valid_after_utc - made.not_valid_before_utc + timedelta(seconds=1) == timedelta(days=397)
    assert made.not_valid_before_utc == NOW - timedelta(days=1)


@pytest.mark.parametrize("host", ["bank.example", "8.8.8.8", "2001:db8::1"])
def test_the_authority_cannot_vouch_for_anything_else(authority: Certified, host: str) -> None:
    names = {host} if not host[-1].isdigit() else set()
    addresses = set() if names else {ip_address(host)}
    asked = Hosts.of({"lab.local"} | names, {ip_address("10.1.2.3")} | addresses)
    assert permitted_hosts(authority.certificate, asked) == Hosts.of({"lab.local"}, {ip_address("10.1.2.3")})
    assert not is_trusted(authority, forged(authority, host), host)
    assert is_trusted(authority, forged(authority, "10.9.9.9"), "10.9.9.9")  # the constraint alone makes the difference


def forged(authority: Certified, host: str) -> Certified:
    """What a thief of the authority's key would make."""
    honest = make_certificate(authority, hosts(), NOW).certificate
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(honest.subject)
        .issuer_name(honest.issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(honest.not_valid_before_utc)
        .not_valid_after(honest.not_valid_after_utc)
    )
    name: x509.GeneralName = x509.IPAddress(ip_address(host)) if host[-1].isdigit() else x509.DNSName(host)
    for extension in honest.extensions:
        is_names = isinstance(extension.value, x509.SubjectAlternativeName)
        is_key = isinstance(extension.value, x509.SubjectKeyIdentifier)
        value = x509.SubjectAlternativeName([name]) if is_names else extension.value
        if is_key:
            value = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(value, extension.critical)
    assert isinstance(authority.key, ec.EllipticCurvePrivateKey)
    return Certified(builder.sign(authority.key, hashes.SHA256()), key)


def test_a_machine_with_an_address_of_the_internet_may_get_another_one_of_its_site() -> None:
    authority = make_authority(hosts("130.225.1.2"), NOW)
    assert permitted_hosts(authority.certificate, hosts("130.225.77.8")) == hosts("130.225.77.8")
    assert permitted_hosts(authority.certificate, hosts("131.1.1.1")) == hosts()
    assert is_trusted(authority, make_certificate(authority, hosts("130.225.77.8"), NOW), "130.225.77.8")


def test_a_certificate_is_renewed_for_other_hosts_and_a_month_before_its_end(authority: Certified) -> None:
    made = make_certificate(authority, hosts("10.0.0.5"), NOW).certificate
    end = made.not_valid_after_utc
    assert hosts_of(made) == hosts("10.0.0.5")
    assert not needs_renewal(made, hosts("10.0.0.5"), end - timedelta(days=31))
    assert needs_renewal(made, hosts("10.0.0.5"), end - timedelta(days=29))
    assert needs_renewal(made, hosts("10.0.0.6"), NOW)


def test_two_installations_are_told_apart_by_name_and_by_fingerprint() -> None:
    first, second = (make_authority(hosts(), NOW).certificate for _ in range(2))
    assert common_name(first).startswith("cellSTORM on lab (")
    assert common_name(first) != common_name(second)
    assert fingerprint(first) != fingerprint(second)
    assert len(fingerprint(first)) == 32 * 3 - 1


def test_a_pair_survives_its_file(authority: Certified) -> None:
    again = Certified.from_pem(authority.to_pem())
    assert again.certificate == authority.certificate
    assert again.key.public_key() == authority.key.public_key()


def test_a_pair_that_a_user_brings_must_fit_and_still_be_valid(authority: Certified) -> None:
    made, other = (make_certificate(authority, hosts(), NOW) for _ in range(2))
    check_brought(made.certificate, made.key, NOW)
    with pytest.raises(InvalidSetting, match="not the key"):
        check_brought(made.certificate, other.key, NOW)
    with pytest.raises(InvalidSetting, match="has ended on 2027-12-2"):
        check_brought(made.certificate, made.key, NOW + timedelta(days=400))
