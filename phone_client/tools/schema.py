"""Writes what the page shares with the server, from the server's own definitions, so that nothing is written twice.

    src/generated/models.schema.json   JSON Schema of what travels as JSON; `npm run types` turns it into models.ts
    src/generated/tables.ts            columns of the rows in binary messages; the colour map and how brightness is chosen
    src/generated/examples.json        binary messages and a reconstruction as the server makes them, for the page's tests

Run `python phone_client/tools/schema.py && npm --prefix phone_client run types` after a change of the models;
tests/unit/test_generated_types.py fails until then.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from cellstorm import judging, localizations, messages, presence, rendering
from cellstorm.acquisitions import (
    FOLLOWS,
    LEAST_THRESHOLD,
    MOST_THRESHOLD,
    Acquisition,
    AcquisitionSettings,
    CreatedAcquisition,
)
from cellstorm.analysis.exposure import ExposureDrift
from cellstorm.batches import Batch, BatchDetail
from cellstorm.camera import DEFAULT_CAMERA, PRESETS
from cellstorm.camera_report import CameraReport
from cellstorm.chunks import FILE_CHUNK_BYTES, FILE_CHUNK_FRAMES, MAX_CHUNK_FRAMES, MIN_CHUNK_FRAMES
from cellstorm.comparison import CommonComparison, Comparison
from cellstorm.emitters import LEAST_OF_A_PIXEL, LEAST_PROBABILITY, to_candidates
from cellstorm.gaps import LinkGap
from cellstorm.generator import EMITTER_CHANNELS
from cellstorm.localizations import LOCALIZATION, Localizations
from cellstorm.raw_chunks import MAX_COUNTS_BYTES
from cellstorm.reconstruction import Reconstruction, default_output_pixel_nm
from cellstorm.results import thunderstorm
from cellstorm_server.files import ResultFile
from cellstorm_server.joining import BrowserSession, CodeRequest, JoinCode
from cellstorm_server.models import Model
from cellstorm_server.reprocess import Changes

GENERATED: Final = Path(__file__).resolve().parent.parent / "src" / "generated"

_MODELS: Final[tuple[tuple[type[BaseModel], JsonSchemaMode], ...]] = (
    (AcquisitionSettings, "validation"),
    (Acquisition, "serialization"),
    (CreatedAcquisition, "serialization"),
    (Model, "serialization"),
    (Batch, "serialization"),
    (BatchDetail, "serialization"),
    (BrowserSession, "serialization"),
    (CodeRequest, "validation"),
    (JoinCode, "serialization"),
    (LinkGap, "validation"),
    (CameraReport, "validation"),
    (ExposureDrift, "serialization"),
    (ResultFile, "serialization"),
    (Changes, "validation"),
    (Comparison, "serialization"),
    (CommonComparison, "serialization"),
    (messages.Opening, "serialization"),
    (messages.Progress, "serialization"),
    (messages.Closing, "serialization"),
)

_SENT_BY_PAGE: Final = {"NewAcquisition", "Changes"}

_FIELD_PX: Final = (8, 6)
_PIXEL_SIZE_NM: Final = 100.0


def models_schema() -> dict[str, Any]:
    """JSON Schema with one definition per model; `NewAcquisition` is AcquisitionSettings as they are sent."""
    _, schema = models_json_schema(_MODELS, title="Models")
    text = json.dumps(schema).replace("AcquisitionSettings-Input", "NewAcquisition")
    definitions = json.loads(text.replace("AcquisitionSettings-Output", "AcquisitionSettings"))["$defs"]
    for name, definition in definitions.items():
        definition["title"] = name
        properties = definition.get("properties", {})
        for field in properties.values():
            field.pop("title", None)  # would become a named type of its own
        if properties and name not in _SENT_BY_PAGE:
            definition["required"] = list(properties)  # the server writes defaults out
    return {"title": "Models", "$defs": definitions}


def tables() -> str:
    """A TypeScript module of constants."""
    offsets = {name: field[1] for name, field in (LOCALIZATION.fields or {}).items()}
    columns = [
        {"name": c.name, "dtype": c.dtype, "offset": offsets[c.name], "unit": c.unit, "meaning": c.meaning}
        for c in localizations.COLUMNS
    ]
    cameras = {name: {"gain": camera.gain, "offset": camera.offset} for name, camera in PRESETS.items()}
    follows = {state.value: sorted(state.value for state in following) for state, following in FOLLOWS.items()}
    wire = [{"name": column.name, "dtype": column.dtype} for column in messages.WIRE_COLUMNS]
    file_chunk = {"frames": FILE_CHUNK_FRAMES, "bytes": FILE_CHUNK_BYTES, "least_frames": MIN_CHUNK_FRAMES}
    raw_chunk = {"frames": MAX_CHUNK_FRAMES, "bytes": MAX_COUNTS_BYTES}
    threshold = {"least": LEAST_THRESHOLD, "most": MOST_THRESHOLD}
    colormaps = {name: rendering.palette(name).tobytes().hex() for name in get_args(rendering.Colormap)}
    return "\n".join(
        (
            "// Made by tools/schema.py from the server's definitions; not to be edited.",
            f"export const COLUMNS = {json.dumps(columns)} as const;",
            f"export const ROW_BYTES = {LOCALIZATION.itemsize};",
            "/** Of binary messages, one after another. */",
            f"export const WIRE_COLUMNS = {json.dumps(wire)} as const;",
            f"export const EMITTER_CHANNELS = {json.dumps(EMITTER_CHANNELS)} as const;",
            f"export const THUNDERSTORM_HEADER = {json.dumps(thunderstorm.HEADER)} as const;",
            f"export const FILE_CHUNK = {json.dumps(file_chunk)} as const;",
            "/** Of decoded frames: no more of either. */",
            f"export const RAW_CHUNK = {json.dumps(raw_chunk)} as const;",
            f"export const LEAST_PROBABILITY = {LEAST_PROBABILITY};",
            f"export const THRESHOLD_LIMITS = {json.dumps(threshold)} as const;",
            f"export const LEAST_OF_A_PIXEL = {LEAST_OF_A_PIXEL};",
            f"export const JUDGING = {json.dumps(_judging())} as const;",
            f"export const PRESENCE = {json.dumps(_presence())} as const;",
            f"export const CAMERAS = {json.dumps(cameras)} as const;",
            f"export const SNAPSHOT = {messages.SNAPSHOT};",
            f"export const DELTA = {messages.DELTA};",
            f"export const FOLLOWS = {json.dumps(follows)} as const;",
            f"export const DEFAULT_PERCENTILE = {rendering.DEFAULT_PERCENTILE};",
            f"export const DEFAULT_GAMMA = {rendering.DEFAULT_GAMMA};",
            "/** 256 colours from nothing to brightest, six hexadecimal digits each. */",
            f"export const COLORMAPS = {json.dumps(colormaps)} as const;",
            "",
        )
    )


def examples() -> dict[str, Any]:
    """Messages with their rows, and the server's image of these rows. Binary data is base64."""
    table = messages.as_sent(_example_localizations())
    snapshot = messages.BinaryMessage(messages.SNAPSHOT, table[:9], 5, 7, first_row=0, total_rows=9, history=7)
    delta = messages.BinaryMessage(messages.DELTA, table[9:], 11, 12, first_row=9, total_rows=20, history=7)
    output_pixel_nm = default_output_pixel_nm(_PIXEL_SIZE_NM)
    drawn = Reconstruction(*_FIELD_PX, _PIXEL_SIZE_NM, output_pixel_nm, "gaussian").add(table).snapshot()
    return {
        "snapshot": _base64(snapshot.to_bytes()),
        "delta": _base64(delta.to_bytes()),
        "rows": [dict(zip(table.dtype.names or (), row, strict=True)) for row in table.tolist()],
        "image": {
            "field_px": _FIELD_PX,
            "pixel_size_nm": _PIXEL_SIZE_NM,
            "output_pixel_nm": output_pixel_nm,
            "height_width": drawn.image.shape,
            "float32": _base64(drawn.image.astype("<f4").tobytes()),
            "outside": drawn.outside,
        },
        "emitters": _example_emitters(),
        "presence": _example_presence(),
        "thunderstorm": b"".join(thunderstorm.text(table, _PIXEL_SIZE_NM)).decode(),
        "scale_bars_nm": {str(width): rendering.scale_bar_nm(width) for width in (40, 700, 12_800, 51_200, 99_000)},
    }


