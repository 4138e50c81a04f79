"""Runs a command that ends with the process that started it, even when that one is killed with SIGKILL.

    python -m cellstorm_cli.tied PARENT_PID COMMAND ARGUMENT…

Linux sends the signal (prctl(2), PR_SET_PDEATHSIG; it is kept across execve); elsewhere the command is just run.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the signal was asked for
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  # the command comes from our own process, without a shell


if __name__ == "__main__":
    main()
