"""A phone that films: how soon, how well, and what a lost link costs.

A Chromium with a file as its camera films on the real page, before the whole service. For lost links it lives in a network
namespace of its own, as a phone does on a Wi-Fi (needs root and iproute2); the link is then cut by dropping all packets, or
by taking the interface down.

    python -m benchmarks.filming start [SIDE]
    python -m benchmarks.filming quality [SECONDS]
    python -m benchmarks.filming cuts [SECONDS…]
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
import httpx
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.link import HOST, Cut, Link
from cellstorm.settings import Settings
from cellstorm_cli.machine import free_port
from cellstorm_cli.service import LocalService, local_service
from cellstorm_models.simulation import SimulationConfig, simulate
from cellstorm_server.library import Library

WIDTH_PX: Final = 960
HEIGHT_PX: Final = 720
FPS: Final = 20
_FRAMES: Final = 60
_PATIENCE_MS: Final = 120_000
HOW: Final[tuple[Cut, ...]] = ("drop", "down")

_CHROMIUM: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
)


def write_camera(path: Path) -> Path:
    """What the browser takes for its camera (YUV4MPEG2), played in a loop: blinking emitters on filaments."""
    emitters = WIDTH_PX * HEIGHT_PX / 1600
    config = SimulationConfig(
        frames=_FRAMES, width=WIDTH_PX, height=HEIGHT_PX, fluorophores=40_000, emitters_per_frame=emitters
    )
    return write_y4m(path, simulate(config, np.random.default_rng(5)).counts.astype(np.uint8))


def write_y4m(path: Path, counts: NDArray[np.uint8]) -> Path:
    """(frames, height, width) luma with grey chroma, FPS frames a second (YUV4MPEG2)."""
    _, height, width = counts.shape
    grey = bytes([128]) * (width * height // 2)  # both colour planes of 4:2:0
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in counts:
            file.write(b"FRAME\n" + frame.tobytes() + grey)
    return path


@dataclass
class Bench:
    """The service, a browser, and what both tell."""

    service: LocalService
    browser: Browser
    address: str
    data: Path
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.service.admin_token}"}
        self.http = httpx.Client(base_url=f"{self.service.url}/api/v1", headers=headers, trust_env=False, timeout=30)

    def join_address(self) -> str:
        """Of a one-time code for a member of the class, as its QR code holds it."""
        answer = self.http.post("/codes", json={"right": "film"}).raise_for_status().json()
        return f"{self.address}/#/join/{answer['code']}"

    def phone(self) -> Page:
        """A page of a phone that nobody has used before."""
        context = self.browser.new_context(
            viewport={"width": 360, "height": 740}, device_scale_factor=2, has_touch=True, is_mobile=True
        )
        context.set_default_timeout(_PATIENCE_MS)
        return context.new_page()

    def acquisition(self, acquisition_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/acquisitions/{acquisition_id}").raise_for_status().json()
        return found

    def wait_over(self, acquisition_id: str, limit_s: float = 300.0) -> None:
        """Until its results are written."""
        deadline = time.monotonic() + limit_s
        while self.acquisition(acquisition_id)["state"] != "finished":
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {limit_s} s")
            time.sleep(0.2)

    def wait(self, acquisition_id: str, key: str, above: int, limit_s: float = 120.0) -> float:
        """When (monotonic) a count of the acquisition was first seen above a number."""
        deadline = time.monotonic() + limit_s
        while int(self.acquisition(acquisition_id)[key]) <= above:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{key} is not above {above} after {limit_s} s")
            time.sleep(0.02)
        return time.monotonic()


@contextmanager
def bench(link: Link | None = None, write: Callable[[Path], Path] = write_camera) -> Iterator[Bench]:
    """A service and a browser, whose camera is the file that `write` writes; with a link, the browser lives behind it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cellstorm-film-")))
        camera = write(folder / "camera.y4m")
        port, host = free_port(), "127.0.0.1" if link is None else HOST
        listen = "127.0.0.1" if link is None else "0.0.0.0"  # for as long as it is measured
        settings = Settings.load(port=port, host=listen, data=folder / "data")
        service = stack.enter_context(local_service(settings, workers=1, log_file=folder / "log"))
        address = f"http://{host}:{port}"
        program = shutil.which("chromium") or "chromium"
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=program if link is None else link.wrapper(folder, program),
            args=[
                *_CHROMIUM,
                f"--use-file-for-fake-video-capture={camera}",
                f"--unsafely-treat-insecure-origin-as-secure={address}",
            ],
        )
        stack.callback(browser.close)
        yield Bench(service, browser, address, folder / "data")


