"""Errors as RFC 9457 problem+json: one builder and the handlers that lead every failure to it.

Owns what an error may reveal: our own texts, never a traceback, a host or the caller's raw input. The edge
middleware uses the same builder for refusals it makes before routing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.api.numbers import clip
from app.api.schemas.problem import PROBLEM_MEDIA_TYPE, Problem
from app.core.errors import NoPriceAvailable, PlanTooLow, ServiceError, UnknownSymbol

_HTTP_CODES: Mapping[int, str] = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_INTERNAL_DETAIL = "an internal error; quote the request id when reporting it"
# A price source that failed is asked again after seconds, not minutes.
_NO_PRICE_RETRY_S = 5
# A refusal of 1 kB at most, path and the bytes of foreign letters included.
_NO_PRICE_BYTES = 400
_REASON_CHARS = 80


def problem_response(scope: Scope, error: ServiceError) -> Response:
    """Render an error the caller may read; bugs of ours go to `internal_problem` instead.

    What turns a caller away is noted in the scope (`refused_as`), where the edge counts it.
    """
    refused_as = getattr(error, "refused_as", None)
    if refused_as is not None:
        scope["refused_as"] = refused_as
    return _response(problem_of(scope, error), _headers(error))


def problem_of(scope: Scope, error: ServiceError) -> Problem:
    """The same as a value, for doors that answer in another envelope."""
    near = error.near if isinstance(error, UnknownSymbol) else ()
    needed = error.needed if isinstance(error, PlanTooLow) else None
    return _problem(scope, error.http_status, error.code, detail_of(error), near, needed)


def invalid_input(scope: Scope, rules: Sequence[Mapping[str, Any]]) -> Problem:
    """Malformed input is 400 here. The text names the parameter and the rule, not what was sent."""
    texts = [f"{rule['loc'][-1] if rule['loc'] else 'request'}: {rule['msg']}" for rule in rules[:3]]
    return _problem(scope, 400, "invalid_parameter", "; ".join(texts) or "malformed request")


def internal(scope: Scope) -> Problem:
    """For an exception nobody expected, as a value."""
    return _problem(scope, 500, "internal_error", _INTERNAL_DETAIL)


def detail_of(error: ServiceError) -> str:
    """The error in words; of an absent price each provider once, with its first reason cut short.

    Worked example: `okx ticker: no answer within 2.0 s` -> `no price for BTC; okx: no answer within 2.0 s`.
    """
    if not isinstance(error, NoPriceAvailable):
        return str(error)
    first: dict[str, str] = {}
    for reason in error.reasons:
        source, _, why = reason.partition(": ")
        first.setdefault((source.split() or [""])[0], clip(" ".join(why.split()), _REASON_CHARS))
    told = "; ".join(f"{provider}: {why}" for provider, why in first.items())
    text = f"no price for {error.symbol}; {told or 'no source is configured'}"
    return text.encode()[:_NO_PRICE_BYTES].decode(errors="ignore")


def internal_problem(scope: Scope) -> Response:
    """For an exception nobody expected."""
    return _response(internal(scope))


def install_problem_handlers(app: FastAPI) -> None:
    """Lead our errors, validation errors and routing errors to problem+json."""
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def _headers(error: ServiceError) -> dict[str, str]:
    if error.http_status == 401:
        return {"WWW-Authenticate": 'Bearer realm="signals"'}
    wait_s: float | None = getattr(error, "retry_after_s", None)
    if wait_s is None and isinstance(error, NoPriceAvailable):
        wait_s = _NO_PRICE_RETRY_S
    return {} if wait_s is None else {"Retry-After": str(max(1, math.ceil(wait_s)))}


def _problem(
    scope: Scope,
    status: int,
    code: str,
    detail: str,
    near: tuple[str, ...] = (),
    plan_needed: str | None = None,
) -> Problem:
    return Problem(
        type=f"urn:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=clip(detail, 600),
        instance=quote(scope["path"][:200], errors="replace")[:200],
        code=code,
        request_id=scope.get("request_id", ""),
        near=[clip(name, 20) for name in near[:5]],
        plan_needed=plan_needed,
    )


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        problem.model_dump_json(by_alias=True),
        problem.status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=PROBLEM_MEDIA_TYPE,
    )


async def _on_service_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError) or error.http_status == 500:
        raise error  # a bug of ours: the last resort at the edge logs it with its traceback
    return problem_response(request.scope, error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    rules = error.errors() if isinstance(error, RequestValidationError) else []
    return _response(invalid_input(request.scope, rules))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, ServiceError):
        # The framework says "cannot be read" of every body; we said why (too large, too slow).
        return problem_response(request.scope, error.__cause__)
    status = error.status_code
    code = _HTTP_CODES.get(status, "invalid_request" if status < 500 else "internal_error")
    headers = dict(error.headers or {})
    methods = "GET and HEAD" if "GET" in headers.get("Allow", "GET") else headers["Allow"]
    detail = {404: "no such route; GET / lists them all", 405: f"this route answers {methods}"}.get(status)
    if "GET" in headers.get("Allow", ""):
        headers["Allow"] = "GET, HEAD"  # the edge answers HEAD wherever there is GET
    return _response(_problem(request.scope, status, code, detail or HTTPStatus(status).phrase), headers)
