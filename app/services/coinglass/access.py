"""What this key may ask: its plan, what was refused and until when. No I/O.

A refusal is remembered so that nothing is asked twice in vain: the plan's for hours, the key's for minutes.
Asked by `client` before each call, told by it after each refusal, shown by `provider.status`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from app.core.errors import ProviderAuthFailed, ProviderPlanLimited
from app.services.coinglass.catalog import ENDPOINTS, Plan, plan_allows
from app.services.coinglass.parse import PROVIDER

PLAN_REFUSAL_S = 6 * 3600.0
KEY_REFUSAL_S = 600.0
# After a failure to learn the plan, ask again soon; a known plan may be upgraded, so look now and then.
PLAN_RETRY_S = 600.0
PLAN_RECHECK_S = 6 * 3600.0

PREFERRED_INTERVAL = "1h"
FALLBACK_INTERVAL = "4h"  # the floor of the smallest plan


class Access:
    """Plan and refusals of one key. Times are process seconds."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.plan: Plan | None = None
        self._plan_due_s = -inf
        self._key_refused_until_s = -inf
        self._refused_until_s: dict[tuple[str, str | None], float] = {}

    def learn_plan(self, level: str | None) -> bool:
        """Take over the plan the account endpoint named; True when it changed (old refusals are forgotten).

        A level this service does not know counts as unknown: everything may be tried.
        """
        plan = Plan(level) if level in {item.value for item in Plan} else None
        changed = plan is not None and plan is not self.plan
        if changed:
            self._refused_until_s.clear()
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
        if now_s < self._plan_due_s or self.is_key_refused():
            return False
        self._plan_due_s = now_s + PLAN_RETRY_S
        return True

    def interval_for(self, endpoint: str) -> str:
        """The bar size to ask for: 1h where the plan has it, else 4h."""
        return PREFERRED_INTERVAL if self._is_open(endpoint, PREFERRED_INTERVAL) else FALLBACK_INTERVAL

    def ensure_allowed(self, endpoint: str, interval: str | None) -> None:
        """Raise instead of making a call that cannot succeed.

        Raises:
            ProviderAuthFailed: the key was refused less than ten minutes ago.
            ProviderPlanLimited: the plan lacks the endpoint, or it was refused less than six hours ago.
        """
        if self.is_key_refused():
            raise ProviderAuthFailed(PROVIDER, endpoint, "not asked: the key was refused")
        if not self._is_open(endpoint, interval):
            what = f"{interval} bars" if interval else "this endpoint"
            plan = self.plan or "current"
            raise ProviderPlanLimited(PROVIDER, endpoint, f"not asked: the {plan} plan lacks {what}")

    def refuse_plan(self, endpoint: str, interval: str | None) -> None:
        """The provider said the plan lacks this endpoint, or bars of this size."""
        self._refused_until_s[(endpoint, interval)] = self._monotonic() + PLAN_REFUSAL_S

    def refuse_key(self) -> None:
        """The provider said the key is not valid."""
        self._key_refused_until_s = self._monotonic() + KEY_REFUSAL_S

    def is_key_refused(self) -> bool:
        return self._monotonic() < self._key_refused_until_s

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
        refused_until_s = self._refused_until_s.get((endpoint, interval), -inf)
        return plan_allows(self.plan, endpoint, interval) and self._monotonic() >= refused_until_s
