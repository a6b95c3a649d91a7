"""`/api/session`: who one is, the login and the logout of the dashboard.

Open to everybody, because that is how one gets in; guesses are counted by the edge like every request.
"""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request, Response

from app.api.audit_door import AuditDoor
from app.api.auth import Caller, address_of
from app.api.edge import SESSION_PATH
from app.api.errors import Unauthorized
from app.api.numbers import clip
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.origins import is_allowed_origin
from app.api.schemas.base import NAME_CHARS
from app.api.schemas.session import SessionRequest, SessionResponse, SignalThreshold, SignalThresholds
from app.api.session import Sessions

_WRONG_TOKEN = "this is neither the dashboard token nor an API key"  # noqa: S105 - a sentence
_NOT_LIVE = "pages of this address may not open the live feed; set PUBLIC_URL to the address users see"
_log = logging.getLogger(__name__)


def session_routes(options: ApiOptions, sessions: Sessions, audit: AuditDoor) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["session"])

    @router.get(
        SESSION_PATH,
        operation_id="getSession",
        summary="Who is asking",
        description="Whether a login is needed, who the caller is and what they may do; never refused.",
        response_model=None,
        responses={200: success(SessionResponse, "Who is asking."), **problems()},
    )
    async def get_session(request: Request) -> Response:
        return json_answer(_render(request, options, request.scope["caller"]))

    @router.post(
        SESSION_PATH,
        operation_id="openSession",
        summary="Log in",
        description="Exchanges a token for a session cookie that no script can read; it lasts twelve hours.",
        response_model=None,
        responses={200: success(SessionResponse, "Logged in; sets the cookie."), **problems(400, 403)},
    )
    async def open_session(request: Request, body: SessionRequest) -> Response:
        caller = sessions.caller_of_token(body.token, address_of(request.scope, options))
        cookie = sessions.cookie_of_token(body.token)
        audit.login(request, caller)
        if caller is None or cookie is None:
            _log.warning("a login with a wrong token was refused")
            raise Unauthorized(_WRONG_TOKEN)
        return _answer(_render(request, options, caller), cookie)

    @router.delete(
        SESSION_PATH,
        operation_id="closeSession",
        summary="Log out",
        description="Takes the session cookie back from this browser.",
        response_model=None,
        responses={200: success(SessionResponse, "Logged out; clears the cookie."), **problems(403)},
    )
    async def close_session(request: Request) -> Response:
        nobody = Caller("nobody", frozenset())
        caller = nobody if options.auth_required else request.scope["caller"]
        return _answer(_render(request, options, caller), sessions.clearing_cookie())

    return router


def _answer(body: SessionResponse, cookie: str) -> Response:
    answer = json_answer(body)
    answer.headers["Set-Cookie"] = cookie
    return answer


def _render(request: Request, options: ApiOptions, caller: Caller) -> SessionResponse:
    live = _may_open_live(request, options)
    return SessionResponse(
        signed_in=bool(caller.scopes),
        login_required=options.auth_required,
        name=None if caller.name is None else clip(caller.name, NAME_CHARS),
        scopes=[scope for scope in Scope if scope in caller.scopes],
        data_mode=options.data_mode,
        version=options.version,
        live=live,
        live_reason=None if live else _NOT_LIVE,
        thresholds=_thresholds(options) if Scope.READ in caller.scopes else None,
    )


def _thresholds(options: ApiOptions) -> SignalThresholds | None:
    if options.thresholds is None:
        return None
    pairs = {
        mode.value: SignalThreshold(long=it.long, short=it.short) for mode, it in options.thresholds.items()
    }
    return SignalThresholds.model_validate(pairs)


def _may_open_live(request: Request, options: ApiOptions) -> bool:
    """By the name the page was asked under: a GET of the same origin carries no Origin header."""
    host = request.headers.get("host", "")
    if options.trusted_proxy_hops:
        host = request.headers.get("x-forwarded-host", host)
    return any(is_allowed_origin(f"{scheme}://{host}", options) for scheme in ("https", "http"))
