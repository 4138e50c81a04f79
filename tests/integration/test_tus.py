"""tus 1.0, against any server that speaks it.

By default against a gateway of these tests; with CELLSTORM_TUS_URL=https://…/uploads against that one, as
`CELLSTORM_TUS_TOKEN` (an admin's or a member's), which must take the file that is sent here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import tifffile

from tests.gateway import ADMIN_TOKEN, Gateway

TUS = {"Tus-Resumable": "1.0.0"}
APPEND = {**TUS, "Content-Type": "application/offset+octet-stream"}


@dataclass(frozen=True, slots=True)
class Server:
    """One that speaks tus."""

    url: str
    token: str
    http: httpx.Client

    def create(self, length: int | None, **headers: str) -> str:
        """The address of a new upload."""
        said = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        response = self.http.post(self.url, headers={**TUS, **said, **headers})
        assert response.status_code == 201, response.text
        assert response.headers["Tus-Resumable"] == "1.0.0"
        return str(httpx.URL(self.url).join(response.headers["Location"]))

    def append(self, upload: str, offset: int, content: bytes, **headers: str) -> httpx.Response:
        return self.http.patch(upload, content=content, headers={**APPEND, "Upload-Offset": str(offset), **headers})

    def offset(self, upload: str) -> int:
        response = self.http.head(upload, headers=TUS)
        assert response.status_code == 200, response.headers
        assert "no-store" in response.headers["Cache-Control"]
        return int(response.headers["Upload-Offset"])

    def half_sent(self, upload: str, offset: int, content: bytes, announced: int, *more_headers: str) -> socket.socket:
        """A PATCH that stops after `content`, on an open connection."""
        where = urlsplit(upload)
        connection = socket.create_connection((where.hostname or "", where.port or 80), timeout=30)
        head = [
            f"PATCH {where.path} HTTP/1.1",
            f"Host: {where.netloc}",
            f"Authorization: Bearer {self.token}",
            "Tus-Resumable: 1.0.0",
            "Content-Type: application/offset+octet-stream",
            f"Upload-Offset: {offset}",
            f"Content-Length: {announced}",
            *more_headers,
        ]
        connection.sendall("\r\n".join([*head, "", ""]).encode() + content)
        return connection


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The gateway of these tests, or the server that the environment names."""
    if url := os.environ.get("CELLSTORM_TUS_URL"):
        token = os.environ.get("CELLSTORM_TUS_TOKEN", "")
    else:
        gateway: Gateway = request.getfixturevalue("gateway")
        url, token = f"{gateway.address}/api/v1/uploads", ADMIN_TOKEN
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False) as http:
        yield Server(url, token, http)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A recording of about 200 kB that does not compress."""
    path: Path = tmp_path_factory.mktemp("content") / "stack.tif"
    tifffile.imwrite(path, np.random.default_rng(3).integers(0, 256, (50, 64, 64), dtype=np.uint8))
    return path.read_bytes()


def checksum(algorithm: str, data: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def metadata(**values: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def test_the_server_tells_what_it_can_do_without_being_told_a_version(server: Server) -> None:
    response = server.http.options(server.url)
    assert response.status_code in (200, 204)
    assert "1.0.0" in response.headers["Tus-Version"].split(",")
    extensions = response.headers["Tus-Extension"].split(",")
    assert {"creation", "creation-with-upload", "termination", "checksum", "expiration"} <= set(extensions)
    assert "sha1" in response.headers["Tus-Checksum-Algorithm"].split(",")
    assert int(response.headers["Tus-Max-Size"]) > 0


@pytest.mark.parametrize("version", [None, "0.2.2"])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_another_version_is_refused(server: Server, method: str, version: str | None) -> None:
    upload = server.url if method == "POST" else server.create(10)
    headers = {"Upload-Length": "10"} | ({} if version is None else {"Tus-Resumable": version})
    response = server.http.request(method, upload, headers=headers)
    assert response.status_code == 412
    assert "1.0.0" in response.headers["Tus-Version"]


def test_a_file_is_sent_in_one_piece(server: Server, content: bytes) -> None:
    upload = server.create(len(content))
    assert server.offset(upload) == 0
    response = server.append(upload, 0, content)
    assert (response.status_code, response.headers["Upload-Offset"]) == (204, str(len(content)))
    assert server.offset(upload) == len(content)


def test_a_file_is_sent_in_many_pieces(server: Server, content: bytes) -> None:
    upload = server.create(len(content))
    for start in range(0, len(content), 60_000):
        response = server.append(upload, start, content[start : start + 60_000])
        assert response.status_code == 204
        assert server.offset(upload) == min(start + 60_000, len(content))


def test_an_upload_tells_its_length_and_metadata(server: Server) -> None:
    said = metadata(filename="réc.tif", type="image/tiff")
    upload = server.create(10, **{"Upload-Metadata": said})
    headers = server.http.head(upload, headers=TUS).headers
    assert headers["Upload-Length"] == "10"
    assert dict(pair.split(" ") for pair in headers["Upload-Metadata"].split(",")) == dict(
        pair.split(" ") for pair in said.split(",")
    )


def test_a_file_is_sent_with_its_creation(server: Server, content: bytes) -> None:
    headers = {**APPEND, "Upload-Length": str(len(content))}
    response = server.http.post(server.url, content=content[:70_000], headers=headers)
    assert (response.status_code, response.headers["Upload-Offset"]) == (201, "70000")
    upload = str(httpx.URL(server.url).join(response.headers["Location"]))
    assert server.append(upload, 70_000, content[70_000:]).status_code == 204


def test_the_length_may_be_told_later(server: Server, content: bytes) -> None:
    upload = server.create(None)
    assert server.http.head(upload, headers=TUS).headers["Upload-Defer-Length"] == "1"
    server.append(upload, 0, content[:50_000])
    response = server.append(upload, 50_000, content[50_000:], **{"Upload-Length": str(len(content))})
    assert response.status_code == 204
    assert server.http.head(upload, headers=TUS).headers["Upload-Length"] == str(len(content))


def test_a_wrong_offset_is_refused_and_changes_nothing(server: Server, content: bytes) -> None:
    upload = server.create(len(content))
    server.append(upload, 0, content[:1000])
    for wrong in (0, 999, 1001):
        assert server.append(upload, wrong, content[:500]).status_code == 409
    assert server.offset(upload) == 1000


def test_bytes_must_be_called_bytes(server: Server) -> None:
    upload = server.create(10)
    response = server.append(upload, 0, b"0123456789", **{"Content-Type": "application/octet-stream"})
    assert response.status_code == 415
    assert server.offset(upload) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_checksum_is_checked_and_a_wrong_one_keeps_nothing(server: Server, content: bytes, algorithm: str) -> None:
    if algorithm not in server.http.options(server.url).headers["Tus-Checksum-Algorithm"].split(","):
        pytest.skip(f"this server knows no {algorithm}")
    upload = server.create(len(content))
    wrong = server.append(upload, 0, content[:100_000], **{"Upload-Checksum": checksum(algorithm, b"other")})
    assert wrong.status_code == 460
    assert server.offset(upload) == 0
    right = server.append(upload, 0, content[:100_000], **{"Upload-Checksum": checksum(algorithm, content[:100_000])})
    assert right.status_code == 204
    assert server.offset(upload) == 100_000


def test_an_unknown_checksum_is_refused(server: Server) -> None:
    upload = server.create(10)
    assert server.append(upload, 0, b"0123456789", **{"Upload-Checksum": "crc99 AAAA"}).status_code == 400
    assert server.offset(upload) == 0


def test_a_terminated_upload_is_gone(server: Server) -> None:
    upload = server.create(10)
    assert server.http.delete(upload, headers=TUS).status_code == 204
    assert server.http.head(upload, headers=TUS).status_code in (404, 410)
    assert server.append(upload, 0, b"0").status_code in (404, 410)


def test_an_unknown_upload_is_not_found(server: Server) -> None:
    assert server.http.head(f"{server.url}/there-is-no-such-upload", headers=TUS).status_code in (404, 410)


def test_an_unfinished_upload_says_when_it_expires(server: Server) -> None:
    upload = server.create(10)
    response = server.append(upload, 0, b"01234")
    assert parsedate_to_datetime(response.headers["Upload-Expires"]).timestamp() > time.time()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no length"),
        pytest.param({"Upload-Length": "-1"}, id="negative"),
        pytest.param({"Upload-Length": "ten"}, id="no number"),
        pytest.param({"Upload-Length": "10", "Upload-Defer-Length": "1"}, id="both"),
        pytest.param({"Upload-Defer-Length": "2"}, id="deferred twice"),
    ],
)
def test_a_creation_without_a_length_is_refused(server: Server, headers: dict[str, str]) -> None:
    assert server.http.post(server.url, headers={**TUS, **headers}).status_code == 400


def test_too_large_a_file_is_refused_at_creation(server: Server) -> None:
    limit = int(server.http.options(server.url).headers["Tus-Max-Size"])
    assert server.http.post(server.url, headers={**TUS, "Upload-Length": str(limit + 1)}).status_code == 413


def test_methods_may_be_overridden(server: Server, content: bytes) -> None:
    upload = server.create(len(content))
    override = {**APPEND, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert server.http.post(upload, content=content[:100], headers=override).status_code == 204
    assert server.offset(upload) == 100
    ended = server.http.post(upload, headers={**TUS, "X-HTTP-Method-Override": "DELETE"})
    assert ended.status_code == 204


def test_what_came_before_a_connection_broke_is_kept(server: Server, content: bytes) -> None:
    upload = server.create(len(content))
    offset = 0
    deadline = time.monotonic() + 30
    while offset < 50_000:  # the server may hear of the question before it has seen the broken request
        expect = "Expect: 100-continue"  # the answer comes when the server is about to read
        with server.half_sent(upload, offset, b"", len(content) - offset, expect) as connection:
            assert connection.recv(4096).startswith(b"HTTP/1.1 100")
            connection.sendall(content[offset:50_000])
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        offset = server.offset(upload)
        assert offset <= 50_000
        assert time.monotonic() < deadline
    assert server.append(upload, offset, content[offset:]).status_code == 204


def test_a_stalled_request_gives_way_to_the_one_that_resumes(server: Server, content: bytes) -> None:
    upload = server.create(len(content))
    offset = 0
    with contextlib.ExitStack() as stalled:
        deadline = time.monotonic() + 30
        while offset < 50_000:  # a question that comes too early ends a request before its bytes are there
            part = content[offset:50_000]
            stalled.enter_context(server.half_sent(upload, offset, part, announced=len(content) - offset))
            offset = server.offset(upload)
            assert time.monotonic() < deadline
        assert server.append(upload, offset, content[offset:]).status_code == 204
    assert server.offset(upload) == len(content)


def test_two_requests_at_once_never_mix_their_bytes(server: Server, content: bytes) -> None:
    """Each sends the same piece; however they are served, the file grows by whole prefixes of it."""
    upload = server.create(len(content))
    answers = []

    def send() -> None:
        with contextlib.suppress(httpx.TransportError):
            answers.append(server.append(upload, 0, content[:150_000]).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {204, 400, 409, 423}
    offset = server.offset(upload)
    digest = base64.b64encode(hashlib.sha256(content[offset:]).digest()).decode()
    assert server.append(upload, offset, content[offset:], **{"Upload-Checksum": f"sha256 {digest}"}).status_code == 204
