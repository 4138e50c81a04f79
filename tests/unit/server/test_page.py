from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import httpx
from fastapi import FastAPI
from starlette.middleware import Middleware

from cellstorm.settings import Settings
from cellstorm_server import page


def get(settings: Settings, path: str, **headers: str) -> httpx.Response:
    async def scenario() -> httpx.Response:
        app = FastAPI(middleware=[Middleware(page.SafeHeaders)])
        page.mount(app, settings)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(scenario())


def test_the_built_page_is_served_with_safe_headers(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>built</title>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "page.js").write_text("let a = 1;")
    settings = Settings.load(page=tmp_path)
    index, script = get(settings, "/"), get(settings, "/assets/page.js")
    assert "built" in index.text
    assert "javascript" in script.headers["content-type"]
    for response in (index, script):
        assert "default-src 'self'" in response.headers["content-security-policy"]
        assert "'unsafe-" not in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"


def test_what_the_build_compressed_travels_compressed_to_whoever_takes_it(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "assets/page-a1b2.js"):
        (tmp_path / name).write_text(f"this is {name}")
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(f"this is {name}".encode()))
    settings = Settings.load(page=tmp_path)
    index, script = (get(settings, path, **{"Accept-Encoding": "gzip"}) for path in ("/", "/assets/page-a1b2.js"))
    assert (index.text, script.text) == ("this is index.html", "this is assets/page-a1b2.js")
    assert (index.headers["content-encoding"], script.headers["content-encoding"]) == ("gzip", "gzip")
    assert index.headers["content-type"].startswith("text/html")
    assert script.headers["content-type"].startswith("text/javascript")
    plain = get(settings, "/assets/page-a1b2.js", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    part = get(settings, "/assets/page-a1b2.js", **{"Accept-Encoding": "gzip", "Range": "bytes=0-3"})
    assert (part.status_code, part.text) == (206, "this")


def test_browsers_keep_what_never_changes_and_ask_again_for_the_rest(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("built")
    (tmp_path / "assets" / "page-a1b2.js").write_text("let a = 1;")
    settings = Settings.load(page=tmp_path)
    assert "immutable" in get(settings, "/assets/page-a1b2.js").headers["cache-control"]
    index = get(settings, "/")
    assert index.headers["cache-control"] == "no-cache"
    again = get(settings, "/", **{"If-None-Match": index.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_files_beside_the_page_are_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("built")
    (tmp_path / "secret").write_text("secret")
    for path in ("/../secret", "/%2e%2e/secret", "/assets/..%2f..%2fsecret"):
        assert get(Settings.load(page=tmp_path / "page"), path).status_code == 404


def test_who_mistypes_an_address_is_led_to_the_page_and_a_program_gets_a_problem(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("built")
    settings = Settings.load(page=tmp_path)
    person, program = get(settings, "/jion", Accept="text/html,*/*;q=0.8"), get(settings, "/jion", Accept="*/*")
    assert (person.status_code, program.status_code) == (404, 404)
    assert 'href="/"' in person.text
    assert "default-src 'none'" in person.headers["content-security-policy"]
    assert "json" in program.headers["content-type"]


def test_a_page_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    response = get(Settings.load(page=tmp_path), "/")
    assert response.status_code == 503
    assert "make setup" in response.text
