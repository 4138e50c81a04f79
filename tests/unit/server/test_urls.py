from __future__ import annotations

import pytest
from fastapi.requests import HTTPConnection

from cellstorm.settings import Settings
from cellstorm_server.urls import acquisition_urls, base_url


@pytest.mark.parametrize(
    ("public_url", "base"),
    [(None, "http://lab:8000"), ("https://storm.example/", "https://storm.example")],
)
def test_addresses_are_as_phones_reach_the_gateway(public_url: str | None, base: str) -> None:
    scope = {"type": "http", "scheme": "http", "path": "/x", "headers": [(b"host", b"lab:8000")], "query_string": b""}
    assert base_url(Settings.load(public_url=public_url), HTTPConnection(scope)) == base


def test_the_token_is_in_the_viewer_s_fragment_alone() -> None:
    urls = acquisition_urls("https://storm.example", "abc", "secret")
    assert urls["live_url"] == "wss://storm.example/api/v1/acquisitions/abc/live"
    assert urls["viewer_url"].split("#") == ["https://storm.example/", "acquisition=abc&token=secret"]
    assert [name for name, url in urls.items() if "secret" in url] == ["viewer_url"]
