"""Circuit breaker of one provider: stop asking a provider that is down, and ask again with one probe.

Owns the state only. `http.UpstreamClient` asks before sending and settles after; time is process time.
Counted as an outage: timeout, unavailable, bad payload. "No data", plan, key and rate limit are not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from app.core.errors import (
    ProviderBadPayload,
    ProviderCircuitOpen,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)

BreakerState = Literal["closed", "open", "half_open"]
_OUTAGE = (ProviderTimeout, ProviderUnavailable, ProviderBadPayload)


class CircuitBreaker:
    """Opens after `threshold` consecutive outages; each failed probe doubles the cool-down up to the cap.

    Worked numbers: cool-down 5 s, cap 60 s: probes 5, 10, 20, 40, 60, 60 s after each failed one.
    `on_change(provider, old, new)` is called once per change of state (log line, metric).
    """

    def __init__(
        self,
        provider: str,
        *,
        threshold: int = 5,
        cooldown_s: float = 5.0,
        max_cooldown_s: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, BreakerState, BreakerState], None] | None = None,
    ) -> None:
        self.provider = provider
        self._threshold = threshold
        self._base_cooldown_s = cooldown_s
        self._max_cooldown_s = max_cooldown_s
        self._monotonic = monotonic
        self._on_change = on_change
        self._state: BreakerState = "closed"
        self._failures = 0
        self._last_failure = ""
        self._cooldown_s = cooldown_s
        self._retry_at_s = 0.0
        # A permit from before the last change of state must not open, close or free anything.
        self._generation = 0
        self._probing = False

    @property
    def state(self) -> BreakerState:
        return self._state

    def ensure_allowed(self, endpoint: str) -> None:
        """Raise `ProviderCircuitOpen` when a call would be refused now; takes nothing."""
        wait_s = self._retry_at_s - self._monotonic()
        if self._state == "open" and wait_s > 0:
            raise self._refusal(endpoint, wait_s)
        if self._state == "half_open" and self._probing:
            raise self._refusal(endpoint, None)

    def enter(self, endpoint: str) -> int:
        """Take the right to send one request; every permit must be settled or released."""
        self.ensure_allowed(endpoint)
        if self._state == "open":
            self._change("half_open")
        if self._state == "half_open":
            self._probing = True
        return self._generation

    def settle(self, permit: int, error: ProviderError | None) -> None:
        """Report how the request went; None is success."""
        if permit != self._generation:
            return
        if isinstance(error, _OUTAGE):
            self._last_failure = f"{error.code}, {error.detail}"
            self._fail()
        elif isinstance(error, ProviderRateLimited):
            self.release(permit)
        else:
            self._succeed()

    def release(self, permit: int) -> None:
        """The request told nothing (cancelled, rate limited): the next call may probe."""
        if permit == self._generation:
            self._probing = False

    def _succeed(self) -> None:
        self._failures = 0
        if self._state != "closed":
            self._cooldown_s = self._base_cooldown_s
            self._change("closed")

    def _fail(self) -> None:
        self._failures += 1
        if self._state == "half_open":
            self._cooldown_s = min(self._cooldown_s * 2, self._max_cooldown_s)
        elif self._failures < self._threshold:
            return
        self._retry_at_s = self._monotonic() + self._cooldown_s
        self._change("open")

    def _change(self, new: BreakerState) -> None:
        old, self._state = self._state, new
        self._generation += 1
        self._probing = False
        if self._on_change is not None:
            self._on_change(self.provider, old, new)

    def _refusal(self, endpoint: str, wait_s: float | None) -> ProviderCircuitOpen:
        # Which failure it was: "circuit open" alone is no reason that anyone can act on.
        detail = f"not asked: recent calls failed ({self._last_failure})"
        return ProviderCircuitOpen(self.provider, endpoint, detail, retry_after_s=wait_s)
