"""What a browser's encoder makes of counts: OpenH264, which Chromium sends H.264 with, driven as Chromium drives it.

The library is Cisco's (Debian: libopenh264-7), called through its C interface (codec_api.h of OpenH264 2.0 to 2.5; in 2.6 a layer
and a picture hold more, and a library as new counts as not installed). Frames have one
reference, bits are spent evenly, and key frames come when somebody asks for one, as the gateway does, or when it likes.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from _ctypes import CFuncPtr
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from cellstorm.luma import luma
from cellstorm_models.compression import FRAME_RATE, Compression, compress

_I420: Final = 23
_CAMERA_IN_REAL_TIME, _BITRATE_MODE = 0, 1
_SKIPPED_FRAME: Final = 4
_FRAME_SKIP_OPTION, _TRACE_OPTION = 9, 25
_MAX_LAYERS: Final = 128
_LEAST, _NEWER = (2, 0), (2, 6)


@dataclass(frozen=True, slots=True)
class BrowserCompression:
    """How the browser is asked to compress."""

    bits_per_pixel: float
    key_interval: int
    otherwise: Compression  # what comes nearest to it, where OpenH264 is not installed


Encoder = Compression | BrowserCompression


def compress_by(encoder: Encoder, counts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a receiver sees of (frames, height, width) counts; height and width even."""
    if isinstance(encoder, Compression):
        return compress(counts, encoder)
    library = _library()
    if library is None:
        return compress(counts, encoder.otherwise)
    return _compress_as_browser(library, counts, encoder)


def _compress_as_browser(
    library: ctypes.CDLL, counts: NDArray[np.uint8], compression: BrowserCompression
) -> NDArray[np.uint8]:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    frames = [
        frame for unit in _access_units(library, counts, compression) for frame in decoder.decode(av.Packet(unit))
    ]
    frames += decoder.decode(None)
    if len(frames) != len(counts):
        raise RuntimeError(f"of {len(counts)} frames that OpenH264 encoded, {len(frames)} could be decoded")
    return np.stack([luma(frame) for frame in frames]).astype(np.uint8, copy=False)


def openh264_version() -> str | None:
    """Of OpenH264 here; None if none is installed that can be called."""
    library = _library()
    return None if library is None else ".".join(str(part) for part in _version(library))


@cache
def _library() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("openh264")
    library = None if name is None else ctypes.CDLL(name)
    return library if library is not None and _LEAST <= _version(library)[:2] < _NEWER else None


def _version(library: ctypes.CDLL) -> tuple[int, int, int]:
    found = _Version()
    library.WelsGetCodecVersionEx(ctypes.byref(found))
    return found.major, found.minor, found.revision


