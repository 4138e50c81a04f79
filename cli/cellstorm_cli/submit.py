"""`cellstorm submit`: let a service reconstruct recordings, and fetch the results."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cellstorm.acquisitions import Acquisition, Priority, State
from cellstorm.batches import MAX_BATCH, BatchDetail, BatchMember, NewBatch
from cellstorm.errors import InvalidVideo
from cellstorm.results.folder import check_folder
from cellstorm.sources.members import folder_members
from cellstorm_cli import options
from cellstorm_client import Client, FileState, Sending

_NOTES: Final = ".{}.cellstorm-submit.json"
"""Beside the folder of the results, by its name."""
_SUFFIXES: Final = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".h264", ".tif", ".tiff"}
"""What is taken from a folder; a file that is named itself is judged by its content alone."""
_UNTIL_STOPPED: Final = "interrupted; what was sent is kept. The same command goes on from here"


def submit(
    files: Annotated[list[str], typer.Argument(help="Videos and TIFF stacks, folders of them, or patterns (*.mp4).")],
    server: options.Server,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the results; of several files, a folder for each in it.")
    ],
    token: options.Token = None,
    pixel_size: options.PixelSize = options.DEFAULT_PIXEL_SIZE_NM,
    model: options.Model = None,
    roi: options.Roi = None,
    frames: options.Frames = None,
    camera: options.CameraOption = None,
    threshold: options.Threshold = None,
    frame_rate: options.FrameRate = None,
    name: options.Name = None,
    priority: Annotated[Priority, typer.Option(help="Among recordings that wait for a worker.")] = Priority.NORMAL,
    as_one: Annotated[
        bool, typer.Option("--as-one", help="Each folder is one recording: its TIFF files, 2 before 10.")
    ] = False,
    at_once: Annotated[int, typer.Option(min=1, max=16, help="Uploads at the same time.")] = 3,
    json: options.Json = False,
) -> None:
    """Upload recordings, wait until they are reconstructed, and write their result folders."""
    recordings = find_recordings(files, as_one=as_one)
    settings = options.acquisition_settings(
        name=name if len(recordings) == 1 else None,
        pixel_size_nm=pixel_size,
        model=model,
        roi=roi,
        frames=frames,
        camera=camera,
        threshold=threshold,
        frame_rate=frame_rate,
    )
    for folder in result_folders(recordings, out).values():
        check_folder(folder)
    batch = NewBatch(name=(name or batch_name(recordings))[:200], settings=settings, priority=priority)
    with Client(server, options.find_token(token)) as client:
        sending = Sending(client, batch, recordings, notes=_notes(out), at_once=at_once)
        try:
            with sending.open() as own:
                detail = _send_and_wait(own, sending)
                fetched = _fetch(own, detail, sending.files, list(result_folders(recordings, out).values()))
        except KeyboardInterrupt:
            typer.echo(_UNTIL_STOPPED, err=True)
            raise typer.Exit(130) from None
        if json and len(fetched) == len(detail.acquisitions) == 1:
            _tell_one(client.get(detail.acquisitions[0].id), out)
        else:
            _tell(detail, fetched, out, as_json=json)
        _end(client, sending, detail)
    for member in detail.acquisitions:
        if member.notice is not None:
            typer.echo(f"{member.name}: {member.notice}", err=True)
    _complain(detail)


def _notes(out: Path) -> Path:
    whole = out.resolve()
    return whole.parent / _NOTES.format(whole.name)


def find_recordings(given: Sequence[str], *, as_one: bool = False) -> list[Path]:
    """The recordings that are meant, each once, in their order: files that are named or that a pattern fits, and folders'.

    A folder means the recordings in it; or (`as_one`) it is a recording itself, of which its TIFF files are parts.

    Raises
    ------
    InvalidVideo
        If there are none, or too many.
    """
    found: dict[Path, None] = {}
    for each in given:
        path = Path(each)
        if path.is_dir() and as_one:
            folder_members(path)  # raises where it holds no TIFF file
            found[path.resolve()] = None  # by a name that results can have too
        elif path.is_dir():
            found |= dict.fromkeys(sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES))
        elif not path.exists() and any(letter in path.name for letter in "*?["):
            found |= dict.fromkeys(sorted(file for file in path.parent.glob(path.name) if file.is_file()))
        else:
            found[path] = None
    if not found:
        raise InvalidVideo(f"{', '.join(given)} cannot be read: there are no videos or TIFF stacks; check the names")
    if len(found) > MAX_BATCH:
        raise InvalidVideo(
            f"these are {len(found)} recordings; submit at most {MAX_BATCH} at a time, or, "
            "if a folder holds the frames of one recording, add --as-one"
        )
    return list(found)


def batch_name(recordings: Sequence[Path]) -> str:
    """What they are called together, where nobody has said."""
    first = options.name_of(recordings[0]) or "batch"
    return first if len(recordings) == 1 else f"{first} and {len(recordings) - 1} more"


def result_folders(recordings: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Where each recording's results go: told apart by numbers where names are the same."""
    if len(recordings) == 1:
        return {recordings[0]: out}
    folders: dict[Path, Path] = {}
    for file in recordings:
        names = (file.stem if number == 1 else f"{file.stem}-{number}" for number in count(1))
        folders[file] = next(out / name for name in names if out / name not in folders.values())
    return folders