def _judging() -> dict[str, object]:
    return {
        "likely": judging.LIKELY,
        "unit_volume_px": judging.UNIT_VOLUME_PX,
        "usual_volume": judging.USUAL_VOLUME,
        "usual_count": judging.USUAL_COUNT,
        "same_place_px": judging.SAME_PLACE_PX,
        "farthest": judging.FARTHEST,
        "farthest_apart": judging.FARTHEST_APART,
        "overlap_reach_px": judging.OVERLAP_REACH_PX,
        "overlap_unit": judging.OVERLAP_UNIT,
        "sure": judging.SURE,
        "farthest_brightness": judging.FARTHEST_BRIGHTNESS,
        "usual_unlikely": judging.USUAL_UNLIKELY,
        "least_value": judging.LEAST_VALUE,
        "least_weight": judging.LEAST_WEIGHT,
        "logit": judging.FEATURES.index("logit"),
    }


def _presence() -> dict[str, object]:
    return {
        "group_frames": presence.GROUP_FRAMES,
        "rmse_weight": presence.RMSE_WEIGHT,
        "least": presence.LEAST,
        "least_alone": presence.LEAST_ALONE,
        "company": presence.COMPANY,
        "rounds": presence.ROUNDS,
    }


def _example_localizations() -> Localizations:
    """Within the field, at and over its edges; sharper and wider than the image can show; without a precision."""
    random = np.random.default_rng(3)
    table = np.zeros(16, LOCALIZATION)
    table["frame"] = np.sort(random.integers(0, 12, len(table)))
    table["x_nm"] = random.uniform(-50, 750, len(table))
    table["y_nm"] = random.uniform(-50, 550, len(table))
    table["photons"] = random.uniform(100, 2000, len(table))
    table["background_photons"] = 10
    table["precision_nm"] = random.uniform(5, 40, len(table))
    table["psf_sigma_nm"] = 140
    table["probability"] = random.uniform(0.5, 1, len(table))
    table["x_nm"][:4] = (-49.5, 749.5, 760, 300)  # the third lies outside
    table["precision_nm"][:4] = (20, 300, 20, 1)
    return table


