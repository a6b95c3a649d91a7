"""What became of alerts and evaluations: rows as the store keeps them, and words for how a trade ended.

Every directional alert that had a valid price is followed at four horizons, whether anybody was told of it or
not: the record of a setup must not depend on what a chat muted. Every scheduled evaluation is followed to
both sides. `core.outcomes` judges, `services.streaming` follows, `services.storage` keeps. Times are UTC
epoch milliseconds, prices USD per coin, returns fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from app.core.domain.market import HOUR_MS

# Fixed before any outcome was looked at; shortest first.
HORIZONS_MS: Mapping[str, int] = MappingProxyType(
    {"15m": HOUR_MS // 4, "1h": HOUR_MS, "4h": 4 * HOUR_MS, "24h": 24 * HOUR_MS}
)
# The horizon whose outcomes move the confidence of later alerts: long enough that a barrier and not the clock
# decides most of them, short enough that a day brings several that do not overlap.
RECORD_HORIZON = "4h"


class OutcomeState(StrEnum):
    WAITING = "waiting"  # no price has been traded since the alert
    OPEN = "open"  # entered, the horizon is not over
    SCORED = "scored"
    UNSCORABLE = "unscorable"  # counted, never guessed; the body says why


class Touch(StrEnum):
    """What came first."""

    TARGET = "target"
    STOP = "stop"
    BOTH = "both"  # within one bar: counts as the stop
    TIMEOUT = "timeout"  # neither within the horizon


class Unscorable(StrEnum):
    """Why nobody can say how a trade ended."""

    NO_ENTRY = "no_entry"  # no traded price soon enough after the alert
    NO_BARRIERS = "no_barriers"  # neither levels nor an ATR
    MISSED = "missed"  # the target was behind the price before anybody could enter
    HOLES = "holes"  # the price path is not known well enough


class OutcomeRow(NamedTuple):
    """One trade at one horizon. Field order is column order.

    trade_id: the alert's id; for an evaluation its id and the side (`trade_of`). setup: kind, direction and
    tier (`setup_of`). due_ms: end of the horizon, counted from the entry (before it: from when the trade was
    made). entered_ms, entry_price: the first price traded after it was made; None while WAITING.
    target_price, stop_price: None while they depend on an ATR that is not known. first_touch: a `Touch`.
    net_return_frac: after costs, of the entry's notional, positive earns. mfe_frac, mae_frac: best (>= 0) and
    worst (<= 0) excursion until the end, signed to the direction. ts_init_ms: when the alert or evaluation
    was made. body: `OutcomeFacts` as JSON text.
    """

    trade_id: str
    horizon: str
    setup: str
    symbol: str
    direction: str
    state: str
    entered_ms: int | None
    due_ms: int
    entry_price: float | None
    target_price: float | None
    stop_price: float | None
    first_touch: str | None
    touched_ms: int | None
    net_return_frac: float | None
    mfe_frac: float | None
    mae_frac: float | None
    resolved_ms: int | None
    ts_init_ms: int
    body: str


class EntryRow(NamedTuple):
    """The entry of a waiting trade, for all its horizons."""

    trade_id: str
    entered_ms: int
    entry_price: float
    target_price: float
    stop_price: float


class SetupCount(NamedTuple):
    """Outcomes of one setup at one horizon.

    apart_scored, apart_wins: only the first of each coin in each stretch of the horizon's length, because
    outcomes of one stretch are not independent: what a win rate may be made of. stop_frac, target_frac: mean
    distance of their levels from the entry, over the entry; None without one. stretches: how many hold one of
    any coin.
    """

    setup: str
    scored: int
    wins: int
    unscorable: int
    open: int
    apart_scored: int
    apart_wins: int
    stop_frac: float | None
    target_frac: float | None
    stretches: int


class SetupTally(NamedTuple):
    """Outcomes of one setup, one per coin and four hours. break_even: share of wins, 0 or more, at which its
    mean levels and costs earn nothing, funding left aside; None where no level is known. stretches: in how
    many different four hours they lie; coins that moved together in one of them are one observation."""

    kind: str
    direction: str
    tier: int
    scored: int
    wins: int
    break_even: float | None
    stretches: int


def trade_of(evaluation_id: str, direction: str) -> str:
    """Name of one side of an evaluation. Worked example: `8d0f-17` and LONG -> `8d0f-17:LONG`."""
    return f"{evaluation_id}:{direction}"


def setup_of(kind: str, direction: str, tier: int) -> str:
    """Name of a setup. Worked example: a reclaim after longs died in BTC -> `STOP_HUNT:LONG:1`."""
    return f"{kind}:{direction}:{tier}"


def setup_parts(setup: str) -> tuple[str, str, int]:
    """Kind, direction and tier of a setup's name: `STOP_HUNT:LONG:1` -> ("STOP_HUNT", "LONG", 1).

    Raises:
        ValueError: `setup_of` did not make it.
    """
    kind, direction, tier = setup.split(":")
    return kind, direction, int(tier)
