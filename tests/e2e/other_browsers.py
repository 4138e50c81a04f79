"""Firefox and WebKitGTK (the nearest to Safari that runs on Linux), driven by what they themselves speak: no driver is needed.

apt install firefox-esr webkit2gtk-driver xvfb
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from websockets.sync.client import ClientConnection, connect

from cellstorm_cli.machine import free_port

PATIENCE_S: Final = 90.0
_FIREFOX_PREFERENCES: Final = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
}
# Of what is written to the console before this runs, nothing is known: WebDriver tells of no console.
_LISTEN: Final = """
window.complaints = [];
for (const kind of ["error", "warn"]) {
  const say = console[kind];
  console[kind] = (...words) => { window.complaints.push(words.join(" ")); say.apply(console, words); };
}
addEventListener("error", ({ message }) => window.complaints.push(message));
addEventListener("unhandledrejection", ({ reason }) => window.complaints.push(String(reason)));
"""


class OtherBrowser(Protocol):
    """One page in it."""

    def open(self, url: str) -> None:
        """Load another document."""

    def run(self, script: str) -> Any:  # noqa: ANN401  # whatever JSON holds
        """What a function with this body returns, or what its promise resolves to."""

    def complaints(self) -> list[str]:
        """What the page's console has said is wrong since the last time."""


def wait_for(browser: OtherBrowser, condition: str) -> None:
    """Until this expression is true."""
    look = f"const look = () => ({condition}) ? done(true) : setTimeout(look, 100); look();"
    assert browser.run(f"return new Promise((done) => {{ {look} }});") is True


class Firefox:
    """By WebDriver BiDi."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0
        self._complaints: list[str] = []
        self._command("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        self._command("session.subscribe", events=["log.entryAdded"])
        self._context = self._command("browsingContext.create", type="tab")["context"]

    def open(self, url: str) -> None:
        self._command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def run(self, script: str) -> Any:  # noqa: ANN401
        expression = f"(async () => {{ {script} }})().then((value) => JSON.stringify(value ?? null))"
        target = {"context": self._context}
        answer = self._command("script.evaluate", expression=expression, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def complaints(self) -> list[str]:
        self.run("return null")  # what came before its answer has been read then
        said, self._complaints = self._complaints, []
        return said

    def _command(self, method: str, **parameters: object) -> dict[str, Any]:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if message.get("method") == "log.entryAdded" and message["params"]["level"] in ("error", "warn"):
                self._complaints.append(message["params"]["text"])
            if message.get("id") == self._last:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result


class WebKit:
    """By WebDriver."""

    def __init__(self, driver: httpx.Client, binary: str) -> None:
        self._driver = driver
        camera = ["--automation", "--enable-media-stream=true", "--enable-mock-capture-devices=true"]
        options = {"binary": binary, "args": camera}
        wanted = {"acceptInsecureCerts": True, "webkitgtk:browserOptions": options}
        self._session = ""
        self._session = f"/session/{self._post('session', capabilities={'alwaysMatch': wanted})['sessionId']}"
        self._post("timeouts", script=int(1000 * PATIENCE_S))

    def open(self, url: str) -> None:
        self._post("url", url="about:blank")  # else another fragment of the same address would load nothing
        self._post("url", url=url)
        self._post("execute/sync", script=_LISTEN, args=[])

    def run(self, script: str) -> Any:  # noqa: ANN401
        return self._post("execute/sync", script=f"return (async () => {{ {script} }})();", args=[])

    def complaints(self) -> list[str]:
        said: list[str] = self.run("return window.complaints.splice(0);")
        return said

    def close(self) -> None:
        self._driver.delete(self._session)

    def _post(self, what: str, **parameters: object) -> Any:  # noqa: ANN401
        answer = self._driver.post(f"{self._session}/{what}", json=parameters).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer


def firefox_path() -> str | None:
    """None where there is none."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


def webkit_path() -> str | None:
    """Likewise; its driver and an X server that needs no screen belong to it."""
    if shutil.which("WebKitWebDriver") is None or shutil.which("xvfb-run") is None:
        return None
    return next(iter(glob("/usr/lib/*/webkit2gtk-4.1/MiniBrowser")), None)


@contextmanager
def firefox(path: str) -> Iterator[OtherBrowser]:
    """With a made-up camera."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        preferences = (
            f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in _FIREFOX_PREFERENCES.items()
        )
        (Path(profile) / "user.js").write_text("\n".join(preferences))
        command = (path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0")
        with _running(command, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            told = (re.search(r"WebDriver BiDi listening on (ws://\S+)", line) for line in process.stderr)
            address = next(found[1] for found in told if found is not None)
            with connect(f"{address}/session", max_size=None, proxy=None) as socket:
                yield Firefox(socket)


@contextmanager
def webkit(path: str) -> Iterator[OtherBrowser]:
    """Likewise."""
    port = free_port()
    with _running(("xvfb-run", "-a", "WebKitWebDriver", f"--port={port}")):
        transport = httpx.HTTPTransport(retries=8)  # of connecting: while it starts
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, transport=transport, trust_env=False
        ) as driver:
            browser = WebKit(driver, path)
            yield browser
            browser.close()


@contextmanager
def _running(command: tuple[str, ...], **streams: int) -> Iterator[subprocess.Popen[str]]:
    """With all that it starts."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams}
    with subprocess.Popen(command, text=True, start_new_session=True, **quiet) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