def _example_emitters() -> dict[str, Any]:
    """A generator's output, with emitters on their own, on edges between pixels and at the border, and the candidates in it."""
    random = np.random.default_rng(5)
    height, width = 16, 24
    output = np.zeros((1, len(EMITTER_CHANNELS), height, width), np.float32)
    output[0] = random.uniform(0.05, 0.4, output.shape[1:])
    output[0, 0] = np.where(random.random((height, width)) < 0.25, random.uniform(0, 1, (height, width)), 0.01)
    output[0, 1:3] = random.uniform(-0.9, 0.9, (2, height, width))
    output[0, 3:5] *= 900.0
    table = to_candidates(output, np.array([41]), camera=DEFAULT_CAMERA, pixel_size_nm=_PIXEL_SIZE_NM)
    return {
        "height_width": (height, width),
        "pixel_size_nm": _PIXEL_SIZE_NM,
        "output": _base64(output.astype("<f4").tobytes()),
        "rows": _base64(table.tobytes()),
        "count": len(table),
    }


def _example_presence() -> dict[str, Any]:
    """Candidates of frames with many molecules and with next to none, as many as fill a group and a half, and what is reported."""
    random = np.random.default_rng(6)
    frames = np.arange(3 * presence.GROUP_FRAMES // 2)
    table = np.zeros(10 * len(frames), LOCALIZATION)
    table["frame"] = np.repeat(frames, 10)
    table["x_nm"], table["y_nm"] = random.uniform(0, 1_000, (2, len(table)))
    table["photons"] = random.lognormal(5, 1, len(table))
    table["precision_nm"] = random.lognormal(3, 0.5, len(table))
    table["psf_sigma_nm"] = random.uniform(90, 200, len(table))
    table["probability"] = random.beta(0.1, 3, len(table)) + 0.02
    crowded = table["frame"] < presence.GROUP_FRAMES
    table["probability"][-3:] = (0.999, 1.0, 0.98)
    table["probability"][crowded] = random.beta(0.3, 1, crowded.sum())
    table = table[np.lexsort((table["x_nm"], table["y_nm"], table["frame"]))]
    judge, frame_pixels = _example_judge(random), 5_000
    reported = presence.reported(
        table, frames, judge=judge, threshold=None, frame_pixels=frame_pixels, pixel_size_nm=_PIXEL_SIZE_NM
    )
    return {
        "frame_pixels": frame_pixels,
        "pixel_size_nm": _PIXEL_SIZE_NM,
        "judge": judge.model_dump(),
        "candidates": _base64(table.tobytes()),
        "reported": _base64(reported.tobytes()),
        "frames": len(frames),
    }


def _example_judge(random: np.random.Generator) -> judging.Judge:
    """One whose every weight makes a difference."""
    inputs, hidden = len(judging.FEATURES), 5

    def row(size: int) -> tuple[float, ...]:
        return tuple(random.normal(0, 0.5, size).round(3).tolist())

    first, second = row(hidden + 1), row(hidden + 1)
    weights = tuple(row(inputs + 1) for _ in range(hidden))
    return judging.Judge(
        centre=row(inputs), spread=(2.0,) * inputs, hidden=weights, output=(first, second), overlap=0.2
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def generated_files() -> dict[str, str]:
    """Contents by file name."""
    return {
        "models.schema.json": json.dumps(models_schema(), indent=2) + "\n",
        "tables.ts": tables(),
        "examples.json": json.dumps(examples(), indent=1) + "\n",
    }


def main() -> None:
    """Write them all."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    for name, text in generated_files().items():
        (GENERATED / name).write_text(text)


if __name__ == "__main__":
    main()
