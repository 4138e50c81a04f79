"""At the end: an acquisition that has come whole and is localized becomes a result folder, and leaves Redis.

The folder is written in a process of its own: writing a million localizations would hold up the event loop for seconds.
Beside it lies acquisition.json, from which a finished acquisition is brought back where Redis has lost everything.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from anyio import to_process
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from cellstorm import gaps, mp4
from cellstorm.acquisitions import STORED, Acquisition, State
from cellstorm.analysis.recording import RecordingQuality, examine
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.camera_report import CameraReport
from cellstorm.chunks import Chunk
from cellstorm.errors import AcquisitionNotFound, ResultNotReady, StorageFull, WrongState
from cellstorm.generator import GeneratorSpec
from cellstorm.localizations import Localizations
from cellstorm.results import picasso
from cellstorm.results.folder import REPORT, TABLE_HDF5, VIDEO, Results, write_results
from cellstorm.results.report import Provenance, Report
from cellstorm.results.reproduction import in_effect, sha256_of, versions
from cellstorm.settings import Settings
from cellstorm.sources import open_source
from cellstorm.store import STORE_TROUBLE, Commit, Store
from cellstorm.writing import sync
from cellstorm_server.claims import Claims
from cellstorm_server.feeder import Feeder
from cellstorm_server.kept_video import kept_chunks
from cellstorm_server.library import Library

log = structlog.get_logger()

_RECORD: Final = "acquisition.json"
_RETRY_S: Final = 30.0
_ARCHIVE_ERROR: Final = "archive_error"
_FULL: Final = "the server's disk has no room for the results; make room, and they are written"
_UNWRITABLE: Final = "the results could not be written yet; the server's log tells why"
_ARCHIVED_POSITION: Final = "0-1"
_DESCRIPTION: Final = TypeAdapter(dict[str, JsonValue])
_TIMES: Final = ("started_at", "newest_received_at", "last_commit_at")
_FACTS_ASKED: Final = (*_TIMES, "source", "camera_report", "next_frame", "generator", "reprocessed_from")
_KEPT_COUNTERS: Final = {
    "reprocessed_from",
    "video_from",
    "video_sha256",
    "frame_width",
    "frame_height",
    "roi",
    "frames_expected",
    "frames_received",
    "frames_lost",
    "frames_damaged",
    "frames_processed",
    "frames_left_out",
    "localizations",
    "chunks_received",
    "chunks_processed",
    "resolution_nm",
    "drift_nm",
    "error",
    "notice",
}
"""What of an acquisition goes back into the store as it is."""


class Record(BaseModel):
    """A finished acquisition as it lies beside its results."""

    model_config = ConfigDict(frozen=True)

    acquisition: Acquisition
    token_digest: str
    generator: GeneratorSpec


@dataclass(frozen=True, slots=True)
class Places:
    """What the writing process needs to open the store and the library for itself."""

    redis_url: str
    root: Path
    min_free_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Places:
        return cls(settings.redis_url, settings.data, settings.min_free_disk_bytes)

    def library(self) -> Library:
        return Library(self.root, self.min_free_bytes)


def write_archive(places: Places, acquisition_id: str) -> None:
    """Blocks. Write the result folder of an acquisition that is processed to its end; again is no error.

    Raises
    ------
    ResultNotReady
        If not one frame was localized.
    StorageFull
        If the disk has no room; nothing of the folder is there then.
    """
    store, library = Store.connect(places.redis_url), places.library()
    acquisition = store.get(acquisition_id)
    sums = store.widefield(acquisition_id)
    widefield = sums.counts
    if acquisition.roi is None:
        raise ResultNotReady("not one frame could be used; start a new acquisition")
    if widefield is None:
        widefield = np.zeros((acquisition.roi.height, acquisition.roi.width), np.uint32)
    video = _joined_video(library, acquisition_id)
    table = store.localizations(acquisition_id)
    provenance = _provenance(store, library, acquisition, video or library.upload(acquisition_id))
    results = Results(
        localizations=table,
        widefield_sum=widefield,
        frame_count=int(store.field(acquisition_id, "next_frame") or 0),
        provenance=provenance,
        map_sum=sums.maps,
        recording=_examined(library, acquisition, provenance, table),
    )
    write_results(library.results(acquisition_id), results, video=video)
    _joined_path(library, acquisition_id).unlink(missing_ok=True)
    _tell_findings(library, store, acquisition_id)
    _write_record(library, store, acquisition_id)


def _examined(
    library: Library, acquisition: Acquisition, provenance: Provenance, table: Localizations
) -> RecordingQuality | None:
    """What the kept recording shows beside its localizations; None where none is kept here."""
    parts, upload = library.parts(acquisition.id), library.upload(acquisition.id)
    if not parts and not upload.exists():
        return None
    chunks = kept_chunks(parts, 0) if parts else _chunks_of(upload, acquisition.settings.frame_rate)
    examiner = examine(chunks, provenance.roi, acquisition.frames_received, acquisition.settings.frames)
    return examiner.facts(
        table,
        camera=provenance.camera,
        pixel_size_nm=provenance.pixel_size_nm,
        is_network=provenance.generator.output != "counts",
    )


def _chunks_of(upload: Path, frame_rate: float | None) -> Iterator[Chunk]:
    # Opened only when it is asked for, like the kept parts.
    yield from open_source(upload, frame_rate=frame_rate).chunks()


def _joined_path(library: Library, acquisition_id: str) -> Path:
    return library.folder(acquisition_id) / "joined.mp4"


def _joined_video(library: Library, acquisition_id: str) -> Path | None:
    """The live video of all sessions as one; None where there was no phone."""
    parts = library.parts(acquisition_id)
    if not parts:
        return None
    mp4.join(parts, _joined_path(library, acquisition_id))
    return _joined_path(library, acquisition_id)


def _provenance(store: Store, library: Library, acquisition: Acquisition, video: Path) -> Provenance:
    assert acquisition.roi is not None
    camera = acquisition.settings.camera or DEFAULT_CAMERA
    fields = {name: store.field(acquisition.id, name) for name in _FACTS_ASKED}
    started_at, received_at, committed_at = (float(fields[name] or 0) for name in _TIMES)
    source: dict[str, JsonValue] = {"width": acquisition.frame_width, "height": acquisition.frame_height}
    if fields["source"] is None:
        parts = library.parts(acquisition.id)
        recording_s = received_at - started_at
        source |= {"kind": "live", "codec": "h264", "sessions": len(parts)}
        if recording_s > 0:
            source["fps"] = round(acquisition.frames_received / recording_s, 2)
            source["bitrate_kbps"] = round(sum(part.stat().st_size for part in parts) * 8 / 1000 / recording_s, 1)
    else:
        source |= {"kind": "upload", **_DESCRIPTION.validate_json(fields["source"])}
        fps, duration_s = source.get("fps"), source.get("duration_s")
        recording_s = duration_s if isinstance(duration_s, float) else 0.0
        if isinstance(fps, float) and fps > 0 and (source.get("ends_early") or not recording_s):
            recording_s = int(fields["next_frame"] or 0) / fps
    if video.is_file():  # not where chunks came without one
        name = VIDEO if fields["source"] is None else str(source.get("file", video.name))
        source |= {"file": name, "sha256": sha256_of(video)}
    if fields["reprocessed_from"] is not None:
        source["reprocessed_from"] = fields["reprocessed_from"]
    return Provenance(
        acquisition_id=acquisition.id,
        name=acquisition.settings.name,
        created_at=acquisition.created_at,
        finished_at=datetime.now(UTC),
        source=source,
        frames_received=acquisition.frames_received,
        frames_lost=acquisition.frames_lost,
        frames_damaged=acquisition.frames_damaged,
        gaps=acquisition.gaps,
        camera_report=CameraReport.model_validate_json(told) if (told := fields["camera_report"]) else None,
        frames_processed=acquisition.frames_processed,
        frames_left_out=acquisition.frames_left_out,
        camera=camera,
        roi=acquisition.roi,
        pixel_size_nm=acquisition.settings.pixel_size_nm,
        generator=GeneratorSpec.model_validate_json(fields["generator"] or ""),
        settings=in_effect(acquisition.settings, acquisition.roi, camera),
        versions=versions(),
        recording_s=recording_s if recording_s > 0 else None,
        processing_s=committed_at - started_at if committed_at > started_at > 0 else None,
    )


def _tell_findings(library: Library, store: Store, acquisition_id: str) -> None:
    """What was measured of the complete table takes the place of what was measured on the way."""
    report = Report.model_validate_json((library.results(acquisition_id) / REPORT).read_bytes())
    analysis = report.analysis
    measured = {"resolution_nm": analysis.resolution_nm, "drift_nm": analysis.drift_total_nm}
    store.set_fields(acquisition_id, **{name: "" if value is None else value for name, value in measured.items()})
    if report.video_sha256 is not None:
        store.set_fields(acquisition_id, video_sha256=report.video_sha256)


def _write_record(library: Library, store: Store, acquisition_id: str) -> None:
    acquisition = store.get(acquisition_id)
    over = {"state": State.FINISHED, "lag_s": None, "eta_s": None}
    if _is_ours(store, acquisition_id, acquisition.error):
        over["error"] = None
    record = Record(
        acquisition=acquisition.model_copy(update=over),
        token_digest=store.field(acquisition_id, "token_digest") or "",
        generator=GeneratorSpec.model_validate_json(store.field(acquisition_id, "generator") or ""),
    )
    path = library.folder(acquisition_id) / _RECORD
    part = path.with_suffix(".part")
    part.write_text(record.model_dump_json(indent=2), encoding="utf-8")
    part.chmod(0o600)
    sync(part)
    os.replace(part, path)
    sync(path.parent)


def _is_ours(store: Store, acquisition_id: str, error: str | None) -> bool:
    """Whether the error that an acquisition shows is that of an archive that could not be written, and so is mended by one."""
    return error is not None and error == store.field(acquisition_id, _ARCHIVE_ERROR)


def restore(store: Store, library: Library) -> list[str]:
    """Blocks. Bring finished acquisitions back that lie in the library and are unknown to the store; their ids."""
    known = set(store.ids())
    restored = []
    for acquisition_id in library.ids():
        path = library.folder(acquisition_id) / _RECORD
        if acquisition_id in known or not path.is_file():
            continue
        try:
            record = Record.model_validate_json(path.read_bytes(), context=STORED)
        except ValidationError as error:  # one that cannot be read keeps no gateway from starting
            log.error("acquisition not restored", acquisition=acquisition_id, error=str(error).splitlines()[0])
            continue
        _put_back(store, record)
        restored.append(acquisition_id)
    return restored


def _put_back(store: Store, record: Record) -> None:
    acquisition = record.acquisition
    created_at = acquisition.created_at.timestamp()
    at_its_time = Store(store.redis, clock=lambda: created_at)
    at_its_time.create(acquisition.id, acquisition.settings, owner="", token_digest=record.token_digest)
    facts = acquisition.model_dump(mode="json", include=_KEPT_COUNTERS, exclude_none=True)
    store.set_fields(
        acquisition.id,
        **facts,
        gaps=gaps.to_json(acquisition.gaps),
        state=State.FINISHED.value,
        generator=record.generator.model_dump_json(),
    )


def archived_commit(library: Library, acquisition: Acquisition) -> Commit:
    """Blocks. All localizations of a finished acquisition, from its result folder, as if they had come at once.

    Raises
    ------
    ResultNotReady
        If its folder is not here.
    """
    path = library.results(acquisition.id) / TABLE_HDF5
    if not path.is_file():
        raise ResultNotReady("the results lie with another gateway; ask the one that received the acquisition")
    table, info = picasso.read(path)
    return Commit(_ARCHIVED_POSITION, 0, 0, info.frame_count, acquisition.frames_processed, table)


class Archiver:
    """Writes the archives of this gateway, one at a time."""

    def __init__(self, store: Store, feeder: Feeder, library: Library, settings: Settings, claims: Claims) -> None:
        self._store = store
        self._feeder = feeder
        self._library = library
        self._settings = settings
        self._claims = claims
        self._place = asyncio.Semaphore(1)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again_at: dict[str, float] = {}

    async def consider(self, acquisition: Acquisition) -> None:
        """Begin with the archive of an acquisition that is `processing`, if all of it is processed and nobody else does."""
        key = acquisition.id
        if key in self._tasks or time.monotonic() < self._again_at.get(key, 0):
            return
        if await asyncio.to_thread(self._is_ready, key) and await asyncio.to_thread(self._claims.take, _claim(key)):
            self._tasks[key] = asyncio.create_task(self._archive(key), name=f"archive {key}")

    async def cancel(self, acquisition_id: str) -> None:
        """Stop writing its results, and wait until nothing is written any more."""
        if task := self._tasks.get(acquisition_id):
            task.cancel()
            await asyncio.wait({task})
        self._again_at.pop(acquisition_id, None)

    async def shutdown(self) -> None:
        """Leave what is not written to whoever comes next."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _is_ready(self, acquisition_id: str) -> bool:
        if self._feeder.is_behind(acquisition_id):  # asked first: what is handed on after that is received and pending
            return False
        acquisition = self._store.get(acquisition_id)
        return (
            acquisition.state is State.PROCESSING
            and acquisition.chunks_processed == acquisition.chunks_received
            and not self._store.pending(acquisition_id)
        )

    async def _archive(self, acquisition_id: str) -> None:
        try:
            async with self._place:
                await to_process.run_sync(write_archive, Places.of(self._settings), acquisition_id, cancellable=True)
            await asyncio.to_thread(self._finish, acquisition_id)
            log.info("archived", acquisition=acquisition_id)
        except (AcquisitionNotFound, WrongState):  # deleted or cancelled meanwhile, and perhaps written to after that
            await asyncio.to_thread(self._library.delete, acquisition_id)
        except Exception as error:  # the edge of a task: whatever it was, it is told, and not tried again at once
            log.exception("archive put off", acquisition=acquisition_id)
            await self._put_off(acquisition_id, error)
        finally:
            self._claims.release(_claim(acquisition_id))
            del self._tasks[acquisition_id]

    def _finish(self, acquisition_id: str) -> None:
        if _is_ours(self._store, acquisition_id, self._store.get(acquisition_id).error):
            self._store.set_fields(acquisition_id, error="")
        self._store.transition(acquisition_id, State.FINISHED)
        self._store.expire_bulk(acquisition_id, self._settings.expire_after_s)
        for part in self._library.parts(acquisition_id):  # the results hold them, joined
            part.unlink()
        shutil.rmtree(self._library.spool(acquisition_id), ignore_errors=True)
        for leftover in self._library.folder(acquisition_id).glob(".*"):  # of a gateway that was killed while writing
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
        self._again_at.pop(acquisition_id, None)

    async def _put_off(self, acquisition_id: str, error: Exception) -> None:
        self._again_at[acquisition_id] = time.monotonic() + _RETRY_S
        reason = _FULL if isinstance(error, StorageFull) else _UNWRITABLE  # without the server's paths
        try:
            await asyncio.to_thread(self._store.set_fields, acquisition_id, error=reason, **{_ARCHIVE_ERROR: reason})
        except AcquisitionNotFound:
            del self._again_at[acquisition_id]
            await asyncio.to_thread(self._library.delete, acquisition_id)
        except STORE_TROUBLE:
            return  # told the next time


def _claim(acquisition_id: str) -> str:
    return f"archive:{acquisition_id}"
