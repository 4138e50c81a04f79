"""Route for the zoo: which generators there are."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, Field

from cellstorm import zoo
from cellstorm.generator import GeneratorSpec
from cellstorm_server.services import Current, Services

router = APIRouter(tags=["models"])


class Model(BaseModel):
    """A generator of the zoo."""

    spec: GeneratorSpec
    card: str = Field(description="What people should know of it, Markdown.")
    is_default: bool = Field(description="Whether it is used where none is named.")


@router.get("/models")
async def list_models(services: Current) -> list[Model]:
    """The generators that an acquisition may name, with their cards."""
    return await asyncio.to_thread(_models, services)


def _models(services: Services) -> list[Model]:
    default = services.settings.model
    return [
        Model(spec=entry.spec, card=entry.card(), is_default=entry.spec.name == default)
        for entry in zoo.entries(services.settings.zoo)
    ]
