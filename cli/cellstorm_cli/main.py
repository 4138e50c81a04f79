"""The `cellstorm` command.

Only the module of the command that was asked for is imported, so that a worker needs no web framework, the service no
torch, and `--help` no patience.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import typer

from cellstorm.errors import CellstormError

COMMANDS: Final = {
    "up": "cellstorm_cli.service",
    "demo": "cellstorm_cli.demo",
    "reconstruct": "cellstorm_cli.reconstruct",
    "submit": "cellstorm_cli.submit",
    "publish": "cellstorm_cli.publish",
    "gateway": "cellstorm_cli.service",
    "worker": "cellstorm_cli.service",
    "simulate": "cellstorm_cli.models",
    "train": "cellstorm_cli.models",
    "export": "cellstorm_cli.models",
    "doctor": "cellstorm_cli.doctor",
}
"""Where each command is: a function of its name."""

BAD_INPUT: Final = 2
"""Exit code: what was given cannot be used, or what is needed is not there; one line on stderr says how to mend it."""


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """The command that `arguments` name, or all of them where they name none."""
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    names = [asked] if asked in COMMANDS else list(COMMANDS)
    app = typer.Typer(
        help="Super-resolution microscopy from a phone's video.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_no_command)
    for name in names:
        app.command(name)(getattr(importlib.import_module(COMMANDS[name]), name))
    return app


def _no_command() -> None:
    """Super-resolution microscopy from a phone's video."""  # also keeps a lone command's name part of the command line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        build_app(arguments)(list(arguments), prog_name="cellstorm")
    except SystemExit as end:  # how typer ends
        return end.code if isinstance(end.code, int) else 1
    except CellstormError as error:
        print(f"cellstorm: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
