"""`Reading | Missing`: every input is one of the two, and says where it came from or why it did not.

Shared by context, engine and answers. A default never looks like data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class MissingReason(StrEnum):
    """Why an input is not there: its source is not to be had in this set-up, or it failed just now."""

    NOT_CONFIGURED = "not_configured"
    NOT_IN_PLAN = "not_in_plan"
    NO_DATA = "no_data"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    CIRCUIT_OPEN = "circuit_open"
    AUTH_FAILED = "auth_failed"
    BAD_PAYLOAD = "bad_payload"


class CacheState(StrEnum):
    """How a reading was obtained: fetched now, fresh from cache, or past its time while a refresh is due."""

    MISS = "miss"
    HIT = "hit"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One source that was asked for an input.

    outcome: `ok` or a `MissingReason` value; latency_ms: from ask to answer, cache included.
    """

    provider: str
    endpoint: str
    outcome: str
    latency_ms: float
    cache: CacheState | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T_co]):
    """A fact with its two times.

    ts_event_ms: when it happened (close of the newest bar, or time of the event).
    ts_init_ms: when this service learned it.
    attempts: every source asked, in order; the last one is the one that answered.
    """

    value: T_co
    provider: str
    endpoint: str
    ts_event_ms: int
    ts_init_ms: int
    cache: CacheState
    attempts: tuple[Attempt, ...] = field(default=())

    def age_s(self, now_ms: int) -> float:
        """Seconds from the event to `now_ms`; never negative (provider clocks run ahead at times)."""
        return max(0.0, (now_ms - self.ts_event_ms) / 1000)


@dataclass(frozen=True, slots=True)
class Missing:
    """An input that could not be had: the reason of the last source, and everyone who was asked."""

    reason: MissingReason
    detail: str
    attempts: tuple[Attempt, ...] = ()
