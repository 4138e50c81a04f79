"""Images, tables and archives of an acquisition, while it runs and after it has ended: all from the same localizations."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Depends, Header, Query, Response, status
from fastapi.responses import FileResponse, StreamingResponse
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from cellstorm.acquisitions import Acquisition, State
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.errors import InvalidSetting, ResultNotReady
from cellstorm.localizations import Localizations
from cellstorm.reconstruction import Method, Snapshot, default_output_pixel_nm
from cellstorm.rendering import DEFAULT_PERCENTILE, Colormap, reconstruction_png, widefield_png
from cellstorm.results import images, picasso, thunderstorm
from cellstorm.results.folder import RESULT_NAMES, WIDEFIELD_PNG, WIDEFIELD_TIFF
from cellstorm_server.access import AcquisitionId
from cellstorm_server.follower import View
from cellstorm_server.services import Current, Services

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["results"])

_PNG: Final = "image/png"
_TIFF: Final = "image/tiff"
_PIECE_BYTES: Final = 256 * 1024
_PRIVATE: Final = {"Cache-Control": "private, no-cache"}
