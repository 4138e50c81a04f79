from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from cellstorm.errors import InvalidSetting
from cellstorm.settings import Settings
from cellstorm_server.addresses import Hosts
from cellstorm_server.certificates import Certified, certificate_pem, hosts_of, make_authority, make_certificate
from cellstorm_server.tls import BroughtCertificate, OwnAuthority, ServerTls, brought_name, certificate_source

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class World:
    """The time, and a machine that moves."""

    now: datetime
    address: str = "10.0.0.5"

    def hosts(self) -> Hosts:
        return Hosts.of({"localhost", "lab.local"}, {ip_address("127.0.0.1"), ip_address(self.address)})


@pytest.fixture
def world() -> World:
    return World(NOW)


def own(folder: Path, world: World) -> ServerTls:
    return ServerTls(OwnAuthority(folder, world.hosts, world.now), lambda: world.now)


def presented(tls: ServerTls) -> x509.Certificate:
    """What a device is shown: the handshake without a network."""
    client = ssl.create_default_context()
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    device = client.wrap_bio(to_client, to_server)
    server = tls.context.wrap_bio(to_server, to_client, server_side=True)
    for side in (device, server, device, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    der = device.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def bring(folder: Path, made: Certified) -> dict[str, Path]:
    certificate, key = folder / "own.crt", folder / "own.key"
    certificate.write_bytes(certificate_pem(made.certificate))
    key.write_bytes(made.to_pem())
    return {"tls_certificate": certificate, "tls_key": key}


def test_the_certificate_is_kept_while_it_is_good(tmp_path: Path, world: World) -> None:
    tls = own(tmp_path, world)
    first = presented(tls)
    world.now += timedelta(days=300)
    assert not tls.refresh()
    assert presented(own(tmp_path, world)) == first


def test_it_is_renewed_while_the_gateway_runs_and_the_authority_stays(tmp_path: Path, world: World) -> None:
    tls = own(tmp_path, world)
    first, authority = presented(tls), tls.source.authority
    world.now = first.not_valid_after_utc - timedelta(days=20)
    assert tls.refresh()
    assert presented(tls).not_valid_after_utc > first.not_valid_after_utc
    assert tls.source.authority == authority == own(tmp_path, world).source.authority


def test_a_machine_that_moves_gets_a_certificate_for_its_new_address(tmp_path: Path, world: World) -> None:
    tls = own(tmp_path, world)
    world.address = "192.168.7.7"
    assert tls.refresh()
    assert hosts_of(presented(tls)) == world.hosts()


def test_an_address_that_the_authority_may_not_vouch_for_is_left_out(tmp_path: Path, world: World) -> None:
    tls = own(tmp_path, world)
    world.address = "130.225.1.1"
    assert tls.refresh()
    assert hosts_of(presented(tls)).addresses == (ip_address("127.0.0.1"),)
    assert not tls.refresh()


def test_a_new_authority_brings_a_new_certificate(tmp_path: Path, world: World) -> None:
    first = presented(own(tmp_path, world))
    (tmp_path / "authority.pem").unlink()
    again = own(tmp_path, world)
    assert again.source.authority is not None
    assert presented(again).issuer == again.source.authority.subject != first.issuer


def test_a_certificate_that_the_user_brings_is_used_and_read_again_when_it_has_changed(
    tmp_path: Path, world: World
) -> None:
    authority = make_authority(world.hosts(), NOW)
    first, second = (make_certificate(authority, world.hosts(), NOW) for _ in range(2))
    settings = Settings.load(data=tmp_path, **bring(tmp_path, first))
    source = certificate_source(settings, NOW)
    assert isinstance(source, BroughtCertificate)
    assert source.authority is None
    assert brought_name(settings) == "lab.local"
    tls = ServerTls(source, lambda: NOW)
    assert presented(tls) == first.certificate
    assert not tls.refresh()
    bring(tmp_path, second)
    assert tls.refresh()
    assert presented(tls) == second.certificate
    assert not (tmp_path / "tls").exists()


def test_a_brought_certificate_that_goes_bad_leaves_the_one_before(tmp_path: Path, world: World) -> None:
    made = make_certificate(make_authority(world.hosts(), NOW), world.hosts(), NOW)
    tls = ServerTls(certificate_source(Settings.load(data=tmp_path, **bring(tmp_path, made)), NOW), lambda: NOW)
    (tmp_path / "own.crt").write_text("half written")
    with pytest.raises(InvalidSetting, match="no certificate"):
        tls.refresh()
    assert presented(tls) == made.certificate


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"tls_certificate": "own.crt"}, "go together"),
        ({"tls_key": "own.key"}, "go together"),
        (
            {"tls_certificate": "none.crt", "tls_key": "own.key"},
            "CELLSTORM_TLS_CERTIFICATE: .*none.crt is no certificate",
        ),
        ({"tls_certificate": "own.crt", "tls_key": "own.crt"}, "CELLSTORM_TLS_KEY: .*own.crt is no key"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start(
    tmp_path: Path, world: World, given: dict[str, str], complaint: str
) -> None:
    bring(tmp_path, make_certificate(make_authority(world.hosts(), NOW), world.hosts(), NOW))
    settings = Settings.load(data=tmp_path, **{name: tmp_path / path for name, path in given.items()})
    with pytest.raises(InvalidSetting, match=complaint):
        certificate_source(settings, NOW)


def test_an_authority_s_file_that_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "authority.pem").write_text("damaged")
    with pytest.raises(InvalidSetting, match="mend or delete it"):
        certificate_source(Settings.load(data=tmp_path), NOW)


def test_a_public_address_that_is_not_ascii_gets_its_certificate(tmp_path: Path) -> None:
    settings = Settings.load(data=tmp_path, public_url="https://mikroskopie-müller.de")
    tls = ServerTls(certificate_source(settings, NOW), lambda: NOW)
    assert "xn--mikroskopie-mller-f3b.de" in hosts_of(presented(tls)).names
