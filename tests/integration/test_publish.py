"""`cellstorm publish` to a real gateway."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.gateway import ADMIN_TOKEN, Gateway
from tests.integration.test_uploads import write_video


def test_who_is_interrupted_learns_how_to_go_on(gateway: Gateway, tmp_path: Path) -> None:
    video = write_video(tmp_path / "long.mp4", [(96, 64)], frames=1200)
    command = [sys.executable, "-m", "cellstorm_cli.main", "publish", str(video), "--as-is"]
    before = set(gateway.store.ids())
    with subprocess.Popen(
        [*command, "--server", gateway.address, "--token", ADMIN_TOKEN], stderr=subprocess.PIPE, text=True
    ) as publishing:
        deadline = time.monotonic() + 60
        while not (new := set(gateway.store.ids()) - before) or not gateway.store.get(next(iter(new))).chunks_received:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        publishing.send_signal(signal.SIGINT)
        _, told = publishing.communicate(timeout=60)
    assert publishing.returncode == 130
    assert f"interrupted; to go on, name the acquisition: --acquisition {new.pop()}\n" in told
    assert "Traceback" not in told