def _send_and_wait(client: Client, sending: Sending) -> BatchDetail:
    """The batch when it is over; sending and processing go on side by side."""
    with ThreadPoolExecutor(1, thread_name_prefix="sender") as pool, _progress() as progress:
        sent = pool.submit(sending.send, client)
        bars = _Bars(progress, sending)

        def look(detail: BatchDetail) -> None:
            if sent.done():
                sent.result()  # raises what has ended it
            bars.show(detail)

        try:
            detail = client.wait_batch(sending.batch_id, on_progress=look)
            sent.result()
            return detail
        finally:
            sending.stop()


class _Bars:
    """Bytes sent, and frames localized with their rate and the time that is left."""

    def __init__(self, progress: Progress, sending: Sending) -> None:
        self._progress = progress
        self._sending = sending
        self._upload: TaskID = progress.add_task("upload", total=sending.bytes_total, left="")
        self._frames: TaskID = progress.add_task("frames", total=None, left="")

    def show(self, detail: BatchDetail) -> None:
        done = detail.frames_processed + detail.frames_damaged
        rate = "" if detail.fps is None else f"{detail.fps:.0f} frames/s"
        left = "" if detail.eta_s is None else f", {detail.eta_s:.0f} s left"
        self._progress.update(self._upload, completed=self._sending.bytes_sent)
        self._progress.update(self._frames, completed=done, total=detail.frames_expected, left=rate + left)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.fields[left]}"), console=Console(stderr=True), transient=True)


def _fetch(client: Client, detail: BatchDetail, sent: Sequence[FileState], folders: Sequence[Path]) -> dict[str, Path]:
    """The result folders by the ids of their acquisitions; one that somebody has deleted meanwhile has none."""
    finished = {member.id for member in detail.acquisitions if member.state is State.FINISHED}
    fetched = {}
    with _progress() as progress:
        task = progress.add_task("results", total=len(sent), left="")
        for file, folder in zip(sent, folders, strict=True):
            if file.acquisition_id in finished:
                client.results(file.acquisition_id, folder)
                fetched[file.acquisition_id] = folder
            progress.advance(task)
    return fetched


def _end(client: Client, sending: Sending, detail: BatchDetail) -> None:
    """Nothing is left to go on with; a single file that was refused need not stay with the server."""
    sending.forget()
    if len(detail.acquisitions) == 1 and detail.acquisitions[0].state is not State.FINISHED:
        client.delete_batch(detail.id)


def _tell_one(acquisition: Acquisition, out: Path) -> None:
    typer.echo(jsonlib.dumps({"folder": str(out), **acquisition.model_dump(mode="json")}))


def _tell(detail: BatchDetail, fetched: dict[str, Path], out: Path, *, as_json: bool) -> None:
    if as_json:
        members = [
            {"folder": str(fetched[each.id]) if each.id in fetched else None, **each.model_dump(mode="json")}
            for each in detail.acquisitions
        ]
        told = {"folder": str(out), **detail.model_dump(mode="json", exclude={"acquisitions"}), "acquisitions": members}
        typer.echo(jsonlib.dumps(told))
    elif fetched:
        recordings = (
            "" if len(detail.acquisitions) == 1 else f"{len(fetched)} of {len(detail.acquisitions)} recordings: "
        )
        typer.echo(
            f"{recordings}{detail.localizations} localizations in {detail.frames_processed} frames, "
            f"{detail.frames_lost} lost, {detail.frames_damaged} damaged; the results are in {out}"
        )


def _complain(detail: BatchDetail) -> None:
    """Nothing, if all have finished.

    Raises
    ------
    InvalidVideo
        Naming those that have not, with their reasons.
    """
    wrong: list[BatchMember] = [each for each in detail.acquisitions if each.state is not State.FINISHED]
    if len(detail.acquisitions) == 1 and wrong:
        raise InvalidVideo(wrong[0].error or f"the recording was {wrong[0].state}")
    if wrong:
        reasons = "; ".join(f"{each.name}: {each.error or each.state}" for each in wrong)
        raise InvalidVideo(f"{len(wrong)} of {len(detail.acquisitions)} recordings have no results: {reasons}")
