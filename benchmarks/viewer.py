"""The viewer with many localizations: `python -m benchmarks.viewer [LOCALIZATIONS] [webgl|canvas|auto] [SECONDS]`.

How long joining takes, for a program and for the page in headless Chromium (which draws with the processor): until it
shows something, has all rows, has drawn all of them. And how smoothly the page moves at 1280x720: intervals between
animation frames while the image is dragged and zoomed.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright
from websockets.sync.client import connect

from cellstorm.chunks import Chunk
from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.messages import BinaryMessage, unframed
from cellstorm.roi import RegionOfInterest
from cellstorm.settings import Settings
from cellstorm.store import Store
from cellstorm_cli.machine import free_port
from cellstorm_cli.service import LocalService, local_service

SIDE_PX: Final = 512
PIXEL_NM: Final = 100.0
ROWS_PER_CHUNK: Final = 2000
FRAMES_PER_CHUNK: Final = 20

_WHEN: Final = """
window.when = {};
const look = () => {
  const stage = document.querySelector(".stage");
  const { rows, complete } = stage?.dataset ?? {};
  if (rows > 0 && stage.querySelector("canvas") !== null) window.when.shows ??= performance.now();
  if (rows === "ROWS") window.when.hasRows ??= performance.now();
  if (rows === "ROWS" && complete === "true") window.when.hasImage ??= performance.now();
  if (window.when.hasImage === undefined) requestAnimationFrame(look);
};
look();
"""
"""Milliseconds since the address was opened, to an animation frame."""
_UNTIL_DRAWN: Final = """() => new Promise((drawn) => {
    const wait = () => window.when.hasImage === undefined ? requestAnimationFrame(wait) : drawn(window.when);
    wait();
})"""
_INTERVALS: Final = """() => {
    const times = [];
    const tick = (now) => { times.push(now); if (window.measures) requestAnimationFrame(tick); };
    window.measures = true; window.times = times; requestAnimationFrame(tick);
}"""


def filaments(count: int, frames: int, seed: int = 1) -> Localizations:
    """Localizations along 60 curved lines over the whole field, by frame."""
    random = np.random.default_rng(seed)
    side_nm = SIDE_PX * PIXEL_NM
    line = random.integers(0, 60, count)
    starts, angles, bends = (
        random.uniform(0, side_nm, (60, 2)),
        random.uniform(0, 2 * np.pi, 60),
        random.normal(0, 1, 60),
    )
    along = random.uniform(-0.5, 0.5, count)
    angle = angles[line] + bends[line] * along
    table = np.zeros(count, LOCALIZATION)
    table["frame"] = np.sort(random.integers(0, frames, count))
    table["x_nm"] = (starts[line, 0] + along * side_nm * np.cos(angle) + random.normal(0, 25, count)) % (
        side_nm - PIXEL_NM
    )
    table["y_nm"] = (starts[line, 1] + along * side_nm * np.sin(angle) + random.normal(0, 25, count)) % (
        side_nm - PIXEL_NM
    )
    table["photons"] = random.gamma(3, 400, count)
    table["background_photons"] = random.uniform(5, 15, count)
    table["precision_nm"] = 250 / np.sqrt(table["photons"]) + 4
    table["psf_sigma_nm"] = random.uniform(120, 160, count)
    table["probability"] = random.uniform(0.6, 1, count)
    return table


def commit(store: Store, acquisition_id: str, table: Localizations) -> None:
    """As workers would have: chunk by chunk, of frames that are small enough not to matter."""
    store.set_frame_size(acquisition_id, SIDE_PX, SIDE_PX, RegionOfInterest(x=0, y=0, width=SIDE_PX, height=SIDE_PX))
    black = np.zeros((FRAMES_PER_CHUNK, 16, 16), np.uint8)
    for number, start in enumerate(range(0, len(table), ROWS_PER_CHUNK)):
        first = number * FRAMES_PER_CHUNK
        chunk = Chunk.of_counts(number, first, [0.05 * (first + n) for n in range(FRAMES_PER_CHUNK)], black)
        assert store.put_chunk(acquisition_id, chunk, budget_bytes=2**30) == "stored"
        rows = table[start : start + ROWS_PER_CHUNK]
        assert store.commit(acquisition_id, chunk, rows, frame_count=FRAMES_PER_CHUNK, widefield=None) == "committed"


@contextmanager
def watched(count: int) -> Iterator[tuple[LocalService, dict[str, Any]]]:
    """A service with an acquisition that has so many localizations and is not over."""
    with tempfile.TemporaryDirectory(prefix="cellstorm-bench-") as folder:
        settings = Settings.load(data=Path(folder), port=free_port())
        with local_service(settings, workers=1, log_file=Path(folder) / "log") as running:
            created = httpx.post(
                f"{running.url}/api/v1/acquisitions",
                json={"name": "Two million", "pixel_size_nm": PIXEL_NM},
                headers={"Authorization": f"Bearer {running.admin_token}"},
                trust_env=False,
            ).raise_for_status()
            store = Store.connect(running.redis_url)
            frames = -(-count // ROWS_PER_CHUNK) * FRAMES_PER_CHUNK
            commit(store, created.json()["id"], filaments(count, frames))
            yield running, created.json()


def join(created: dict[str, Any], count: int) -> float:
    """Seconds until a program has all rows, from one answer."""
    start, rows = time.perf_counter(), 0
    address = created["live_url"].replace("ws", "http", 1)
    headers = {"Authorization": f"Bearer {created['token']}"}
    body = httpx.get(address, headers=headers, trust_env=False).raise_for_status().content
    for message in unframed(body):
        rows += len(BinaryMessage.from_bytes(message).table) if isinstance(message, bytes) else 0
    assert rows == count
    return time.perf_counter() - start


def join_by_socket(created: dict[str, Any], count: int) -> float:
    """Seconds until a program has all rows, over the WebSocket alone."""
    start, rows = time.perf_counter(), 0
    headers = {"Authorization": f"Bearer {created['token']}"}
    with connect(created["live_url"], additional_headers=headers, proxy=None, max_size=None) as viewer:
        while rows < count:
            message = viewer.recv()
            if isinstance(message, bytes):
                rows += len(BinaryMessage.from_bytes(message).table)
    return time.perf_counter() - start


def drag(page: Page, seconds: float) -> list[float]:
    """Intervals between animation frames, in ms, while the image follows the mouse in circles."""
    page.mouse.move(640, 360)
    page.mouse.down()
    page.evaluate(_INTERVALS)
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        page.mouse.move(640 + 200 * np.sin(2 * passed), 360 + 150 * np.cos(2 * passed) - 150)
    page.evaluate("() => { window.measures = false; }")
    page.mouse.up()
    times: list[float] = page.evaluate("() => window.times")
    return [after - before for before, after in pairwise(times)]


def smoothness(intervals_ms: list[float]) -> dict[str, float]:
    """Frames a second, and the interval that one in twenty exceeds."""
    return {
        "frames_per_s": round(1000 / float(np.mean(intervals_ms)), 1),
        "p95_ms": round(float(np.quantile(intervals_ms, 0.95)), 1),
    }


def complete(page: Page) -> None:
    """Wait until everything is drawn as it is wanted."""
    page.wait_for_timeout(300)  # a view at rest is drawn anew a little later
    page.wait_for_selector('.stage[data-complete="true"]', timeout=300_000)


def look(running: LocalService, created: dict[str, Any], count: int, draw_with: str, seconds: float) -> dict[str, Any]:
    """The page's figures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--enable-unsafe-swiftshader", "--disable-background-networking"],
        )
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        page = context.new_page()
        preferences = json.dumps({"drawWith": draw_with})
        page.add_init_script(f"localStorage.setItem('cellstorm.viewer', {json.dumps(preferences)})")
        page.add_init_script(_WHEN.replace("ROWS", str(count)))
        page.wait_for_timeout(2000)  # the browser itself has started: its processes take half a second of a core
        page.goto(f"{running.url}/#/view/{created['id']}?token={running.admin_token}")
        when = page.evaluate(_UNTIL_DRAWN)
        figures: dict[str, Any] = {
            "painter": page.locator(".stage").get_attribute("data-painter"),
            "page_shows_s": round(when["shows"] / 1000, 2),
            "page_has_rows_s": round(when["hasRows"] / 1000, 2),
            "page_has_image_s": round(when["hasImage"] / 1000, 2),
            "whole_field": smoothness(drag(page, seconds)),
        }
        for name, factor in (("zoom_4", 4), ("zoom_32", 8)):
            page.mouse.move(640, 360)
            page.mouse.wheel(0, -float(np.log(factor) / np.log(1.0015)))
            complete(page)
            figures[name] = smoothness(drag(page, seconds))
        browser.close()
    return figures


def main(count: int = 2_000_000, draw_with: str = "auto", seconds: float = 4.0) -> None:
    """Print one line."""
    with watched(count) as (running, created):
        figures = {"localizations": count, "first_join_s": round(join(created, count), 2)}
        figures["next_join_s"] = round(join(created, count), 2)
        figures["socket_join_s"] = round(join_by_socket(created, count), 2)
        print(json.dumps({**figures, **look(running, created, count, draw_with, seconds)}))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*(convert(text) for convert, text in zip((int, str, float), arguments, strict=False)))
