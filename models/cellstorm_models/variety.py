"""What training draws from: every kind of recording that a generator may meet, and how often.

A pair of numbers is the range that a quantity is drawn from; `chance_of` says in which share of clips that are not plain an
effect is there at all. Plain clips are what the benchmark holds: round spots, nothing that changes, no image processor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np

from cellstorm_models.browser_encoder import BrowserCompression, Encoder
from cellstorm_models.compression import Compression, Preset
from cellstorm_models.image_processor import ImageProcessor
from cellstorm_models.instability import Instability
from cellstorm_models.optics import Optics
from cellstorm_models.simulation import SimulationConfig
from cellstorm_models.structures import Structure

Range = tuple[float, float]
_REFERENCE_PIXELS = 128 * 128  # densities are given for such a frame


@dataclass(frozen=True, slots=True)
class Chances:
    """Shares of clips: of all, and below of those that are not plain."""

    plain: float = 0.4  # what a bench in the lab records stays what most of the network's effort goes to
    empty: float = 0.16  # what codecs make of noise alone looks most like molecules
    sparse: float = 0.1  # likewise, with a molecule now and then, so that emptiness is no sign by itself
    pressed: float = 0.3  # of x264's with molecules: where a codec keeps what is gone, most is to be learned
    deep: float = 0.08  # a scientific camera of 16 bits
    uncompressed: float = 0.08  # TIFF stacks
    astigmatic: float = 0.4
    halo: float = 0.3
    depth: float = 0.3
    stray: float = 0.25
    structure: float = 0.3
    drift: float = 0.3
    light: float = 0.25
    offset: float = 0.25
    background: float = 0.3
    drop: float = 0.1
    pattern: float = 0.3
    hot: float = 0.12
    scale: float = 0.12
    denoise: float = 0.35
    sharpen: float = 0.3
    black: float = 0.15
    gamma: float = 0.3
    repeats: float = 0.15
    scene_cuts: float = 0.5  # x264 looks for them unless told not to; phones' own encoders do not
    live: float = 0.3
    browser: float = 0.6  # of the live ones: OpenH264 itself, and not what comes nearest to it of x264
    twice: float = 0.1


@dataclass(frozen=True, slots=True)
class Variety:
    """Ranges, each with its reason."""

    chance_of: Chances = Chances()
    psf_sigma_px: Range = (0.95, 2.0)  # 95 to 200 nm at 100 nm pixels: from an oil objective in focus to a poor one
    photons: Range = (50, 2000)  # the paper's 50 to 1000, and the brighter half of AF647
    background_photons: Range = (3, 40)  # TIRF to epifluorescence, per pixel and frame
    emitters: Range = (
        2,
        150,
    )  # sparse to overlapping, per 128x128 pixels; only among many are there pairs to be told apart
    sparse_emitters: Range = (0.1, 2)
    fluorophores: Range = (60, 3000)
    on_time_frames: Range = (1, 4)  # AF647 in buffer, 20 to 60 ms frames
    photon_spread: Range = (0, 0.6)  # of the logarithm; blinks of one dye differ twofold
    unevenness: Range = (0, 0.35)
    vignetting: Range = (0, 0.4)  # of an eyepiece adapter
    gain: Range = (0.2, 1.5)  # e-/count of 8-bit video; the paper's P9 has 0.69
    deep_gain: Range = (0.02, 2.0)  # emCCD to sCMOS
    offset: Range = (0, 16)  # 16 is limited-range video's black
    deep_offset: Range = (90, 500)
    read_noise: Range = (0.3, 3.5)  # sCMOS to the paper's P9
    axis_ratio: Range = (1.03, 1.3)  # a tilted phone; more is seen and mended by eye
    halo_share: Range = (0.05, 0.35)  # coverslip mismatch to strong spherical aberration
    halo_width: Range = (1.5, 2.2)
    depth_spread: Range = (0.05, 0.3)  # half a micrometre around the focus
    stray_share: Range = (0.05, 0.4)  # a thick sample in epifluorescence
    structure_share: Range = (0.1, 0.6)  # the widefield image of dyes that never switch
    drift_px: float = 0.04  # per frame, standard deviation in each axis: 4 nm, a phone's clamp settling
    light_change: Range = (-0.3, 0.3)  # within a clip; a lamp, bleaching
    offset_change: Range = (-3, 3)  # counts; the paper's dark video sinks by as much
    background_change: Range = (0.1, 0.6)
    drop: Range = (0.02, 0.15)  # of the counts; the paper's dark video drops every 31 frames
    drop_period: tuple[int, int] = (20, 33)
    pixel_gain_spread: Range = (0.003, 0.02)  # CMOS photo-response non-uniformity
    pixel_offset_spread: Range = (0.1, 0.8)  # counts
    hot_pixels: tuple[int, int] = (1, 6)  # per clip
    scale: Range = (0.9, 1.1)  # electronic stabilisation and odd sensor sizes; more would need an own pixel size
    denoise: Range = (0.1, 0.8)
    edges: Range = (1.5, 4.0)  # differences that denoising leaves alone, over the noise
    sharpen: Range = (0.1, 0.8)  # a phone's own is 0.3 to 0.6
    black: Range = (0.5, 3.0)  # standard deviations of noise below the background that become black
    gamma: Range = (0.8, 1.2)  # around linear: calibration is asked to undo the rest
    repeated: Range = (0.02, 0.12)  # of frames, as a browser fills gaps
    dropped: Range = (0.02, 0.12)
    crf: tuple[int, int] = (16, 34)  # from good to where nothing but bright spots is left
    bits_per_pixel: Range = (0.04, 0.4)  # at 30 frames/s of 1080p: 2.5 to 25 Mbit/s
    pressed_crf: tuple[int, int] = (28, 34)
    pressed_bits_per_pixel: Range = (0.03, 0.08)
    empty_crf: tuple[int, int] = (20, 34)
    empty_bits_per_pixel: Range = (0.04, 0.25)
    key_interval: tuple[int, int] = (10, 120)  # half of them have one key frame in a clip; x264 makes one in 250
    live_bits_per_pixel: Range = (0.08, 0.8)  # 512x512 at 20 frames/s: 0.4 to 4 Mbit/s, as Chromium sends
    live_quantisers: tuple[int, int] = (20, 38)
    live_key_interval: tuple[int, int] = (20, 30)  # one a second, as the gateway asks for
    live_buffer_s: Range = (0.15, 1.0)


EVERYTHING: Final = Variety()
VISIBLE: Final = Variety(
    chance_of=Chances(plain=1.0, empty=0.05, sparse=0.05, pressed=0.0, deep=0.0, uncompressed=0.2),
    psf_sigma_px=(1.0, 1.8),
    photons=(400, 3000),
    background_photons=(3, 15),
    emitters=(8, 80),
    photon_spread=(0.0, 0.3),
    crf=(14, 26),
    bits_per_pixel=(0.15, 0.6),
)
"""Molecules that an eye sees in the video, as those that the paper trained on: a network whose loss is a distance between pictures
draws nothing at all where most molecules can hardly be seen."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one clip is made with; the encoders in their order, none for raw frames."""

    simulation: SimulationConfig
    encoders: tuple[Encoder, ...]


