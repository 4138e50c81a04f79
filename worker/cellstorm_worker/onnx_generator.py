"""A generator as an ONNX Runtime session, on the provider that was asked for or not at all."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cellstorm import zoo
from cellstorm.errors import ModelUnavailable, RuntimeUnavailable
from cellstorm.generator import Generator, GeneratorSpec, MiddleFrame, batch_frames

Provider = Literal["cpu", "cuda"]

_CUDA: Final = "CUDAExecutionProvider"
_EXTERNAL_DATA: Final = b"\x0a\x08location"
"""As an ONNX file spells the key of an external tensor's file name (TensorProto.external_data, onnx.proto)."""
_KEPT: Final = 3


class OnnxGenerator:
    """A network's predictions; the same input gives the same output, to the bit, on the same machine.

    Raises
    ------
    ModelUnavailable
        If the weights are not a generator as its specification describes it.
    RuntimeUnavailable
        If the provider is not usable here.
    """

    def __init__(self, spec: GeneratorSpec, weights: bytes, *, provider: Provider = "cpu", threads: int = 0) -> None:
        self._spec = spec
        if _EXTERNAL_DATA in weights:
            raise ModelUnavailable(f"generator {spec.name} refers to other files; export it into one file")
        check_provider(provider)
        try:
            session = ort.InferenceSession(weights, _options(threads), providers=_providers(provider))
        except Exception as error:  # its errors share no other base class
            raise ModelUnavailable(f"generator {spec.name} cannot be loaded; install it anew") from error
        # ONNX Runtime falls back to the processor with only a warning.
        if provider == "cuda" and session.get_providers()[0] != _CUDA:
            raise RuntimeUnavailable(_no_cuda())
        self._session = session
        self._provider = provider
        self._input = session.get_inputs()[0].name
        self._check()

    @property
    def spec(self) -> GeneratorSpec:
        return self._spec

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """From (batch, time, height, width) counts to what the specification says."""
        size = self._batch_frames(*windows.shape[2:])
        return np.concatenate(
            [self._run(windows[start : start + size], size) for start in range(0, len(windows), size)]
        )

    def _batch_frames(self, height: int, width: int) -> int:
        """How many frames run at once: always as many, since the runtime's results differ in the last bits between sizes.

        On a processor one at a time is quickest (measured: 10 ms a frame at 128x128, 12 ms in fours, 15 ms in eights).
        """
        return 1 if self._provider == "cpu" else batch_frames(height, width)

    def _run(self, windows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        filled = np.pad(windows, ((0, size - len(windows)), (0, 0), (0, 0), (0, 0)), mode="edge")
        (predicted,) = self._session.run(None, {self._input: filled})
        output: NDArray[np.float32] = predicted
        return output[: len(windows)]

    def _check(self) -> None:
        side = 4 * self._spec.size_multiple
        try:
            shape = self.predict(np.zeros((1, self._spec.context_frames, side, side), np.float32)).shape
        except Exception as error:  # its errors share no other base class
            raise ModelUnavailable(f"generator {self._spec.name} does not take what its package says") from error
        if shape != self._spec.output_shape(1, side, side):
            raise ModelUnavailable(f"generator {self._spec.name} gives {shape}, not what its package says")


class WarmGenerators:
    """The generators that were used last, ready to run."""

    def __init__(self, folder: Path | None, *, provider: Provider = "cpu", threads: int = 0) -> None:
        self._folder = folder
        self._provider: Provider = provider
        self._threads = threads
        self._kept: OrderedDict[str, Generator] = OrderedDict()

    def get(self, name: str, release: str | None = None) -> Generator:
        """The zoo's generator of that name; where a release is named, that one and no other.

        Raises
        ------
        ModelUnavailable
            If there is none, or its files are not as published.
        RuntimeUnavailable
            If the provider is not usable here.
        """
        kept = self._kept.get(name)
        if kept is None or release not in (None, kept.spec.release):
            self._kept[name] = kept = self._load(zoo.entry(name, self._folder))
        if release not in (None, kept.spec.release):
            raise ModelUnavailable(
                f"{name} {release} is no longer here, {kept.spec.release} has taken its place; try again, with that one"
            )
        self._kept.move_to_end(name)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[name]

    def _load(self, entry: zoo.ZooEntry) -> Generator:
        if entry.spec.sha256 is None:
            return MiddleFrame(entry.spec)
        weights = entry.weights_path().read_bytes()
        return OnnxGenerator(entry.spec, weights, provider=self._provider, threads=self._threads)


def check_provider(provider: Provider) -> None:
    """Nothing, if this machine's ONNX Runtime has the provider.

    Raises
    ------
    RuntimeUnavailable
        If it has not.
    """
    if provider == "cpu":
        return
    if _CUDA not in ort.get_available_providers():
        raise RuntimeUnavailable(_no_cuda())
    ort.preload_dlls()  # CUDA and cuDNN of the packages beside it, rather than of the system


def _no_cuda() -> str:
    return (
        "CUDA was asked for and is not there: it needs an NVIDIA GPU with its driver, and "
        "pip uninstall onnxruntime, then pip install '.[gpu]' in the clone; or set CELLSTORM_PROVIDER=cpu"
    )


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that wait for work sleep, rather than take a core that another worker or the gateway needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(provider: Provider) -> list[Any]:
    if provider == "cpu":
        return ["CPUExecutionProvider"]
    # Without TF32, whose ten bits of mantissa would show in positions; without a search that may end differently.
    return [(_CUDA, {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"})]
