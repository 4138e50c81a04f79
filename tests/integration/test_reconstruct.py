from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cellstorm.acquisitions import AcquisitionSettings, State
from cellstorm.results import picasso
from cellstorm.results.folder import RESULT_NAMES, TABLE_HDF5, VIDEO
from cellstorm.roi import RegionOfInterest
from cellstorm.scoring import inside, score
from cellstorm.sources import open_source
from cellstorm.store import Store
from cellstorm_cli.main import main
from cellstorm_models.compression import Compression, write_mp4
from cellstorm_models.simulation import Recording, SimulationConfig, simulate
from cellstorm_worker.jobs import ChunkJobs
from cellstorm_worker.onnx_generator import WarmGenerators

BUDGET = 2**30


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate(SimulationConfig(frames=50, width=64, height=64), np.random.default_rng(7))


@pytest.fixture(scope="module")
def video(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 frames of 64x64 in two groups of pictures."""
    path = tmp_path_factory.mktemp("video") / "sample.mp4"
    write_mp4(path, recording.counts.astype(np.uint8), Compression())
    return path


def reconstruct(*arguments: object) -> int:
    return main(["reconstruct", *map(str, arguments)])
