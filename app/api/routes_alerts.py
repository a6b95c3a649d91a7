"""`/api/alerts` and `/api/alerts/{id}`: alerts as they were kept, with why somebody was not told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import render_alerts as render
from app.api.auth import require_scope
from app.api.deps import AlertUseCase
from app.api.errors import UnknownAlert
from app.api.openapi_parts import json_answer, problems, success
from app.api.options import ApiOptions, Scope
from app.api.params import FromQuery, OneOrAllQuery, PageCursorQuery, ToQuery, read_cursor, read_time
from app.api.schemas.alerts import MAX_ALERTS, AlertResponse, AlertsResponse
from app.core.domain.alerts import AlertQuery, Severity
from app.core.domain.flow import AlertKind
from app.core.errors import InvalidParameter

_ALERT_ID = re.compile(r"[0-9a-f]{16}")

AlertLimitQuery = Annotated[int, Query(ge=1, le=MAX_ALERTS, description="Number of alerts at most.")]
KindQuery = Annotated[
    Literal[
        "any",
        "STOP_HUNT",
        "ACCUMULATION",
        "DISTRIBUTION",
        "WHALE_ACCUMULATION",
        "WHALE_DISTRIBUTION",
        "VOLUME_SPIKE",
        "WHALE_POSITION",
        "FUNDING_EXTREME",
        "OI_SPIKE",
        "LIQUIDATION_ZSCORE",
        "HEATMAP",
    ],
    Query(description="Alerts of this kind, or any.", json_schema_extra={"maxLength": 18}),
]
SeverityQuery = Annotated[
    Literal["any", "urgent", "watch", "info"],
    Query(description="Alerts of this severity, or any.", json_schema_extra={"maxLength": 6}),
]
KeptQuery = Annotated[
    Literal["any", "kept", "dropped"],
    Query(
        description="kept: somebody was told, or was to be. dropped: nobody was, and dropReason says why. "
        "any.",
        json_schema_extra={"maxLength": 7},
    ),
]
AlertIdPath = Annotated[
    str,
    Path(
        description="Id of the alert, 16 hexadecimal digits, as listAlerts and every message name it.",
        examples=["0123456789abcdef"],
        json_schema_extra={"pattern": "^[0-9a-f]{16}$", "maxLength": 16},
    ),
]


class AlertAnswers:
    """Kept alerts, for every door."""

    def __init__(self, options: ApiOptions, use_case: AlertUseCase, now_ms: Callable[[], int]) -> None:
        self._options = options
        self._use_case = use_case
        self._now_ms = now_ms

    async def page(
        self,
        request: Request,
        *,
        symbol: str,
        kind: str,
        severity: str,
        kept: str,
        since: str,
        until: str,
        limit: int,
        cursor: str,
    ) -> AlertsResponse:
        """Newest first. Raises: MissingScope, InvalidParameter, UnknownSymbol, StorageUnavailable."""
        require_scope(request, self._options, Scope.READ)
        query = AlertQuery(
            symbol=self._use_case.resolve(symbol).base if symbol.strip() else None,
            kind=None if kind == "any" else AlertKind(kind),
            severity=None if severity == "any" else Severity(severity),
            is_kept=None if kept == "any" else kept == "kept",
            from_ms=read_time(since, "from"),
            to_ms=read_time(until, "to"),
            limit=limit,
            cursor=read_cursor(cursor),
        )
        page = await self._use_case.page(query)
        return render.alerts(page, query, now_ms=self._now_ms(), data_mode=self._options.data_mode)

    async def one(self, request: Request, alert_id: str) -> AlertResponse:
        """Raises: MissingScope, InvalidParameter, UnknownAlert, StorageUnavailable."""
        require_scope(request, self._options, Scope.READ)
        if not _ALERT_ID.fullmatch(alert_id):
            raise InvalidParameter("alert_id", "16 hexadecimal digits in lower case")
        found = await self._use_case.one(alert_id)
        if found is None:
            raise UnknownAlert
        return render.alert(found, now_ms=self._now_ms())


def alert_routes(answers: AlertAnswers) -> APIRouter:
    """The router."""
    router = APIRouter(tags=["alerts"])

    @router.get(
        "/api/alerts",
        operation_id="listAlerts",
        summary="Alerts, newest first, with what became of them",
        description="Alerts of every coin or one: what, side, size, levels, confidence and whether it was "
        "sent or why not. A fair summary states ageS, kept and dataMode; alerts are not advice.",
        response_model=None,
        responses={
            200: success(AlertsResponse, "One page, newest first."),
            **problems(400, 403, 404, needs_store=True),
        },
    )
    async def list_alerts(
        request: Request,
        symbol: OneOrAllQuery = "",
        kind: KindQuery = "any",
        severity: SeverityQuery = "any",
        kept: KeptQuery = "any",
        since: FromQuery = "",
        until: ToQuery = "",
        limit: AlertLimitQuery = 10,
        cursor: PageCursorQuery = "",
    ) -> Response:
        found = await answers.page(
            request,
            symbol=symbol,
            kind=kind,
            severity=severity,
            kept=kept,
            since=since,
            until=until,
            limit=limit,
            cursor=cursor,
        )
        return json_answer(found)

    @router.get(
        "/api/alerts/{alert_id}",
        operation_id="getAlert",
        summary="One alert with all that stands behind it",
        description="Evidence, levels, market context, record of such setups, and what became of each "
        "message; destinations are named by kind alone.",
        response_model=None,
        responses={200: success(AlertResponse, "The alert."), **problems(400, 403, 404, needs_store=True)},
    )
    async def get_alert(request: Request, alert_id: AlertIdPath) -> Response:
        return json_answer(await answers.one(request, alert_id))

    return router
