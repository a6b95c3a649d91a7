"""`/api/admin/...`: the audit log and the keys there are. Scope admin, reading only: a command makes keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api.auth import require_scope
from app.api.deps import AuditUseCase
from app.api.key_book import KeyBook
from app.api.numbers import clip, iso_utc
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiKey, ApiOptions, Scope
from app.api.params import PageCursorQuery, read_cursor
from app.api.schemas.access import (
    MAX_EVENTS,
    MAX_LISTED,
    AuditItem,
    AuditResponse,
    KeyItem,
    KeysResponse,
)
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS
from app.core.domain.access import AuditAction, AuditEvent, AuditQuery, KeyState, StoredKey

LimitQuery = Annotated[int, Query(ge=1, le=MAX_EVENTS, description="Number of rows at most.")]
ActionQuery = Annotated[
    Literal["any"] | AuditAction,
    Query(
        description="One action, or any.",
        json_schema_extra={"maxLength": 20},
    ),
]


def admin_routes(
    options: ApiOptions, audit: AuditUseCase, keys: KeyBook, *, wall_ms: Callable[[], int]
) -> APIRouter:
    """The router. wall_ms: real time; what is audited happens in it, whatever the market's."""
    router = APIRouter(tags=["admin"])

    @router.get(
        "/api/admin/audit",
        operation_id="listAuditEvents",
        summary="Who did what",
        description="Keys, logins, changes of coins and chats, use and refusal of scopes, newest first. "
        "What was refused is counted by the minute; needs the scope admin.",
        response_model=None,
        responses={200: success(AuditResponse, "One page."), **problems(400, 403, needs_store=True)},
    )
    async def list_audit_events(
        request: Request, limit: LimitQuery = 50, cursor: PageCursorQuery = "", action: ActionQuery = "any"
    ) -> Response:
        require_scope(request, options, Scope.ADMIN)
        wanted = None if action == "any" else AuditAction(action)
        page = await audit.page(AuditQuery(limit, wanted, read_cursor(cursor)))
        items = [_event(event) for event in page.rows]
        return json_answer(AuditResponse(timestamp=iso_utc(wall_ms()), items=items, next=page.cursor))

    @router.get(
        "/api/admin/keys",
        operation_id="listKeys",
        summary="The keys there are",
        description="Names, scopes and ages of every key; never a key or its digest. Needs the scope admin.",
        response_model=None,
        responses={200: success(KeysResponse, "Every key."), **problems(403)},
    )
    async def list_keys(request: Request) -> Response:
        require_scope(request, options, Scope.ADMIN)
        items = list(_keys(keys, wall_ms()))[:MAX_LISTED]
        return json_answer(KeysResponse(timestamp=iso_utc(wall_ms()), items=items))

    return router


def _keys(keys: KeyBook, now_ms: int) -> Iterator[KeyItem]:
    yield from map(_own, keys.own())
    for key in keys.stored():
        state = key.state(now_ms)
        is_shadowed = state is KeyState.ACTIVE and keys.is_shadowed(key)
        yield _stored(key, KeyState.SHADOWED if is_shadowed else state)


def _own(key: ApiKey) -> KeyItem:
    return KeyItem(
        name=clip(key.name, NAME_CHARS),
        source="environment",
        state=KeyState.ACTIVE,
        scopes=sorted(key.scopes),
        created=None,
        expires=None,
        revoked=None,
        last_used=None,
    )


def _stored(key: StoredKey, state: KeyState) -> KeyItem:
    return KeyItem(
        name=clip(key.name, NAME_CHARS),
        source="database",
        state=state,
        scopes=sorted(map(Scope, key.scopes)),
        created=iso_utc(key.created_ms),
        expires=_time(key.expires_ms),
        revoked=_time(key.revoked_ms),
        last_used=_time(key.last_used_ms),
    )


def _event(event: AuditEvent) -> AuditItem:
    return AuditItem(
        at=iso_utc(event.ts_ms),
        actor=clip(event.actor, DETAIL_CHARS),
        action=event.action,
        outcome=event.outcome,
        target=clip(event.target, DETAIL_CHARS),
        times=event.times,
        request_id=None if event.request_id is None else clip(event.request_id, NAME_CHARS),
        address=None if event.address is None else clip(event.address, NAME_CHARS),
    )


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso_utc(ms)
