"""What this key may ask: by its plan, and by the refusals the transport remembers. No I/O.

Owns the plan, when to ask for it again, and the bar size that follows. Asked by `client` before each call and
by `standard` for the bar size, shown by `provider.status`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from app.core.errors import ProviderPlanLimited
from app.services.coinglass.catalog import ENDPOINTS, Plan, plan_allows
from app.services.coinglass.parse import PROVIDER
from app.services.transport.refusals import Refusals

# After a failure to learn the plan, ask again soon; a known plan may be upgraded, so look now and then.
PLAN_RETRY_S = 600.0
PLAN_RECHECK_S = 6 * 3600.0

PREFERRED_INTERVAL = "1h"
FALLBACK_INTERVAL = "4h"  # the floor of the smallest plan


class Access:
    """Plan and refusals of one key. Times are process seconds."""

    def __init__(self, refusals: Refusals, *, monotonic: Callable[[], float]) -> None:
        self._refusals = refusals
        self._monotonic = monotonic
        self.plan: Plan | None = None
        self._plan_due_s = -inf

    def learn_plan(self, level: str | None) -> bool:
        """Take over the plan the account endpoint named; True when it changed (old refusals are forgotten).

        A level this service does not know counts as unknown: everything may be tried.
        """
        plan = Plan(level) if level in {item.value for item in Plan} else None
        changed = plan is not None and plan is not self.plan
        if changed:
            self._refusals.forget_plan()
        self.plan = plan
        if plan is not None:
            self._plan_due_s = self._monotonic() + PLAN_RECHECK_S
        return changed

    def plan_unanswered(self, *, will_answer_later: bool) -> None:
        """Asking for the plan failed; an answer that cannot come (404) is not asked for again soon."""
        if not will_answer_later:
            self._plan_due_s = self._monotonic() + PLAN_RECHECK_S

    def take_plan_turn(self) -> bool:
        """Whether the caller should ask for the plan now; the next turn comes only after a while."""
        now_s = self._monotonic()
        if now_s < self._plan_due_s or self._refusals.is_key_refused():
            return False
        self._plan_due_s = now_s + PLAN_RETRY_S
        return True

    def interval_for(self, endpoint: str) -> str:
        """The bar size to ask for: 1h where the plan has it, else 4h."""
        return PREFERRED_INTERVAL if self._is_open(endpoint, PREFERRED_INTERVAL) else FALLBACK_INTERVAL

    def may_ask(self, endpoint: str) -> bool:
        """Whether the plan is not known to lack the endpoint."""
        return self._is_open(endpoint, None)

    def ensure_allowed(self, endpoint: str, interval: str | None) -> None:
        """Raise `ProviderPlanLimited` instead of asking for what the known plan lacks."""
        if not plan_allows(self.plan, endpoint, interval):
            what = f"{interval} bars" if interval else "this endpoint"
            raise ProviderPlanLimited(PROVIDER, endpoint, f"not asked: the {self.plan} plan lacks {what}")

    def not_in_plan(self) -> tuple[str, ...]:
        """Endpoints that cannot be used at any bar size, by plan or by refusal, sorted."""
        return tuple(
            sorted(
                id_
                for id_ in ENDPOINTS
                if not self._is_open(id_, None) or not self._is_open(id_, FALLBACK_INTERVAL)
            )
        )

    def _is_open(self, endpoint: str, interval: str | None) -> bool:
        is_refused = self._refusals.is_plan_refused(endpoint, interval)
        return plan_allows(self.plan, endpoint, interval) and not is_refused
