"""A `ReadyReport` as the health answer. Pure."""

from __future__ import annotations

from app.api.numbers import clip, iso_utc, places
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS
from app.api.schemas.health import (
    BreakerState,
    DependencyItem,
    HealthResponse,
    PlannerItem,
    ProviderItem,
)
from app.core.domain.status import PlannerSummary, ProviderStatus, ReadyReport


def render_health(report: ReadyReport, *, now_ms: int) -> HealthResponse:
    """Every provider and dependency with its state."""
    return HealthResponse(
        status=report.status,
        timestamp=iso_utc(now_ms),
        data_mode=report.data_mode,
        price_ok=report.price_ok,
        providers=[_provider(status) for status in report.providers],
        dependencies=[
            DependencyItem(
                name=clip(item.name, NAME_CHARS),
                state=item.state,
                detail=clip(item.detail, DETAIL_CHARS),
            )
            for item in report.dependencies
        ],
    )


def _provider(status: ProviderStatus) -> ProviderItem:
    return ProviderItem(
        provider=clip(status.provider, NAME_CHARS),
        state=status.state,
        last_success=None if status.last_success_ms is None else iso_utc(status.last_success_ms),
        last_error=None if status.last_error is None else clip(status.last_error, DETAIL_CHARS),
        breaker=BreakerState(status.breaker),
        plan=None if status.plan is None else clip(status.plan, NAME_CHARS),
        quota_left=status.quota_left,
        quota_limit=status.quota_limit,
        not_in_plan=[clip(name, NAME_CHARS) for name in status.not_in_plan[:200]],
        planner=None if status.planner is None else _planner(status.planner),
    )


def _planner(found: PlannerSummary) -> PlannerItem:
    return PlannerItem(
        resources=found.resources,
        calls_per_minute=places(found.calls_per_minute, 1),
        efficiency=None if found.efficiency is None else places(found.efficiency, 3),
        next_poll_s=None if found.next_poll_s is None else places(found.next_poll_s, 3),
    )
