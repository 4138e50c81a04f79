"""The one place where what goes wrong becomes an HTTP answer: problem details (RFC 9457), never a traceback."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketState

from cellstorm import errors
from cellstorm.store import STORE_TROUBLE
from cellstorm_server.tus.protocol import TusError

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
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.CodeNotFound: HTTPStatus.NOT_FOUND,
    errors.TooManyTries: HTTPStatus.TOO_MANY_REQUESTS,
    errors.AcquisitionNotFound: HTTPStatus.NOT_FOUND,
    errors.BatchNotFound: HTTPStatus.NOT_FOUND,
    errors.SessionReplaced: HTTPStatus.GONE,
    errors.ResultNotReady: HTTPStatus.CONFLICT,
    errors.WrongState: HTTPStatus.CONFLICT,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.StorageFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelUnavailable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RuntimeUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

_RETRY_AFTER_S: Final = "2"
_TRIES_AGAIN_AFTER_S: Final = "60"
_CHALLENGE: Final = 'Bearer realm="cellstorm"'
_TUS_REFUSES: Final = "The upload cannot go on like this"
_INNER_ERROR: Final = 1011
"""RFC 6455, 7.4.1."""
_STORE_AWAY: Final = "Redis does not answer or has no memory left; try again in a few seconds"


def problem(
    status: int,
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
        "status": int(status),
        "detail": detail,
        **more,
    }
    return JSONResponse(content, status_code=int(status), headers=headers, media_type=MEDIA_TYPE)


def as_problem(error: errors.CellstormError) -> JSONResponse:
    """What a client is told of one of our errors."""
    if isinstance(error, TusError):
        return problem(error.status, error.kind, _TUS_REFUSES, str(error))
    kind = type(error)
    status = STATUS[kind]
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _RETRY_AFTER_S
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = _TRIES_AGAIN_AFTER_S
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _CHALLENGE
    title = (kind.__doc__ or kind.__name__).split("\n")[0].removesuffix(".")
    return problem(status, _kebab(kind.__name__), title, str(error), headers=headers)


def install(app: FastAPI) -> None:
    """Let `app` answer every error with a problem."""

    @app.exception_handler(errors.CellstormError)
    async def ours(connection: HTTPConnection, error: errors.CellstormError) -> Response | None:
        return await _answered(connection, as_problem(error))

    async def store_away(connection: HTTPConnection, error: Exception) -> Response | None:
        log.warning("store away", error=str(error))
        return await _answered(connection, as_problem(errors.StoreUnavailable(_STORE_AWAY)))

    for trouble in STORE_TROUBLE:
        app.exception_handler(trouble)(store_away)

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


async def _answered(connection: HTTPConnection, response: Response) -> Response | None:
    """The response; a WebSocket is sent it here, unless it is open already: then it is closed, as on any inner error."""
    if not isinstance(connection, WebSocket):
        return response
    if connection.application_state is WebSocketState.CONNECTING:
        await connection.send_denial_response(response)
    else:
        await connection.close(_INNER_ERROR)
    return None


def _validation_problem(error: RequestValidationError) -> JSONResponse:
    found = [{"field": _where(each["loc"]), "message": errors.in_words(str(each["msg"]))} for each in error.errors()]
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
