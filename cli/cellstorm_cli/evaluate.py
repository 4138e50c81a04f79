"""`evaluate`: generators on recordings whose truth is known, through the same pipeline that serves them."""

from __future__ import annotations

import importlib.util
import json as jsonlib
import platform
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import onnxruntime
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cellstorm import localizations, zoo
from cellstorm.acquisitions import AcquisitionSettings
from cellstorm.camera import DEFAULT_CAMERA, Camera
from cellstorm.chunks import Chunk, Counts
from cellstorm.decoding import decode
from cellstorm.errors import InvalidInput, InvalidSetting, RuntimeUnavailable
from cellstorm.generator import Generator
from cellstorm.localizations import Localizations
from cellstorm.pipeline import localize_counts
from cellstorm.roi import RegionOfInterest
from cellstorm.scoring import DEFAULT_TOLERANCE_NM, Truth
from cellstorm.settings import Settings
from cellstorm.sources import open_source
from cellstorm.writing import check_writable, writing_to
from cellstorm_cli import options
from cellstorm_cli.machine import usable_cores
from cellstorm_models.evaluation.comparison import Field, compare
from cellstorm_models.evaluation.limit import Optics
from cellstorm_models.evaluation.metrics import measure
from cellstorm_models.evaluation.pairs import Pair, bench_pairs, named_pairs
from cellstorm_models.evaluation.peers import Peers, read_peers
from cellstorm_models.evaluation.results import Evaluation, ModelFacts, VideoResult, as_object, write_results
from cellstorm_worker.onnx_generator import WarmGenerators

if TYPE_CHECKING:
    from cellstorm.zoo import ZooEntry

_ON_THROUGHOUT: Final = 0.99
_TYPICAL: Final = "p500_phone"
"""The bench's video nearest to what a phone sends: its nearest distances are shown unless another is asked for."""