def draw_recipe(variety: Variety, frames: int, side_px: int, rng: np.random.Generator) -> Recipe:
    """A clip of so many frames of that size."""
    return _Draw(variety, rng).recipe(frames, side_px)


class _Draw:
    """One clip's random choices."""

    def __init__(self, variety: Variety, rng: np.random.Generator) -> None:
        self._variety, self._chances, self._rng = variety, variety.chance_of, rng
        self._plain = self._is(self._chances.plain)

    def recipe(self, frames: int, side_px: int) -> Recipe:
        simulation = self._simulation(frames, side_px)
        if not self._plain:
            simulation = self._disturbed(simulation)
        if simulation.bit_depth > 8 or self._is(self._chances.uncompressed):
            return Recipe(simulation, ())
        hard = simulation.emitters_per_frame * _REFERENCE_PIXELS / side_px**2 <= self._variety.sparse_emitters[1]
        encoders = [self._compression(hard)]
        if not self._plain and self._is(self._chances.twice):
            encoders.append(self._compression(hard))
        return Recipe(simulation, tuple(encoders))

    def _is(self, chance: float) -> bool:
        return bool(self._rng.random() < chance)

    def _in(self, between: Range) -> float:
        return float(self._rng.uniform(*between))

    def _log_in(self, between: Range) -> float:
        return float(np.exp(self._rng.uniform(*np.log(between))))

    def _count(self, between: tuple[int, int]) -> int:
        return int(self._rng.integers(between[0], between[1] + 1))

    def _often(self, chance: float, between: Range, otherwise: float = 0.0) -> float:
        return self._in(between) if self._is(chance) else otherwise

    def _simulation(self, frames: int, side_px: int) -> SimulationConfig:
        variety = self._variety
        deep = self._is(self._chances.deep)
        sigma_px, photons = self._in(variety.psf_sigma_px), self._log_in(variety.photons)
        background = self._log_in(variety.background_photons)
        # light enough reaches one pixel to saturate it now and then, rarely more
        brightest = 1.5 * background + photons / (2 * np.pi * sigma_px**2) * self._in((1.0, 1.8))
        structures = ["uniform", "filaments", "star", "rings", "vesicles"]
        return SimulationConfig(
            frames=frames,
            width=side_px,
            height=side_px,
            structure=cast(Structure, str(self._rng.choice(structures, p=[0.35, 0.2, 0.1, 0.2, 0.15]))),
            fluorophores=int(self._log_in(variety.fluorophores)),
            emitters_per_frame=self._density() * side_px**2 / _REFERENCE_PIXELS,
            on_time_frames=self._log_in(variety.on_time_frames),
            photons=photons,
            photon_spread=self._in(variety.photon_spread),
            psf_sigma_px=sigma_px,
            background_photons=background,
            background_unevenness=self._in(variety.unevenness),
            vignetting=self._in(variety.vignetting),
            gain=self._log_in(variety.deep_gain) if deep else max(self._log_in(variety.gain), brightest / 240),
            offset=self._in(variety.deep_offset if deep else variety.offset),
            read_noise=self._in(variety.read_noise),
            bit_depth=16 if deep else 8,
        )

    def _density(self) -> float:
        chance = self._rng.random()
        if chance < self._chances.empty:
            return 0.0
        if chance < self._chances.empty + self._chances.sparse:
            return self._log_in(self._variety.sparse_emitters)
        return self._log_in(self._variety.emitters)

    def _disturbed(self, plain: SimulationConfig) -> SimulationConfig:
        variety, chances = self._variety, self._chances
        pattern = self._is(chances.pattern)
        return replace(
            plain,
            background_structure=self._often(chances.structure, variety.structure_share),
            pixel_gain_spread=self._in(variety.pixel_gain_spread) if pattern else 0.0,
            pixel_offset_spread=self._in(variety.pixel_offset_spread) if pattern else 0.0,
            hot_pixels=self._count(variety.hot_pixels) if self._is(chances.hot) else 0,
            optics=self._optics(),
            instability=self._instability(),
            processor=self._processor(plain) if plain.bit_depth == 8 else ImageProcessor(),
        )

    def _optics(self) -> Optics:
        variety, chances = self._variety, self._chances
        return Optics(
            axis_ratio=self._often(chances.astigmatic, variety.axis_ratio, 1.0),
            angle=self._in((0, np.pi)),
            halo_share=self._often(chances.halo, variety.halo_share),
            halo_width=self._in(variety.halo_width),
            depth_spread=self._often(chances.depth, variety.depth_spread),
            stray_share=self._often(chances.stray, variety.stray_share),
        )

    def _instability(self) -> Instability:
        variety, chances = self._variety, self._chances
        drift = variety.drift_px if self._is(chances.drift) else 0.0
        return Instability(
            drift_px=(self._rng.normal(0, drift), self._rng.normal(0, drift)),
            light=self._often(chances.light, variety.light_change),
            offset=self._often(chances.offset, variety.offset_change),
            background=self._often(chances.background, variety.background_change),
            drop=self._often(chances.drop, variety.drop),
            drop_period=self._count(variety.drop_period),
            drop_first=self._count((0, variety.drop_period[0])),
        )

    def _processor(self, simulation: SimulationConfig) -> ImageProcessor:
        variety, chances = self._variety, self._chances
        noise = np.sqrt(simulation.background_photons + simulation.read_noise**2) / simulation.gain
        level = simulation.background_photons / simulation.gain + simulation.offset
        repeats = self._is(chances.repeats)
        return ImageProcessor(
            scale=self._often(chances.scale, variety.scale, 1.0),
            denoise=self._often(chances.denoise, variety.denoise),
            keep_edges_over=self._in(variety.edges) * noise if self._is(0.5) else None,
            sharpen=self._often(chances.sharpen, variety.sharpen),
            black=max(0.0, level - self._in(variety.black) * noise) if self._is(chances.black) else 0.0,
            gamma=self._often(chances.gamma, variety.gamma, 1.0),
            repeated=self._in(variety.repeated) if repeats else 0.0,
            dropped=self._in(variety.dropped) if repeats else 0.0,
        )

    def _compression(self, hard: bool) -> Encoder:
        if not self._plain and self._is(self._chances.live):
            return self._live_compression()
        variety, rng = self._variety, self._rng
        qualities, rates = self._quality(hard)
        presets = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"]
        return Compression(
            crf=self._count(qualities),
            bits_per_pixel=self._log_in(rates) if self._is(0.5) else None,
            key_interval=self._count(variety.key_interval),
            preset=cast(Preset, str(rng.choice(presets, p=[0.1, 0.1, 0.2, 0.1, 0.1, 0.4]))),
            b_frames=2 if self._is(0.1) else 0,
            scene_cuts=self._is(self._chances.scene_cuts),
            low_latency=self._is(0.3),
            baseline=self._is(0.3),
            extra=(("aq-mode", str(rng.integers(0, 2))),) if self._is(0.4) else (),
        )

    def _quality(self, hard: bool) -> tuple[tuple[int, int], Range]:
        """Ranges of CRF and of bits per pixel."""
        variety = self._variety
        if hard:
            return variety.empty_crf, variety.empty_bits_per_pixel
        if self._is(self._chances.pressed):
            return variety.pressed_crf, variety.pressed_bits_per_pixel
        return variety.crf, variety.bits_per_pixel

    def _live_compression(self) -> Encoder:
        """A browser's encoder, or much like it: bits are spent evenly, and neither on looks nor on search."""
        variety = self._variety
        bits_per_pixel = self._log_in(variety.live_bits_per_pixel)
        key_interval = self._count(variety.live_key_interval)
        least, greatest = sorted(self._count(variety.live_quantisers) for _ in range(2))
        like_it = Compression(
            bits_per_pixel=bits_per_pixel,
            buffer_s=self._in(variety.live_buffer_s),
            quantisers=(least, max(greatest, least + 4)),
            key_interval=key_interval,
            preset=cast(Preset, str(self._rng.choice(["superfast", "veryfast", "fast"]))),
            low_latency=True,
            baseline=True,
            extra=(("x264-params", "psy=0:trellis=0"),) if self._is(0.7) else (),
        )
        if self._is(self._chances.browser):
            return BrowserCompression(bits_per_pixel, key_interval, otherwise=like_it)
        return like_it