def _access_units(library: ctypes.CDLL, counts: NDArray[np.uint8], compression: BrowserCompression) -> Iterator[bytes]:
    _, height, width = counts.shape
    grey = np.full(height // 2 * (width // 2), 128, np.uint8)
    bitrate = max(1000, round(compression.bits_per_pixel * height * width * FRAME_RATE))
    with _encoder(library, width, height, bitrate) as encoder:
        for index, image in enumerate(counts):
            if index and index % compression.key_interval == 0:
                encoder.call("ForceIntraFrame", True)
            planes = np.concatenate([image.ravel(), grey, grey])
            yield encoder.encode(planes, width, height, 1000 * index // FRAME_RATE)


class _Encoder:
    """An ISVCEncoder: a pointer to a pointer to a table of functions, each of which takes the first."""

    def __init__(self, pointer: ctypes.c_void_p) -> None:
        self._pointer = pointer
        table = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_void_p))[0]
        self._functions = ctypes.cast(table, ctypes.POINTER(_Functions)).contents

    def call(self, name: str, *arguments: object) -> None:
        status = getattr(self._functions, name)(self._pointer, *arguments)
        if status != 0:
            raise RuntimeError(f"OpenH264's {name} failed with {status}")

    def encode(self, planes: NDArray[np.uint8], width: int, height: int, time_ms: int) -> bytes:
        """One access unit, of I420 planes."""
        picture = _Picture(_I420, width=width, height=height, time_ms=time_ms)
        picture.strides[:3] = (width, width // 2, width // 2)
        starts = (0, width * height, width * height * 5 // 4)
        picture.planes[:3] = [planes.ctypes.data + start for start in starts]
        frame = _EncodedFrame()
        self.call("EncodeFrame", ctypes.byref(picture), ctypes.byref(frame))
        if frame.kind == _SKIPPED_FRAME:
            raise RuntimeError("OpenH264 left out a frame although it was told not to")
        return b"".join(_bytes_of(layer) for layer in frame.layers[: frame.layer_count])


@contextmanager
def _encoder(library: ctypes.CDLL, width: int, height: int, bitrate: int) -> Iterator[_Encoder]:
    pointer = ctypes.c_void_p()
    if library.WelsCreateSVCEncoder(ctypes.byref(pointer)) != 0:
        raise RuntimeError("OpenH264 gave no encoder")
    try:
        encoder = _Encoder(pointer)
        encoder.call("SetOption", _TRACE_OPTION, ctypes.byref(ctypes.c_int(0)))
        settings = _Settings(_CAMERA_IN_REAL_TIME, width, height, bitrate, _BITRATE_MODE, FRAME_RATE)
        encoder.call("Initialize", ctypes.byref(settings))
        encoder.call("SetOption", _FRAME_SKIP_OPTION, ctypes.byref(ctypes.c_bool(False)))
        yield encoder
        encoder.call("Uninitialize")
    finally:
        library.WelsDestroySVCEncoder(pointer)


def _bytes_of(layer: _Layer) -> bytes:
    return ctypes.string_at(layer.data, sum(layer.nal_lengths[: layer.nal_count]))


class _Version(ctypes.Structure):
    """OpenH264Version"""

    _fields_ = [(name, ctypes.c_uint) for name in ("major", "minor", "revision", "reserved")]


class _Settings(ctypes.Structure):
    """SEncParamBase"""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("usage", "width", "height", "bitrate", "rate_control")),
        ("frame_rate", ctypes.c_float),
    ]


class _Picture(ctypes.Structure):
    """SSourcePicture"""

    _fields_ = [
        ("format", ctypes.c_int),
        ("strides", ctypes.c_int * 4),
        ("planes", ctypes.c_void_p * 4),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("time_ms", ctypes.c_longlong),
    ]


class _Layer(ctypes.Structure):
    """SLayerBSInfo"""

    _fields_ = [
        *((name, ctypes.c_ubyte) for name in ("temporal_id", "spatial_id", "quality_id")),
        ("kind", ctypes.c_int),
        ("layer_type", ctypes.c_ubyte),
        ("sub_sequence_id", ctypes.c_int),
        ("nal_count", ctypes.c_int),
        ("nal_lengths", ctypes.POINTER(ctypes.c_int)),
        ("data", ctypes.c_void_p),
    ]


class _EncodedFrame(ctypes.Structure):
    """SFrameBSInfo"""

    _fields_ = [
        ("layer_count", ctypes.c_int),
        ("layers", _Layer * _MAX_LAYERS),
        ("kind", ctypes.c_int),
        ("size", ctypes.c_int),
        ("time_ms", ctypes.c_longlong),
    ]


def _function(*arguments: Any) -> type[CFuncPtr]:  # noqa: ANN401  # ctypes names no type for types
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, *arguments)


class _Functions(ctypes.Structure):
    """ISVCEncoderVtbl"""

    _fields_ = [
        ("Initialize", _function(ctypes.POINTER(_Settings))),
        ("InitializeExt", _function(ctypes.c_void_p)),
        ("GetDefaultParams", _function(ctypes.c_void_p)),
        ("Uninitialize", _function()),
        ("EncodeFrame", _function(ctypes.POINTER(_Picture), ctypes.POINTER(_EncodedFrame))),
        ("EncodeParameterSets", _function(ctypes.c_void_p)),
        ("ForceIntraFrame", _function(ctypes.c_bool)),
        ("SetOption", _function(ctypes.c_int, ctypes.c_void_p)),
        ("GetOption", _function(ctypes.c_int, ctypes.c_void_p)),
    ]
