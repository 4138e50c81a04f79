from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from fastapi.requests import HTTPConnection

from cellstorm.errors import InvalidSetting
from cellstorm.settings import Settings
from cellstorm_server.addresses import lan_address
from cellstorm_server.urls import acquisition_urls, base_url, is_own_origin, phone_base_url


@pytest.mark.parametrize(
    ("public_url", "base"),
    [
        pytest.param(None, "http://lab:8000", id="as asked"),
        pytest.param("https://storm.example/", "https://storm.example", id="as configured"),
        pytest.param("https://łódź.example:8443/storm", "https://xn--d-uga0v4h.example:8443/storm", id="not in ASCII"),
    ],
)
def test_addresses_are_as_phones_reach_the_gateway(public_url: str | None, base: str) -> None:
    scope = {"type": "http", "scheme": "http", "path": "/x", "headers": [(b"host", b"lab:8000")], "query_string": b""}
    assert base_url(Settings.load(public_url=public_url), HTTPConnection(scope)) == base


def test_a_public_address_that_no_browser_could_ask_for_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"CELLSTORM_PUBLIC_URL: the host of https://🔬\.example"):
        Settings.load(public_url="https://🔬.example")


def test_no_address_holds_a_token() -> None:
    urls = acquisition_urls("https://storm.example", "abc")
    assert urls["live_url"] == "wss://storm.example/api/v1/acquisitions/abc/live"
    assert urls["viewer_url"] == "https://storm.example/#/view/abc"
    assert {name.removesuffix("_url") for name in urls} == {"whip", "upload", "live", "viewer"}


def asked(url: str, origin: str | None = None, kind: str = "http") -> HTTPConnection:
    parts = urlsplit(url)
    headers = [(b"host", parts.netloc.encode())] + ([(b"origin", origin.encode())] if origin is not None else [])
    return HTTPConnection(
        {"type": kind, "scheme": parts.scheme, "path": "/", "headers": headers, "query_string": b"", "method": "GET"}
    )


@pytest.mark.parametrize(
    ("url", "settings", "expected"),
    [
        pytest.param("http://127.0.0.1:8000", {}, "http://127.0.0.1:8000", id="no HTTPS: this machine alone"),
        pytest.param("http://127.0.0.1:8000", {"https_port": 8443}, "https://LAN:8443", id="asked over localhost"),
        pytest.param("https://localhost:8443", {"https_port": 8443}, "https://LAN:8443", id="HTTPS over localhost"),
        pytest.param("http://127.0.0.1:8000", {"https_port": 443}, "https://LAN", id="usual port"),
        pytest.param("https://lab.local:8443", {"https_port": 8443}, "https://lab.local:8443", id="by name"),
        pytest.param(
            "http://127.0.0.1:8000", {"public_url": "https://storm.example/"}, "https://storm.example", id="proxy"
        ),
    ],
)
def test_phones_are_sent_where_they_can_go(url: str, settings: dict[str, object], expected: str) -> None:
    expected = expected.replace("LAN", lan_address() or "localhost")
    assert phone_base_url(Settings.load(**settings), asked(url)) == expected


@pytest.mark.parametrize(
    ("url", "origin", "is_own"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("https://lab.local:8443", "https://LAB.local:8443", True),
        ("https://lab.local", "https://lab.local:443", True),
        ("http://10.0.0.1:8000", "https://storm.example", True),  # the proxy's name for us
        ("http://127.0.0.1:8000", None, False),
        ("http://127.0.0.1:8000", "null", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000", False),
        ("http://127.0.0.1:8000", "https://127.0.0.1:8000", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000.evil.example", False),
        ("http://127.0.0.1:8000", "http://[", False),
    ],
)
def test_a_page_is_our_own_by_scheme_host_and_port(url: str, origin: str | None, is_own: bool) -> None:
    settings = Settings.load(public_url="https://storm.example")
    assert is_own_origin(settings, asked(url, origin)) is is_own
    websocket = asked("ws" + url.removeprefix("http"), origin, "websocket")
    assert is_own_origin(settings, websocket) is is_own