def evaluate(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder for tables and figures.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="Generator; default where none is named; may be named again."),
    ] = None,
    bench: Annotated[
        Path | None, typer.Option(help="Folder of NAME.mp4 with NAME.csv, or p500_crf23.mp4 with p500.csv.")
    ] = None,
    video: Annotated[list[Path] | None, typer.Option(help="May be named again, each with its truth.")] = None,
    truth: Annotated[list[Path] | None, typer.Option(help="CSV of frame, x_nm, y_nm, photons, on.")] = None,
    pixel_size: Annotated[
        list[float] | None, typer.Option("--pixel-size", min=1.0, metavar="NM", help="One for all, or for each video.")
    ] = None,
    camera: options.CameraOption = None,
    border: Annotated[float, typer.Option(min=0.0, metavar="NM", help="Left out at the image's edges.")] = 300.0,
    psf_sigma: Annotated[float | None, typer.Option(min=1.0, metavar="NM", help="For the Cramér-Rao bound.")] = None,
    background: Annotated[
        float | None, typer.Option(min=0.0, metavar="PHOTONS", help="Per pixel, for the Cramér-Rao bound.")
    ] = None,
    peers: Annotated[Path | None, typer.Option(help="CSV of what other programs reach on the same videos.")] = None,
    histogram: Annotated[
        str | None, typer.Option(metavar="NAME", help="Video whose nearest distances are drawn.")
    ] = None,
    readme: Annotated[Path | None, typer.Option(help="Markdown page whose marked part is written anew.")] = None,
    json: options.Json = False,
) -> None:
    """Measure generators on recordings whose truth is known."""
    _needs_training_extra()
    from cellstorm_models.evaluation import figures, page

    if readme is not None:
        page.check_page(readme)
    pairs = _pairs(bench, video or [], truth or [], pixel_size or [])
    shown = _shown(histogram, pairs)
    conditions = Conditions(_camera(camera), border, psf_sigma, background)
    # the line of the bound is drawn for one pixel size
    optics = conditions.optics(pairs[0].pixel_size_nm)
    known_peers = {} if peers is None else read_peers(peers)
    check_writable(out)
    evaluation = _measure(model or ["default"], pairs, conditions, known_peers, _command(context.params))
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        files = write_results(out, evaluation) + figures.write_figures(out, evaluation, shown, optics)
    if readme is not None:
        page.rewrite(readme, evaluation)
    _tell(evaluation, files, json=json)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which everything is measured."""

    camera: Camera
    border_nm: float
    psf_sigma_nm: float | None
    background_photons: float | None

    def optics(self, pixel_size_nm: float) -> Optics | None:
        """What the bound needs to know; None where it was not told.

        Raises
        ------
        InvalidSetting
            If only half of it was told.
        """
        if self.psf_sigma_nm is None and self.background_photons is None:
            return None
        if self.psf_sigma_nm is None or self.background_photons is None:
            raise InvalidSetting("the Cramér-Rao bound needs both --psf-sigma and --background; name both, or neither")
        return Optics(self.psf_sigma_nm, self.background_photons, pixel_size_nm, self.camera.read_noise)

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "tolerance_nm": DEFAULT_TOLERANCE_NM,
            "border_nm": self.border_nm,
            "psf_sigma_nm": self.psf_sigma_nm,
            "background_photons": self.background_photons,
            "camera": self.camera.model_dump(),
        }


def evaluate_video(pair: Pair, generator: Generator, conditions: Conditions) -> VideoResult:
    """Localize in a video and compare with its truth.

    Raises
    ------
    InvalidInput
        If the video or the truth cannot be read.
    """
    truth = pair.read_truth()
    source = open_source(pair.video)
    chunks = list(source.chunks())
    width, height = source.frame_size
    settings = AcquisitionSettings(pixel_size_nm=pair.pixel_size_nm, camera=conditions.camera)
    region = pair.region(width, height)
    table, took_s, processor_s = _localize(chunks, generator, region, settings, conditions.camera)
    frames = sum(chunk.header.frame_count for chunk in chunks)
    size_bits = 8 * sum(sum(chunk.header.payload_sizes) for chunk in chunks)
    field = Field.of_image(width, height, pair.pixel_size_nm, conditions.border_nm, pair.max_y_nm)
    return VideoResult(
        model=generator.spec.name,
        video=pair.name,
        photons=_nominal_photons(truth) if pair.photons is None else pair.photons,
        compression=pair.compression,
        bits_per_pixel=size_bits / (frames * width * height),
        frames=frames,
        width_px=width,
        height_px=height,
        localization_s=took_s,
        processor_s=processor_s,
        comparison=compare(table, truth, field, optics=conditions.optics(pair.pixel_size_nm)),
    )


def _localize(
    chunks: Sequence[Chunk],
    generator: Generator,
    region: RegionOfInterest,
    settings: AcquisitionSettings,
    camera: Camera,
) -> tuple[Localizations, float, float]:
    """All localizations; seconds that it took without decoding, by the clock and of all cores together."""

    def localize(chunk: Chunk, counts: Counts) -> Localizations:
        done = localize_counts(chunk.header, counts, generator, settings=settings, camera=camera, on_batch=lambda: None)
        return done.localizations

    tables, took_s, processor_s = [], 0.0, 0.0
    for number, chunk in enumerate(chunks):
        counts = decode(chunk, region)
        if number == 0:
            localize(chunk, counts)  # the first time is slower
        began, processor_began = time.perf_counter(), time.process_time()
        tables.append(localize(chunk, counts))
        took_s += time.perf_counter() - began
        processor_s += time.process_time() - processor_began
    return localizations.concatenate(tables), took_s, processor_s


def _nominal_photons(truth: Truth) -> float:
    """Of an ordinary emitter that is on throughout a frame; 0 where there is none."""
    whole = truth["photons"][truth["on"] > _ON_THROUGHOUT]
    return float(np.median(whole)) if len(whole) else 0.0


def _pairs(bench: Path | None, videos: list[Path], truths: list[Path], pixel_sizes_nm: list[float]) -> list[Pair]:
    sizes = pixel_sizes_nm or [options.DEFAULT_PIXEL_SIZE_NM]
    if (bench is None) == (not videos and not truths):
        raise InvalidInput("name what to measure on: either --bench FOLDER, or --video with its --truth")
    if bench is not None and len(sizes) > 1:
        raise InvalidInput("a bench has one pixel size; name --pixel-size once")
    pairs = named_pairs(videos, truths, sizes) if bench is None else bench_pairs(bench, sizes[0])
    names = [pair.name for pair in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"two videos are called {twice}; rename one, for results go by name")
    return pairs


def _camera(text: str | None) -> Camera:
    if text is None:
        return DEFAULT_CAMERA
    try:
        return Camera.parse(text)
    except InvalidSetting as error:
        raise InvalidSetting(f"--camera: {error}") from error


def _shown(asked: str | None, pairs: Sequence[Pair]) -> str:
    names = [pair.name for pair in pairs]
    if asked is None:
        return _TYPICAL if _TYPICAL in names else names[0]
    if asked not in names:
        raise InvalidInput(f"there is no video {asked!r} among {', '.join(names)}; choose one of them for --histogram")
    return asked


def _measure(
    names: Sequence[str], pairs: Sequence[Pair], conditions: Conditions, peers: Peers, command: str
) -> Evaluation:
    process = Settings.load()
    entries = [zoo.entry(name, process.zoo) for name in dict.fromkeys(names)]
    threads = process.threads or usable_cores()
    generators = WarmGenerators(process.zoo, provider=process.provider, threads=threads)
    return Evaluation(
        made_at=datetime.now(UTC),
        command=command,
        machine=_machine(threads, process.provider),
        settings=conditions.as_object(),
        models=[_facts(entry) for entry in entries],
        results=_with_progress([entry.spec.name for entry in entries], pairs, generators, conditions),
        peers=peers,
    )


def _facts(entry: ZooEntry) -> ModelFacts:
    from cellstorm_models.evaluation.operations import operations_per_frame

    spec = entry.spec
    return ModelFacts(
        name=spec.name,
        version=spec.version,
        sha256=spec.sha256,
        output=spec.output,
        threshold=spec.threshold,
        operations_per_frame=None if spec.sha256 is None else operations_per_frame(entry.weights_path(), spec),
    )


def _with_progress(
    names: Sequence[str], pairs: Sequence[Pair], generators: WarmGenerators, conditions: Conditions
) -> list[VideoResult]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("videos", total=len(names) * len(pairs))
        return list(_results(names, pairs, generators, conditions, lambda: progress.advance(task)))


def _results(
    names: Sequence[str],
    pairs: Sequence[Pair],
    generators: WarmGenerators,
    conditions: Conditions,
    on_video: Callable[[], None],
) -> Iterator[VideoResult]:
    for name in names:
        generator = generators.get(name)
        for pair in pairs:
            yield evaluate_video(pair, generator, conditions)
            on_video()


def _command(parameters: Mapping[str, object]) -> str:
    """The command line that says this."""
    words = ["cellstorm", "evaluate"]
    for name, value in parameters.items():
        values = value if isinstance(value, list | tuple) else [value]
        for each in values:
            if each is not None and not isinstance(each, bool):
                words += [f"--{name.replace('_', '-')}", f"{each:g}" if isinstance(each, float) else str(each)]
    return shlex.join(words)


def _machine(threads: int, provider: str) -> dict[str, Any]:
    return {
        "processor": _processor(),
        "threads": f"{threads} thread{'s' if threads > 1 else ''}",
        "runtime": f"ONNX Runtime {onnxruntime.__version__} on {provider}",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def _processor() -> str:
    """Its name, where the system tells it."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _needs_training_extra() -> None:
    if any(importlib.util.find_spec(needed) is None for needed in ("matplotlib", "onnx")):
        raise RuntimeUnavailable("evaluation draws figures and reads graphs: pip install '.[cpu,train]' in the clone")


def _tell(evaluation: Evaluation, files: Sequence[Path], *, json: bool) -> None:
    if json:
        print(jsonlib.dumps(as_object(evaluation) | {"files": [path.name for path in files]}))
        return
    console = Console()
    for result in evaluation.results:
        reached = measure(result.comparison)
        rmse = "-" if reached.rmse_lateral_nm is None else f"{reached.rmse_lateral_nm:.1f} nm"
        console.print(
            f"{result.model} on {result.video}: Jaccard {reached.jaccard:.3f}, RMSE {rmse}, "
            f"{reached.phantoms} phantoms, {result.frames_per_s:.0f} frames/s",
            highlight=False,
        )
    console.print(f"{', '.join(path.name for path in files)} in {files[0].parent}", highlight=False)
