"""The one place where what goes wrong becomes an HTTP answer: problem details (RFC 9457), never a traceback."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from cellstorm import errors
from cellstorm.store import STORE_TROUBLE

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="urn:cellstorm:problem:NAME; programs may rely on it.")
    title: str = Field(description="What kind of problem it is.")
    status: int
    detail: str = Field(description="What is wrong here and how to mend it; may be shown to people.")


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": "A problem.", "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
    for status in ("4XX", "5XX")
}
"""For OpenAPI: what any route may answer."""

STATUS: Final[dict[type[errors.CellstormError], HTTPStatus]] = {
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidVideo: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.FrameSizeChanged: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidChunk: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidSetting: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidOffer: HTTPStatus.BAD_REQUEST,
    errors.NoUsableCodec: HTTPStatus.NOT_ACCEPTABLE,
    errors.NotAllowed: HTTPStatus.UNAUTHORIZED,
    errors.AcquisitionNotFound: HTTPStatus.NOT_FOUND,
    errors.SessionNotFound: HTTPStatus.NOT_FOUND,
    errors.SessionReplaced: HTTPStatus.GONE,
    errors.ResultNotReady: HTTPStatus.CONFLICT,
    errors.WrongState: HTTPStatus.CONFLICT,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelUnavailable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RuntimeUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

_RETRY_AFTER_S: Final = "2"
_CHALLENGE: Final = 'Bearer realm="cellstorm"'
_STORE_AWAY: Final = "Redis does not answer or has no memory left; try again in a few seconds"


def problem(
    status: HTTPStatus,
    kind: str,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> JSONResponse:
    """One problem; `kind` is the last part of its `type`, a name that programs may rely on."""
    content = {
        "type": f"urn:cellstorm:problem:{kind}",
        "title": title,
        "status": status.value,
        "detail": detail,
        **more,
    }
    return JSONResponse(content, status_code=status.value, headers=headers, media_type=MEDIA_TYPE)


def as_problem(error: errors.CellstormError) -> JSONResponse:
    """What a client is told of one of our errors."""
    kind = type(error)
    status = STATUS[kind]
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _RETRY_AFTER_S
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _CHALLENGE
    title = (kind.__doc__ or kind.__name__).split("\n")[0].removesuffix(".")
    return problem(status, _kebab(kind.__name__), title, str(error), headers=headers)


def install(app: FastAPI) -> None:
    """Let `app` answer every error with a problem."""

    @app.exception_handler(errors.CellstormError)
    async def ours(_: Request, error: errors.CellstormError) -> Response:
        return as_problem(error)

    async def store_away(_: Request, error: Exception) -> Response:
        log.warning("store away", error=str(error))
        return as_problem(errors.StoreUnavailable(_STORE_AWAY))

    for trouble in STORE_TROUBLE:
        app.add_exception_handler(trouble, store_away)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return _validation_problem(error)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        detail = str(error.detail) if error.detail != status.phrase else status.description or status.phrase
        return problem(status, _kebab_phrase(status.phrase), status.phrase, detail, headers=error.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        incident = secrets.token_hex(4)
        log.error("unexpected error", incident=incident, path=request.url.path, exc_info=error)
        detail = f"something went wrong that should not; the server's log tells more under {incident}"
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return problem(status, "internal-error", status.phrase, detail, incident=incident)


def _validation_problem(error: RequestValidationError) -> JSONResponse:
    found = [{"field": _where(each["loc"]), "message": str(each["msg"])} for each in error.errors()]
    detail = "; ".join(f"{each['field']}: {each['message']}" if each["field"] else each["message"] for each in found)
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "The request is not as it must be", detail, errors=found
    )


def _where(location: Iterable[object]) -> str:
    """Without "body", "query" and the places of alternatives, which say nothing to the caller."""
    return ".".join(str(part) for part in list(location)[1:] if isinstance(part, str) and "[" not in part)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _kebab_phrase(phrase: str) -> str:
    return re.sub(r"[^a-z]+", "-", phrase.lower())
