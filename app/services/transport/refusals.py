"""What one provider refused and until when, so that nothing is asked twice in vain.

A key is refused for minutes, an endpoint of the plan for hours. Asked and told by `http.UpstreamClient`; the
adapters read it for their status and to choose a bar size. Time is process time; no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from app.core.errors import ProviderAuthFailed, ProviderError, ProviderPlanLimited

KEY_REFUSAL_S = 600.0
PLAN_REFUSAL_S = 6 * 3600.0
_MAX_REMEMBERED = 256
_EVERYTHING = ""


class Refusals:
    """Refusals of one key. `interval`: the bar size asked for, None for endpoints without one.

    has_key: without a key there is nothing to refuse but the endpoint: it alone is left alone.
    """

    def __init__(self, provider: str, *, has_key: bool, monotonic: Callable[[], float]) -> None:
        self._provider = provider
        self._has_key = has_key
        self._monotonic = monotonic
        self._key_until_s: dict[str, float] = {}
        self._plan_until_s: dict[tuple[str, str | None], float] = {}

    def ensure_allowed(self, endpoint: str, interval: str | None) -> None:
        """Raise instead of making a call that cannot succeed.

        Raises:
            ProviderAuthFailed: the key was refused less than ten minutes ago.
            ProviderPlanLimited: this endpoint and bar size was refused less than six hours ago.
        """
        wait_s = self._key_until_s.get(self._scope(endpoint), -inf) - self._monotonic()
        if wait_s > 0:
            refused = "the key was refused" if self._has_key else "access was refused"
            raise ProviderAuthFailed(self._provider, endpoint, f"not asked: {refused}", retry_after_s=wait_s)
        if self.is_plan_refused(endpoint, interval):
            what = f"{interval} bars" if interval else "this endpoint"
            raise ProviderPlanLimited(self._provider, endpoint, f"not asked: the plan lacks {what}")

    def remember(self, endpoint: str, interval: str | None, error: ProviderError) -> None:
        """Take note of a refusal; other errors are none."""
        if isinstance(error, ProviderAuthFailed):
            self._key_until_s[self._scope(endpoint)] = self._monotonic() + KEY_REFUSAL_S
        elif isinstance(error, ProviderPlanLimited):
            key = (endpoint, interval)
            self._plan_until_s.pop(key, None)
            if len(self._plan_until_s) >= _MAX_REMEMBERED:
                del self._plan_until_s[next(iter(self._plan_until_s))]  # the oldest
            self._plan_until_s[key] = self._monotonic() + PLAN_REFUSAL_S

    def succeeded(self, endpoint: str, interval: str | None) -> None:
        """The same call went well: the key is good, and the plan has this."""
        self._key_until_s.pop(self._scope(endpoint), None)
        self._plan_until_s.pop((endpoint, interval), None)

    def forget_plan(self) -> None:
        """The plan changed: what the old one lacked may be there now."""
        self._plan_until_s.clear()

    def is_key_refused(self) -> bool:
        return self._monotonic() < self._key_until_s.get(_EVERYTHING, -inf)

    def is_plan_refused(self, endpoint: str, interval: str | None) -> bool:
        return self._monotonic() < self._plan_until_s.get((endpoint, interval), -inf)

    def _scope(self, endpoint: str) -> str:
        return _EVERYTHING if self._has_key else endpoint
