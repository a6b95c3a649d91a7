"""Rows of outcomes: made when an alert or an evaluation is made, entered, ended. Pure.

Owns what of an alert is followed and what the body of a row holds; `first_touch` judges, the tracker in
`services.streaming` and `sides` call both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from app.core.domain.alerts import Alert, DropReason
from app.core.domain.outcomes import (
    HORIZONS_MS,
    EntryRow,
    OutcomeRow,
    OutcomeState,
    Unscorable,
    setup_of,
)
from app.core.domain.signal import Direction
from app.core.errors import InvariantViolation
from app.core.outcomes.first_touch import Ending, Plan, barriers_of, plan_trade, settle

_UNUSABLE = frozenset({DropReason.NO_PRICE, DropReason.BAD_LEVELS})


@dataclass(frozen=True, slots=True)
class OutcomeFacts:
    """Body of a row. atr_usd: ATR(1h) known when the trade was made. path: what prices decided (`trades`,
    `1m`, `5m`). funding_frac: paid, None: not known and not charged. reason: why it is unscorable. exchange:
    whose candles it was entered on, None for one that was streamed."""

    tier: int
    atr_usd: float | None
    path: str | None = None
    exit_price: float | None = None
    cost_frac: float | None = None
    funding_frac: float | None = None
    reason: str | None = None
    exchange: str | None = None


def facts_of(row: OutcomeRow) -> OutcomeFacts:
    return OutcomeFacts(**json.loads(row.body))


def _body(facts: OutcomeFacts) -> str:
    return json.dumps(asdict(facts))


def is_followed(alert: Alert, drop_reason: DropReason | None) -> bool:
    """Does this alert count in the record: it has a direction and a valid price (and levels, where it has
    any). Whether anybody was told does not matter: mutes and caps choose their moments."""
    has_price = alert.price is not None and alert.price > 0
    return has_price and alert.direction is not Direction.NEUTRAL and drop_reason not in _UNUSABLE


def begin(alert: Alert, *, tier: int, atr_usd: float | None) -> list[OutcomeRow]:
    """Its rows, one per horizon, waiting for the first price after `alert.ts_init_ms`."""
    return begin_trade(
        alert.id,
        kind=alert.kind.value,
        symbol=alert.symbol,
        direction=alert.direction,
        made_ms=alert.ts_init_ms,
        barriers=barriers_of(alert.levels),
        facts=OutcomeFacts(tier, atr_usd),
    )


def begin_trade(
    trade_id: str,
    *,
    kind: str,
    symbol: str,
    direction: Direction,
    made_ms: int,
    barriers: tuple[float, float] | None,
    facts: OutcomeFacts,
) -> list[OutcomeRow]:
    """Rows of one trade, one per horizon, waiting for the first price after made_ms. barriers: (stop,
    target), None: one ATR to both sides of the entry."""
    stop, target = barriers or (None, None)
    return [
        OutcomeRow(
            trade_id=trade_id,
            horizon=horizon,
            setup=setup_of(kind, direction.value, facts.tier),
            symbol=symbol,
            direction=direction.value,
            state=OutcomeState.WAITING.value,
            entered_ms=None,
            due_ms=made_ms + length_ms,
            entry_price=None,
            target_price=target,
            stop_price=stop,
            first_touch=None,
            touched_ms=None,
            net_return_frac=None,
            mfe_frac=None,
            mae_frac=None,
            resolved_ms=None,
            ts_init_ms=made_ms,
            body=_body(facts),
        )
        for horizon, length_ms in HORIZONS_MS.items()
    ]


def plan_of(row: OutcomeRow) -> Plan:
    """The trade of an entered row.

    Raises:
        InvariantViolation: it is still waiting.
    """
    entered, entry, stop, target = row.entered_ms, row.entry_price, row.stop_price, row.target_price
    if entered is None or entry is None or stop is None or target is None:
        raise InvariantViolation(f"outcome {row.trade_id} {row.horizon} was never entered")
    return Plan(Direction(row.direction), entered, entry, stop, target)


def plan_entry(
    row: OutcomeRow, *, entered_ms: int, entry: float, atr_usd: float | None = None
) -> Plan | Unscorable:
    """The trade of a waiting row that is entered at this price. atr_usd: where the row knows none."""
    barriers = None
    if row.stop_price is not None and row.target_price is not None:
        barriers = row.stop_price, row.target_price
    return plan_trade(
        Direction(row.direction),
        entered_ms=entered_ms,
        entry=entry,
        barriers=barriers,
        atr_usd=facts_of(row).atr_usd or atr_usd,
    )


def entry_of(row: OutcomeRow, plan: Plan) -> EntryRow:
    return EntryRow(row.trade_id, plan.entered_ms, plan.entry, plan.target, plan.stop)


def entered(row: OutcomeRow, entry: EntryRow) -> OutcomeRow:
    """The row once it is entered: its horizon begins then."""
    return row._replace(
        state=OutcomeState.OPEN.value,
        entered_ms=entry.entered_ms,
        due_ms=entry.entered_ms + HORIZONS_MS[row.horizon],
        entry_price=entry.entry_price,
        target_price=entry.target_price,
        stop_price=entry.stop_price,
    )


def entered_on(row: OutcomeRow, exchange: str, atr_usd: float | None) -> OutcomeRow:
    """The row, saying whose candles it was entered on and how wide its barriers are."""
    return row._replace(body=_body(replace(facts_of(row), exchange=exchange, atr_usd=atr_usd)))


def ended(
    row: OutcomeRow,
    ending: Ending,
    *,
    path: str,
    settlements: Sequence[tuple[int, float]] | None,
    now_ms: int,
) -> OutcomeRow:
    """An entered row with its end, after costs."""
    facts = facts_of(row)
    result = settle(plan_of(row), ending, tier=facts.tier, settlements=settlements)
    facts = replace(
        facts,
        path=path,
        exit_price=ending.exit_price,
        cost_frac=result.cost_frac,
        funding_frac=result.funding_frac,
    )
    return row._replace(
        state=OutcomeState.SCORED.value,
        first_touch=ending.touch.value,
        touched_ms=ending.at_ms,
        net_return_frac=result.net_frac,
        mfe_frac=ending.mfe_frac,
        mae_frac=ending.mae_frac,
        resolved_ms=now_ms,
        body=_body(facts),
    )


def given_up(row: OutcomeRow, reason: Unscorable, *, now_ms: int) -> OutcomeRow:
    """The row as one that nobody can score."""
    facts = replace(facts_of(row), reason=reason.value)
    return row._replace(state=OutcomeState.UNSCORABLE.value, resolved_ms=now_ms, body=_body(facts))
