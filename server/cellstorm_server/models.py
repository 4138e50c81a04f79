"""Routes for the zoo: which generators there are, and their weights for devices that reconstruct by themselves."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from cellstorm import zoo
from cellstorm.errors import ModelUnavailable
from cellstorm.generator import GeneratorSpec
from cellstorm.settings import Settings
from cellstorm_server.services import Current, Services

router = APIRouter(tags=["models"])


class Model(BaseModel):
    """A generator of the zoo."""

    spec: GeneratorSpec
    card: str = Field(description="What people should know of it, Markdown.")
    is_default: bool = Field(description="Whether it is used where none is named.")
    is_for_live: bool = Field(description="Whether it is the one to film with: it keeps up with a camera.")


@router.get("/models")
async def list_models(services: Current) -> list[Model]:
    """The generators that an acquisition may name, with their cards."""
    return await asyncio.to_thread(_models, services)


@router.get("/models/{name}/weights.onnx", response_class=FileResponse)
async def weights(name: str, services: Current) -> FileResponse:
    """A generator's weights, as its specification's SHA-256 says."""
    entry = await asyncio.to_thread(zoo.entry, name, services.settings.zoo)
    if entry.spec.sha256 is None:
        raise ModelUnavailable(f"generator {name} has no network, hence no weights; choose another")
    path = await asyncio.to_thread(entry.weights_path)
    return FileResponse(path, media_type="application/octet-stream", headers={"ETag": f'"{entry.spec.sha256}"'})


def live_model(settings: Settings) -> str:
    """The generator to film with, where nobody chose one."""
    there = {entry.spec.name for entry in zoo.entries(settings.zoo)}
    return settings.live_model if settings.live_model in there else settings.model


def _models(services: Services) -> list[Model]:
    settings = services.settings
    default, live = settings.model, live_model(settings)
    return [
        Model(
            spec=entry.spec,
            card=entry.card(),
            is_default=entry.spec.name == default,
            is_for_live=entry.spec.name == live,
        )
        for entry in zoo.entries(settings.zoo)
    ]
