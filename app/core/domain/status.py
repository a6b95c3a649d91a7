"""How providers and the whole service are doing: what the health routes show.

Built by adapters (`ProviderStatus`) and `app.services.health_service`, rendered by `app.api`. Never a secret,
never a URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.domain.context import DataMode


class ProviderState(StrEnum):
    """One word for `/health/ready`."""

    OK = "ok"  # last call succeeded
    UNUSED = "unused"  # configured, not called yet
    NOT_CONFIGURED = "not_configured"  # no key: not a fault
    DEGRADED = "degraded"  # last call failed, breaker still closed
    DOWN = "down"  # breaker open
    AUTH_FAILED = "auth_failed"


@dataclass(frozen=True, slots=True)
class PlannerSummary:
    """What is asked ahead of questions. efficiency, next_poll_s: None before there is something to say."""

    resources: int
    calls_per_minute: float
    efficiency: float | None
    next_poll_s: float | None


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What is known about one provider right now; never a secret, never a URL.

    quota_left / quota_limit: calls left in the current window, None when the provider states none.
    not_in_plan: endpoint ids the plan lacks. plan: plan name in lower case, None when not known.
    """

    provider: str
    state: ProviderState
    last_success_ms: int | None
    last_error: str | None
    breaker: str
    plan: str | None
    quota_left: int | None
    quota_limit: int | None
    not_in_plan: tuple[str, ...] = ()
    planner: PlannerSummary | None = None


class ReadyStatus(StrEnum):
    """One word for the whole service."""

    OK = "ok"
    DEGRADED = "degraded"  # a price can be served, something else is missing
    UNAVAILABLE = "unavailable"  # no price can be served


class DependencyState(StrEnum):
    """One word for what answers stand on besides providers."""

    OK = "ok"
    STARTING = "starting"  # not open yet: not a fault
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class DependencyStatus:
    """One dependency that is not a market-data provider (cache, store).

    detail: why, in words; "" when there is nothing to say.
    """

    name: str
    state: DependencyState
    detail: str


@dataclass(frozen=True, slots=True)
class ReadyReport:
    """Readiness. `price_ok`: at least one price source is neither refused nor behind an open breaker."""

    status: ReadyStatus
    price_ok: bool
    data_mode: DataMode
    providers: tuple[ProviderStatus, ...]
    dependencies: tuple[DependencyStatus, ...]