def press_film(page: Page) -> str:
    """Press the button once it can be pressed; the acquisition's id once it films."""
    page.locator(".film:enabled").click()
    page.locator('main[data-capture="filming"]').wait_for()
    return page.url.rpartition("/")[2]


def stop_film(page: Page) -> None:
    """Press it again; returns when all has been sent."""
    page.locator(".film").click()
    page.locator('main[data-capture="idle"]').wait_for()


def start(side_px: int = 128) -> dict[str, object]:
    """From opening the join address to the first frame at the server, and from the button to localizations on the screen.

    Choosing another square than 512 is not counted: a phone remembers it.
    """
    runs = []
    with bench() as made:
        for _ in range(3):
            page = made.phone()
            opened = time.monotonic()
            page.goto(made.join_address())
            page.locator(".film:enabled").wait_for()
            ready = time.monotonic()
            choose_side(page, side_px)
            pressed = time.monotonic()
            acquisition_id = press_film(page)
            framed = made.wait(acquisition_id, "frames_received", 0)
            page.locator('[data-figure="localizations"]', has_text=re.compile("[1-9]")).wait_for()
            seen = time.monotonic()
            runs.append(
                {
                    "camera_ready_s": round(ready - opened, 2),
                    "first_frame_s": round(framed - pressed + ready - opened, 2),
                    "localizations_after_press_s": round(seen - pressed, 2),
                }
            )
            stop_film(page)
            page.context.close()
            made.http.delete(f"/acquisitions/{acquisition_id}")
    return {"benchmark": "filming start", "side_px": side_px, "taps": 1, "runs": runs}


def choose_side(page: Page, side_px: int) -> None:
    """In the fold of the square."""
    if page.locator(f'[data-side="{side_px}"][aria-pressed="true"]').count():
        return
    page.locator("details:has([data-side]) > summary").click()
    page.locator(f'[data-side="{side_px}"]').click()


def quality(seconds: float = 120.0) -> dict[str, object]:
    """Bitrate and frames at 512x512. The worker rests meanwhile: the phone would share this machine's processor with it."""
    with bench() as made:
        page = made.phone()
        page.goto(made.join_address())
        worker = made.service.supervisor.process_id("worker-1")
        os.kill(worker, signal.SIGSTOP)
        acquisition_id = press_film(page)
        time.sleep(seconds)
        shown = page.locator(".run").inner_text().replace("\n", " ")
        stop_film(page)
        acquisition = made.acquisition(acquisition_id)
        told = made.http.get(f"/acquisitions/{acquisition_id}/camera-report").raise_for_status().json()
        rates, sizes = received(made.data, acquisition_id)
        os.kill(worker, signal.SIGCONT)
        made.http.delete(f"/acquisitions/{acquisition_id}")
    return {
        "benchmark": "filming quality",
        "camera_frames": told["frames"],
        "received": acquisition["frames_received"],
        "lost": acquisition["frames_lost"],
        "damaged": acquisition["frames_damaged"],
        "delivered_share": round(acquisition["frames_received"] / told["frames"]["sent"], 4),
        "megabits_by_second_least": min(rates),
        "megabits_first_seconds": rates[:5],
        "megabits_median": float(np.median(rates)),
        "frame_sizes": sizes,
        "shown": shown,
    }


