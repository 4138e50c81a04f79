"""What a phone tells of its camera, and what the localizations tell of its exposure."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response, status

from cellstorm.analysis.exposure import ExposureDrift
from cellstorm.camera_report import CameraReport
from cellstorm.store import Store
from cellstorm_server.access import AcquisitionId, FilmedAcquisitionId
from cellstorm_server.services import Current

router = APIRouter(prefix="/acquisitions", tags=["acquisitions"])


@router.put("/{acquisition_id}/camera-report", status_code=status.HTTP_204_NO_CONTENT)
async def tell_camera(acquisition_id: FilmedAcquisitionId, report: CameraReport, services: Current) -> Response:
    """What the phone's camera was set to; the last one told stands in report.json."""
    await asyncio.to_thread(services.store.set_fields, acquisition_id, camera_report=report.model_dump_json())
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/{acquisition_id}/camera-report")
async def read_camera(acquisition_id: AcquisitionId, services: Current) -> CameraReport | None:
    """What the phone told of its camera; null where none has."""
    told = await asyncio.to_thread(services.store.field, acquisition_id, "camera_report")
    return None if told is None else CameraReport.model_validate_json(told)


@router.get("/{acquisition_id}/exposure")
async def read_exposure(acquisition_id: AcquisitionId, services: Current) -> ExposureDrift:
    """Whether the picture has become brighter or darker since it began, for phones whose exposure cannot be locked."""
    return await asyncio.to_thread(_exposure, services.store, acquisition_id)


def _exposure(store: Store, acquisition_id: str) -> ExposureDrift:
    first, newest = store.first_and_newest(acquisition_id)
    return ExposureDrift.between(first, newest)
