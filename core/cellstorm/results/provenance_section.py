"""The report's end: all settings, where everything comes from, and how to cite it. Whatever came from outside is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Final

from pydantic import JsonValue

from cellstorm.camera_report import CameraReport, LockReport
from cellstorm.results.numbers import count, number
from cellstorm.results.report import Report

_LONG: Final = 100
"""Characters; a longer text is for machines and stands in small type."""
_DEEPEST: Final = 3

_UNITS: Final = {"_kbps": "kbit/s", "_nm": "nm", "_px": "px", "_bytes": "bytes", "_s": "s"}
_NAMES: Final = {"fps": "frame rate", "kind": "came as", "sha256": "SHA-256"}

CITATION: Final = (
    "Diederich B, Then P, Jügler A, Förster R, Heintzmann R (2019). cellSTORM—Cost-effective super-resolution on a "
    "cellphone using dSTORM. PLOS ONE 14(1): e0209827."
)
CITATION_DOI: Final = "10.1371/journal.pone.0209827"


def settings(report: Report) -> str:
    """All that is needed to do it again."""
    roi = report.roi
    rows = [
        ("Acquisition", f"<code>{escape(report.acquisition_id)}</code>"),
        ("Begun, finished", f"{moment(report.created_at)}, {moment(report.finished_at)}"),
        *_source(report.source),
        *(() if report.camera_report is None else _phone(report.camera_report)),
        ("Region of interest", f"{roi.width} \u00d7 {roi.height} px, its left upper pixel at ({roi.x}, {roi.y})"),
        ("Camera pixel in the sample", f"{number(report.pixel_size_nm)} nm"),
        *(() if report.is_imported else _localized(report)),
        ("Software", ", ".join([f"cellSTORM {escape(report.software_version)}", *_versions(report.versions)])),
    ]
    cells = (f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows)
    return f"<section><h2>Settings and provenance</h2>\n<table>{''.join(cells)}</table></section>"


def _phone(told: CameraReport) -> list[tuple[str, str]]:
    """What the phone said of itself and of its camera."""
    pace = "" if told.frame_rate is None else f", {number(told.frame_rate)} frames per second as measured"
    luma = "copied from the camera" if told.luma == "exact" else "computed from colours"
    frames = told.frames
    locks = "; ".join(_lock(item, lock) for item, lock in told.locks.items()) or "none told"
    return [
        ("Phone", escape(told.device)),
        ("Phone: camera", f"{escape(told.camera)}, {told.width} \u00d7 {told.height} px{pace}"),
        (
            "Phone: filmed",
            f"a square of {told.crop_side} px at ({told.crop_x}, {told.crop_y}); luma {luma}; preset "
            f"{escape(told.preset or 'none')}",
        ),
        ("Phone: settings", locks),
        (
            "Phone: frames",
            f"{count(frames.seen)} seen, {count(frames.sent)} sent, {count(frames.skipped)} skipped by the camera, "
            f"{count(frames.repeated)} repeated and {count(frames.left_out)} left out, {count(frames.missed)} missed while the "
            f"link was lost ({count(told.link_losses)} times)",
        ),
    ]


def _lock(item: str, lock: LockReport) -> str:
    value = "" if lock.value is None else f" {number(lock.value)}"
    wanted = f" (wanted {number(lock.wanted)})" if lock.wanted is not None and lock.wanted != lock.value else ""
    return f"{item.replace('_', ' ')}{value}{wanted}: {lock.state.replace('_', ' ')}"


def _localized(report: Report) -> list[tuple[str, str]]:
    camera, generator = report.camera, report.generator
    network = f"SHA-256 <code>{escape(generator.sha256)}</code>" if generator.sha256 else "no network: a classical fit"
    calibrated = "calibrated" if camera.calibrated else "not calibrated: a preset"
    return [
        (
            "Camera",
            f"{number(camera.gain)} electrons per count, offset of {number(camera.offset)} counts, "
            f"read noise of {number(camera.read_noise)} electrons; {calibrated}",
        ),
        ("Generator (model)", f"{escape(generator.name)} {escape(generator.version)}<br>{network}"),
        (
            "Its settings",
            f"reads {generator.context_frames} frames at a time, answers with {escape(generator.output)}, "
            f"threshold {generator.threshold_in_words}"
            + (f", judge <code>{generator.judge.digest}</code>" if generator.judge else ""),
        ),
    ]


def _versions(versions: Mapping[str, str]) -> list[str]:
    return [f"{escape(name)} {escape(version)}" for name, version in versions.items() if name != "cellstorm"]


def _source(source: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """What is known of the recording, whatever that is: units stand in the names."""
    facts = dict(source)
    width, height = facts.pop("width", None), facts.pop("height", None)
    rows = list(_facts("Recording", facts, depth=0))
    if width is not None and height is not None:
        rows.append(("Recording: frame size", f"{escape(str(width))} \u00d7 {escape(str(height))} px"))
    return rows


def _facts(of: str, facts: Mapping[str, JsonValue], depth: int) -> Iterator[tuple[str, str]]:
    """A row for each; what is nested (a phone's camera) has rows of its own, under its own name."""
    for key, value in facts.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from _facts(_words(key), value, depth + 1)
        elif value is not None:
            yield _fact(of, key, value)


def _words(key: str) -> str:
    words = key.replace("_", " ")
    return words[:1].upper() + words[1:]


def _fact(of: str, key: str, value: JsonValue) -> tuple[str, str]:
    unit = next((suffix for suffix in _UNITS if key.endswith(suffix)), "")
    name = _NAMES.get(key, key.removesuffix(unit).replace("_", " "))
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, int | float):
        text = f"{number(value)} {_UNITS.get(unit, 'frames per second' if key == 'fps' else '')}".strip()
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = escape(text) if len(text) <= _LONG and key != "sha256" else f"<code>{escape(text)}</code>"
    return f"{escape(of)}: {escape(name)}", shown


def citation(report: Report) -> str:
    """The paper and the software."""
    return (
        "<section><h2>How to cite</h2>\n<p>If you use this image or its localizations, please cite the paper that cellSTORM is "
        f'built on,</p>\n<p>{CITATION} <a href="https://doi.org/{CITATION_DOI}">doi:{CITATION_DOI}</a></p>\n'
        f"<p>and the software: The cellSTORM developers. cellSTORM, version {escape(report.software_version)}, "
        "BSD-3-Clause.</p></section>"
    )


def moment(time: datetime) -> str:
    """To the minute."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
