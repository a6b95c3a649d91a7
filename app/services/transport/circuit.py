"""Circuit breaker of one provider: stop asking what is down, and ask again with one probe.

Owns the state only. `http.UpstreamClient` asks before sending and settles after; time is process time.
Counted as an outage: timeout, unavailable, bad payload. "No data", plan, key and rate limit are not. A
provider that cannot be reached is left alone as a whole; one endpoint that answers badly, alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
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
OnChange = Callable[[str, BreakerState, BreakerState], None]
_OUTAGE = (ProviderTimeout, ProviderUnavailable, ProviderBadPayload)


@dataclass(frozen=True, slots=True)
class _Times:
    """When a circuit opens and how long it stays so, in seconds of `monotonic`."""

    threshold: int
    cooldown_s: float
    max_cooldown_s: float
    monotonic: Callable[[], float]


class _Circuit:
    """The state machine: closed, open after `threshold` failures in a row, half open for one probe."""

    def __init__(self, name: str, times: _Times, on_change: OnChange | None) -> None:
        self._name = name
        self._times = times
        self._on_change = on_change
        self.state: BreakerState = "closed"
        self.broken_since_s = 0.0
        # A permit from before the last change of state must not open, close or free anything.
        self.generation = 0
        self._failures = 0
        self._last_failure = ""
        self._cooldown_s = times.cooldown_s
        self._retry_at_s = 0.0
        self._probing = False

    def ensure_allowed(self, provider: str, endpoint: str) -> None:
        wait_s = self._retry_at_s - self._times.monotonic()
        # Which failure it was: "circuit open" alone is no reason that anyone can act on.
        detail = f"not asked: recent calls failed ({self._last_failure})"
        if self.state == "open" and wait_s > 0:
            raise ProviderCircuitOpen(provider, endpoint, detail, retry_after_s=wait_s)
        if self.state == "half_open" and self._probing:
            raise ProviderCircuitOpen(provider, endpoint, detail)

    def enter(self) -> int:
        """Only when allowed: the generation of the permit."""
        if self.state == "open":
            self._change("half_open")
        if self.state == "half_open":
            self._probing = True
        return self.generation

    def release(self, generation: int) -> None:
        if generation == self.generation:
            self._probing = False

    def succeed(self, generation: int) -> None:
        if generation != self.generation:
            return
        self._failures = 0
        if self.state != "closed":
            self._cooldown_s = self._times.cooldown_s
            self._change("closed")

    def fail(self, generation: int, error: ProviderError) -> None:
        if generation != self.generation:
            return
        self._last_failure = f"{error.code}, {error.detail}"
        self._failures += 1
        now_s = self._times.monotonic()
        if self.state == "half_open":
            self._cooldown_s = min(self._cooldown_s * 2, self._times.max_cooldown_s)
        elif self._failures < self._times.threshold:
            return
        else:
            self.broken_since_s = now_s
        self._retry_at_s = now_s + self._cooldown_s
        self._change("open")

    def _change(self, new: BreakerState) -> None:
        old, self.state = self.state, new
        self.generation += 1
        self._probing = False
        if self._on_change is not None:
            self._on_change(self._name, old, new)


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to send one request; settle or release it."""

    endpoint: str
    provider_generation: int
    endpoint_generation: int
    successes: int


class CircuitBreaker:
    """Opens after `threshold` consecutive outages; each failed probe doubles the cool-down up to the cap.

    Two levels, one count each: what got an answer (5xx, bad payload), or no answer while other calls got
    theirs, counts for its endpoint; no answer at all counts for the provider. Worked numbers: cool-down 5 s,
    cap 60 s: probes 5, 10, 20, 40, 60, 60 s after each failed one. `on_change(name, old, new)` is called once
    per change of state (log line, metric); name: the provider, or "provider endpoint".
    """

    def __init__(
        self,
        provider: str,
        *,
        threshold: int = 5,
        cooldown_s: float = 5.0,
        max_cooldown_s: float = 60.0,
        monotonic: Callable[[], float] = time.monotonic,
        on_change: OnChange | None = None,
    ) -> None:
        self.provider = provider
        self._times = _Times(threshold, cooldown_s, max_cooldown_s, monotonic)
        self._on_change = on_change
        self._whole = _Circuit(provider, self._times, on_change)
        # One per endpoint id that was asked, and the last success of those that did not fail since.
        self._endpoints: dict[str, _Circuit] = {}
        self._good_s: dict[str, float] = {}
        self._successes = 0

    @property
    def state(self) -> BreakerState:
        """Of the provider: also open while an endpoint is and nothing shows that any other works."""
        broken = self._broken()
        if self._whole.state != "closed" or not broken:
            return self._whole.state
        since_s = min(circuit.broken_since_s for circuit in broken) - self._times.max_cooldown_s
        if any(good_s >= since_s for good_s in self._good_s.values()):
            return "closed"
        return "half_open" if any(circuit.state == "half_open" for circuit in broken) else "open"

    @property
    def is_partly_open(self) -> bool:
        """Whether some endpoint is not asked at the moment."""
        return bool(self._broken())

    def allows(self, endpoint: str) -> bool:
        try:
            self.ensure_allowed(endpoint)
        except ProviderCircuitOpen:
            return False
        return True

    def ensure_allowed(self, endpoint: str) -> None:
        """Raise `ProviderCircuitOpen` when a call would be refused now; takes nothing."""
        self._whole.ensure_allowed(self.provider, endpoint)
        if endpoint in self._endpoints:
            self._endpoints[endpoint].ensure_allowed(self.provider, endpoint)

    def enter(self, endpoint: str) -> Permit:
        """Take the right to send one request; every permit must be settled or released."""
        self.ensure_allowed(endpoint)
        if endpoint not in self._endpoints:
            name = f"{self.provider} {endpoint}"
            self._endpoints[endpoint] = _Circuit(name, self._times, self._on_change)
        return Permit(endpoint, self._whole.enter(), self._endpoints[endpoint].enter(), self._successes)

    def settle(self, permit: Permit, error: ProviderError | None, *, answered: bool) -> None:
        """Report how the request went; no error is success. answered: a status line came back."""
        circuit = self._endpoints[permit.endpoint]
        if isinstance(error, ProviderRateLimited):
            self.release(permit)
        elif not isinstance(error, _OUTAGE):
            self._successes += 1
            self._good_s[permit.endpoint] = self._times.monotonic()
            self._whole.succeed(permit.provider_generation)
            circuit.succeed(permit.endpoint_generation)
        else:
            self._good_s.pop(permit.endpoint, None)
            self._fail(permit, error, answered=answered)

    def release(self, permit: Permit) -> None:
        """The request told nothing (cancelled, rate limited, our own fault): the next call may probe."""
        self._whole.release(permit.provider_generation)
        self._endpoints[permit.endpoint].release(permit.endpoint_generation)

    def _fail(self, permit: Permit, error: ProviderError, *, answered: bool) -> None:
        circuit = self._endpoints[permit.endpoint]
        if answered:
            self._whole.succeed(permit.provider_generation)
        if answered or self._successes != permit.successes:
            circuit.fail(permit.endpoint_generation, error)
        else:
            self._whole.fail(permit.provider_generation, error)
        self.release(permit)

    def _broken(self) -> list[_Circuit]:
        return [circuit for circuit in self._endpoints.values() if circuit.state != "closed"]
