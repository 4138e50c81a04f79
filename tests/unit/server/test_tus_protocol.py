"""What tus's headers say."""

from __future__ import annotations

import pytest

from cellstorm.errors import CellstormError, InvalidSetting
from cellstorm_server.tus import protocol
from cellstorm_server.tus.destination import settings_of
from cellstorm_server.tus.override import is_upload_path
from cellstorm_server.tus.protocol import TusError


def test_metadata_is_keys_with_values_in_base64_or_none() -> None:
    assert protocol.read_metadata("filename d29ybGQ=, is_confidential,  name w6k=") == {
        "filename": "world",
        "is_confidential": "",
        "name": "é",
    }
    assert protocol.read_metadata("") == {}


@pytest.mark.parametrize(
    "header",
    ["filename ***", "filename d29ybGQ=,filename d29ybGQ=", "näme d29ybGQ=", "name /w==", "name " + "A" * 9000],
    ids=["no base64", "twice", "no ASCII", "no UTF-8", "too long"],
)
def test_metadata_that_is_not_as_it_must_be_is_refused(header: str) -> None:
    with pytest.raises(TusError) as raised:
        protocol.read_metadata(header)
    assert raised.value.status == 400


@pytest.mark.parametrize("said", ["", "sha1", "sha1 ***", "sha1 AAAA", "sha9 AAAA"])
def test_a_checksum_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(TusError) as raised:
        protocol.read_checksum({"upload-checksum": said})
    assert raised.value.status == 400


@pytest.mark.parametrize("said", ["", "-1", "1.5", "0x10", "\uff11\uff12", "9" * 30])
def test_an_offset_must_be_a_number(said: str) -> None:
    with pytest.raises(TusError):
        protocol.read_offset({"upload-offset": said})


def test_metadata_becomes_settings_and_what_says_nothing_is_passed_over() -> None:
    said = {"filename": r"C:\data\actin.ome.tif", "pixel_size_nm": "65", "roi": "0,0,64,64", "type": "image/tiff"}
    settings = settings_of({**said, "frame_rate": "20", "model": ""})
    assert (settings.name, settings.pixel_size_nm, settings.frame_rate) == ("actin.ome", 65, 20)
    assert str(settings.roi) == "0,0,64,64"
    assert settings_of({**said, "name": "mine"}).name == "mine"


@pytest.mark.parametrize(("key", "value"), [("pixel_size_nm", "-3"), ("roi", "all"), ("frames", "9:2")])
def test_metadata_that_cannot_be_settings_is_refused_by_its_name(key: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=key):
        settings_of({key: value})


def test_every_refusal_is_one_of_our_errors() -> None:
    assert isinstance(protocol.is_locked(), CellstormError)


def test_uploads_alone_are_uploads() -> None:
    assert is_upload_path("/api/v1/uploads")
    assert is_upload_path("/api/v1/uploads/one")
    assert not is_upload_path("/api/v1/uploads-of-others")
    assert not is_upload_path("/api/v1/acquisitions")
