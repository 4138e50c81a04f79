"""The `cellstorm` command.

Only the module of the command that was asked for is imported, so that a worker needs no web framework, the service no
torch, and `--help` no patience.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup

from cellstorm.errors import CellstormError, NotAllowed, in_words


class Command(NamedTuple):
    """Where a command is, as a function of its name, and what it is for."""

    module: str
    help: str


COMMANDS: Final = {
    "up": Command("service", "Run everything on this machine until Ctrl-C: Redis, a gateway and workers."),
    "demo": Command("demo", "Stream a simulated sample through the whole path, and score the image against the truth."),
    "reconstruct": Command("reconstruct", "Localize the molecules of a recording and write the result folder."),
    "submit": Command("submit", "Upload a recording to a server and fetch the results."),
    "reprocess": Command("reprocess", "Let a service reconstruct a kept acquisition again, with other settings."),
    "render": Command("tables", "Draw a table of localizations, of this or another program, as an image."),
    "convert": Command("tables", "Write a table of localizations in another program's format."),
    "score": Command("tables", "Hold a table of localizations against what was really there."),
    "compare": Command("tables", "Hold two reconstructions of the same frames against each other."),
    "analyse": Command("analyse", "Measure a result folder or any table of localizations, and write the report."),
    "publish": Command("publish", "Be a phone: stream a video file to a server in real time."),
    "gateway": Command("service", "Run a gateway: it receives phones and uploads, and shows the image."),
    "worker": Command("service", "Run a worker: it turns chunks of video into localizations."),
    "calibrate": Command("calibrate", "Measure a camera's gain, offset and read noise, for true photon numbers."),
    "simulate": Command("simulate", "Simulate a recording of blinking molecules, with its truth."),
    "train": Command("models", "Train a generator on simulated, compressed recordings."),
    "export": Command("models", "Package a trained generator for the zoo."),
    "evaluate": Command("evaluate", "Measure generators on recordings whose truth is known, as tables and figures."),
    "doctor": Command("doctor", "Tell what this machine can do, what is missing, and how to get it."),
}

BAD_INPUT: Final = 2
"""Exit code: what was given cannot be used, or what is needed is not there; one line on stderr says how to mend it."""

_TO_BE_LET_IN: Final = (
    "give the admin's token, printed when the server first started: --token, or CELLSTORM_ADMIN_TOKEN"
)
"""In a terminal; what a server advises is for people with a browser."""


class _Commands(TyperGroup):
    """Typer says of a choice that is not there what pydantic says."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # of typer's own click, which is private
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = in_words(error.message)
            raise


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """The command that `arguments` name; all of them, but for show, where they name none."""
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    app = typer.Typer(cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(_no_command)
    for name, command in COMMANDS.items():
        if name == asked:
            module = importlib.import_module(f"cellstorm_cli.{command.module}")
            app.command(name, help=command.help)(getattr(module, name))
        elif asked not in COMMANDS:
            app.command(name, help=command.help)(_nothing)
    return app


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        print(f"cellstorm {importlib.metadata.version('cellstorm')}")
        raise typer.Exit


def _no_command(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and end.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Super-resolution microscopy from a phone's video."""


def _nothing() -> None:
    """In place of a command that was not asked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        build_app(arguments)(list(arguments), prog_name="cellstorm")
    except SystemExit as end:  # how typer ends
        return end.code if isinstance(end.code, int) else 1
    except NotAllowed as error:
        reason, _, _ = str(error).partition("; ")
        print(f"cellstorm: {reason}; {_TO_BE_LET_IN}", file=sys.stderr)
        return BAD_INPUT
    except CellstormError as error:
        print(f"cellstorm: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
