"""What each CoinGlass plan may do: calls a minute, smallest bar, history depth, endpoint gates.

A small table of its own (not read from the contracts at run time), compared with them by a test.
Source: CoinGlass API v4 documentation, plan and history tables, checked 2026-01.
"""

from __future__ import annotations

from enum import IntEnum

PLANS = ("hobbyist", "startup", "standard", "professional")
CALLS_PER_MINUTE = {"hobbyist": 30, "startup": 80, "standard": 300, "professional": 1200}

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS

INTERVALS_MS: dict[str, int] = {
    "1m": _MINUTE_MS,
    "3m": 3 * _MINUTE_MS,
    "5m": 5 * _MINUTE_MS,
    "10m": 10 * _MINUTE_MS,  # Hyperliquid wallet groups only
    "15m": 15 * _MINUTE_MS,
    "30m": 30 * _MINUTE_MS,
    "1h": _HOUR_MS,
    "4h": 4 * _HOUR_MS,
    "6h": 6 * _HOUR_MS,
    "8h": 8 * _HOUR_MS,
    "12h": 12 * _HOUR_MS,
    "1d": _DAY_MS,
    "1w": 7 * _DAY_MS,
}
FLOOR_MS = {"hobbyist": 4 * _HOUR_MS, "startup": 30 * _MINUTE_MS, "standard": 0, "professional": 0}

# Days of history by plan and interval; an interval not named here has the depth of the next larger one,
# daily and weekly bars have all of it.
_DEPTH_DAYS: dict[str, dict[str, int]] = {
    "hobbyist": {"4h": 180, "6h": 360, "8h": 360, "12h": 360},
    "startup": {"30m": 90, "1h": 180, "4h": 180, "6h": 360, "8h": 360, "12h": 360},
    "standard": {"1m": 6, "3m": 20, "5m": 30, "15m": 90, "30m": 180}
    | dict.fromkeys(("1h", "4h", "6h", "8h", "12h"), 360),
    "professional": {"1m": 12, "3m": 40, "5m": 60, "15m": 180, "30m": 360}
    | dict.fromkeys(("1h", "4h", "6h", "8h", "12h"), 720),
}


class Gate(IntEnum):
    """The smallest plan an endpoint needs, as an index of `PLANS`."""

    ALL = 0
    STARTUP = 1
    STANDARD = 2
    PROFESSIONAL = 3


def is_in_plan(gate: Gate, plan: str) -> bool:
    return PLANS.index(plan) >= gate


def depth_ms(plan: str, interval: str) -> int | None:
    """How far back this plan sees at this interval, ms; None = since listing."""
    wanted = INTERVALS_MS[interval]
    larger = [days for name, days in _DEPTH_DAYS[plan].items() if INTERVALS_MS[name] >= wanted]
    return larger[0] * _DAY_MS if larger else None


def plan_for_interval(interval: str) -> str:
    """The cheapest plan that offers a bar size. Worked: 1h -> startup, 5m -> standard."""
    return next(plan for plan in PLANS if INTERVALS_MS[interval] >= FLOOR_MS[plan])
