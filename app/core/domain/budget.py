"""How the call budget of one provider is spent: what is kept fresh, how old it is, what comes next.

Built by the adapter that owns the key, rendered by `app.api`. Never a secret: keys travel in headers.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.domain.status import ProviderState


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One resource that is kept fresh.

    params: what was asked for, as a query. demand: questions lately, fading by half in ten minutes; a watched
    coin counts one more. age_s: of the kept value, None without one. min_period_s: how often the provider
    renews it. period_s: seconds between calls that are aimed at, None for histories, which follow their bars.
    due_s: seconds until it may be asked again. outcome: `ok`, `waiting` or an error code.
    """

    endpoint: str
    params: str
    demand: float
    is_watched: bool
    age_s: float | None
    min_period_s: float
    period_s: float | None
    due_s: float
    outcome: str


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """The budget of one key right now.

    limit, used, left: calls per minute, None when there is no key. reserved: of these, calls kept for
    questions. planned_per_minute: calls that may be made ahead of questions. efficiency: ideal over achieved
    mean age of the last five minutes (1 is perfect), None before there is something to compare.
    """

    provider: str
    state: ProviderState
    plan: str | None
    limit: int | None
    used: int | None
    left: int | None
    reserved: int | None
    planned_per_minute: float | None
    efficiency: float | None
    next_poll_s: float | None
    rows: tuple[BudgetRow, ...]