def received(data: Path, acquisition_id: str) -> tuple[list[float], list[str]]:
    """Mbit/s of each whole second of the video that was kept, and the sizes of its frames."""
    by_second: dict[int, int] = {}
    sizes: set[str] = set()
    for part in Library(data, 0).parts(acquisition_id):
        with av.open(str(part)) as container:
            stream = container.streams.video[0]
            for packet in container.demux(stream):
                if packet.pts is None or packet.time_base is None:
                    continue
                second = int(packet.pts * packet.time_base)
                by_second[second] = by_second.get(second, 0) + packet.size
                if packet.is_keyframe:
                    sizes.update(
                        f"{frame.width}x{frame.height}" for frame in packet.decode() if isinstance(frame, av.VideoFrame)
                    )
    first, last = min(by_second), max(by_second)
    return [round(by_second.get(second, 0) * 8 / 1e6, 2) for second in range(first, last)], sorted(sizes)


def cuts(lengths_s: Sequence[float] = (5.0, 20.0, 60.0)) -> dict[str, object]:
    """A link that is cut in mid-acquisition, both ways: how soon frames come again, and whether what was missed is told."""
    runs = []
    with Link() as link, bench(link) as made:
        page = made.phone()
        page.goto(made.join_address())
        page.locator(".film:enabled").wait_for()
        choose_side(page, 128)
        acquisition_id = press_film(page)
        for length_s in lengths_s:
            for how in HOW:
                made.wait(
                    acquisition_id, "frames_received", int(made.acquisition(acquisition_id)["frames_received"]) + 60
                )
                runs.append(_cut(made, link, page, acquisition_id, how, length_s))
        stop_film(page)
        acquisition = made.acquisition(acquisition_id)
        told = made.http.get(f"/acquisitions/{acquisition_id}/camera-report").raise_for_status().json()
    kept = ("frames_received", "frames_lost", "frames_damaged", "gaps")
    totals = {name: acquisition[name] for name in kept}
    return {"benchmark": "filming cuts", "runs": runs, "camera_frames": told["frames"], **totals}


def _cut(made: Bench, link: Link, page: Page, acquisition_id: str, how: Cut, length_s: float) -> dict[str, object]:
    before = made.acquisition(acquisition_id)
    with link.cut(how):
        began = time.monotonic()
        page.locator('main[data-capture="away"]').wait_for()
        noticed = time.monotonic()
        time.sleep(max(0.0, length_s - (noticed - began)))
        at_return = int(made.acquisition(acquisition_id)["frames_received"])
    returned = time.monotonic()
    page.locator('main[data-capture="filming"]').wait_for()
    filming = time.monotonic()
    again = made.wait(acquisition_id, "frames_received", at_return)
    figure = page.locator('[data-figure="localizations"]')
    expect(figure).not_to_have_text(figure.inner_text(), timeout=_PATIENCE_MS)
    grown = time.monotonic()
    status = page.locator(".run-status").inner_text()
    after = made.acquisition(acquisition_id)
    return {
        "how": how,
        "cut_s": length_s,
        "noticed_after_s": round(noticed - began, 2),
        "filming_after_return_s": round(filming - returned, 2),
        "frames_after_return_s": round(again - returned, 2),
        "image_grows_after_return_s": round(grown - returned, 2),
        "frames_lost": after["frames_lost"] - before["frames_lost"],
        "told": status,
    }


def main(arguments: Sequence[str]) -> None:
    """Print a line of JSON for what is asked, or for all."""
    what, *numbers = arguments or ("start",)
    match what:
        case "start":
            result = start(*(int(number) for number in numbers))
        case "quality":
            result = quality(*(float(number) for number in numbers))
        case "cuts":
            result = cuts([float(number) for number in numbers] or (5.0, 20.0, 60.0))
        case _:
            raise SystemExit(__doc__)
    print(json.dumps({**result, "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main(sys.argv[1:])
