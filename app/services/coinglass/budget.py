"""The planner's records as the budget report of the service. Pure; called by `provider`."""

from __future__ import annotations

import math

from app.core.domain.budget import BudgetReport, BudgetRow
from app.core.domain.status import PlannerSummary, ProviderState, ProviderStatus
from app.services.coinglass.parse import PROVIDER
from app.services.transport.limits import background_calls
from app.services.transport.planner import Plan


def no_budget() -> BudgetReport:
    """Without a key there is nothing to spend."""
    nothing = (None,) * 8
    return BudgetReport(PROVIDER, ProviderState.NOT_CONFIGURED, *nothing, rows=())


def summary(plan: Plan) -> PlannerSummary:
    """The few figures that fit a health answer."""
    return PlannerSummary(len(plan.resources), plan.calls_per_minute, plan.efficiency, plan.next_poll_s)


def budget_report(
    status: ProviderStatus, limit: int | None, left: int | None, plan: Plan | None
) -> BudgetReport:
    """limit, left: calls of the key's minute. plan: None when nobody asks ahead."""
    known = limit is not None and left is not None
    return BudgetReport(
        provider=PROVIDER,
        state=status.state,
        plan=status.plan,
        limit=limit,
        used=limit - left if limit is not None and left is not None else None,
        left=left,
        reserved=limit - background_calls(limit) if known and limit is not None else None,
        planned_per_minute=None if plan is None else plan.calls_per_minute,
        efficiency=None if plan is None else plan.efficiency,
        next_poll_s=None if plan is None else plan.next_poll_s,
        rows=()
        if plan is None
        else tuple(
            BudgetRow(
                endpoint=row.endpoint,
                params=row.params,
                demand=row.demand,
                is_watched=row.is_watched,
                age_s=row.age_s,
                min_period_s=row.min_period_s,
                # Nothing that nobody wants is ever asked.
                period_s=row.period_s if row.period_s is not None and math.isfinite(row.period_s) else None,
                due_s=row.due_s,
                outcome=row.outcome,
            )
            for row in plan.resources
        ),
    )
