"""Keeps every published probability with its features, and looks later what became of it.

Owns the features and the memory of what was kept this quarter of an hour; candles are asked for when a chance
is due, scores are `core.calibration`'s. Keeping never waits and never fails; resolving runs in the
background.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from app.core.calibration.resolve import Bar, resolve_level
from app.core.clock import Clock
from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import (
    LiquidationZone,
    ProbabilitySource,
    Setup,
    SweepProbability,
)
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market import DAY_MS, HOUR_MS, INTERVAL_MS, Candles, Series
from app.core.domain.quality import Missing, Reading
from app.core.domain.stored import ProbabilityRow
from app.core.domain.symbol import Symbol
from app.core.errors import StorageUnavailable
from app.core.store_ports import MarketWriter, ProbabilityLog

SLOT_MS = 15 * 60_000
MAX_KEPT = 50_000  # ids remembered; one that falls out is written again, which changes nothing
EVERY_S = 300.0
BATCH = 500
# Five-minute candles reach no further back: the probability can never be scored.
GIVE_UP_MS = DAY_MS
# Fine enough that hardly a minute at both ends stays unseen, and 500 of them reach back 41 hours.
INTERVAL = "5m"
_FUNDING_POINTS = 90

_log = logging.getLogger(__name__)


CandlesNow: TypeAlias = Callable[[Symbol, str], Awaitable[Candles | None]]


class CalibrationService:
    """The log of published probabilities."""

    def __init__(
        self, *, writer: MarketWriter, log: ProbabilityLog, candles: CandlesNow, clock: Clock
    ) -> None:
        """candles: closed ones of a coin and bar size, the last day and a half at least; None: not to be
        had."""
        self._writer = writer
        self._log = log
        self._candles = candles
        self._clock = clock
        self._kept: OrderedDict[str, None] = OrderedDict()

    def keep(self, answer: LiquidityAnswer) -> None:
        """Take the probabilities of an answer; each level once in a quarter of an hour."""
        rows = [row for row in rows_of(answer) if row.id not in self._kept]
        if not rows or self._writer.put(rows) < len(rows):
            return  # a full buffer counts what it loses; the next answer brings new ones
        for row in rows:
            self._kept[row.id] = None
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    async def run(self) -> None:
        """Resolve what is due, every five minutes, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.resolve_due()
            except StorageUnavailable as error:
                _log.warning("probabilities stay open for now", extra={"why": str(error)})

    async def resolve_due(self) -> int:
        """Look up what became of the probabilities that are due; how many got their end.

        Raises:
            StorageUnavailable: the store does not answer.
        """
        now_ms, count = self._clock.now_ms(), 0
        bars: dict[str, list[Bar]] = {}
        after: tuple[int, str] | None = None
        # All of them, batch by batch: those of a coin without candles would stand before the others for a
        # day.
        while rows := await self._log.due(now_ms, BATCH, after):
            for symbol in {row.symbol for row in rows} - bars.keys():
                bars[symbol] = await self._bars(symbol, now_ms)
            # Some tens of milliseconds a batch: not on the event loop.
            ended = await asyncio.to_thread(_all_ended, rows, bars, now_ms)
            if ended:
                await self._writer.put_all(ended)
            count += len(ended)
            after = rows[-1].due_ms, rows[-1].id
        return count

    async def _bars(self, symbol: str, now_ms: int) -> list[Bar]:
        candles = await self._candles(Symbol(symbol), INTERVAL)
        if candles is None:
            return []
        columns = zip(candles.close_ms, candles.high, candles.low, strict=True)
        return [Bar(close_ms, high, low) for close_ms, high, low in columns if close_ms <= now_ms]


def _all_ended(
    rows: Sequence[ProbabilityRow], bars: Mapping[str, Sequence[Bar]], now_ms: int
) -> list[ProbabilityRow]:
    return [found for row in rows if (found := _ended(row, bars[row.symbol], now_ms)) is not None]


def _ended(row: ProbabilityRow, bars: Sequence[Bar], now_ms: int) -> ProbabilityRow | None:
    """The row with its outcome, or given up; None while it may still be told."""
    hit = resolve_level(
        bars,
        INTERVAL_MS[INTERVAL],
        at_ms=row.at_ms,
        due_ms=row.due_ms,
        level_usd=row.level_usd,
        is_above=row.side == PositionSide.SHORT.value,
    )
    if hit is not None:
        return row._replace(outcome=float(hit), resolved_ms=now_ms, ts_init_ms=now_ms)
    if now_ms - row.due_ms > GIVE_UP_MS:
        return row._replace(resolved_ms=now_ms, ts_init_ms=now_ms)
    return None


def rows_of(answer: LiquidityAnswer) -> list[ProbabilityRow]:
    """The published chances to trade at a level with their features; those that say nothing are left out."""
    found = answer.liquidity
    if found is None:
        return []
    clusters = {(one.near_usd, one.side): one for one in found.clusters}
    hour_usd, z = _traded_usd(answer.context.candles), _funding_z(answer.context.funding)
    said = [one for one in found.probabilities if one.probability is not None]
    # A plan at the price itself is filled: nothing is foretold.
    said += [_fill_of(answer, s, s.fill_source) for s in answer.setups if s.fill_source is not None]
    return [_row(answer, one, clusters.get((one.level_usd, one.side)), hour_usd, z) for one in said]


def _fill_of(answer: LiquidityAnswer, setup: Setup, source: ProbabilitySource) -> SweepProbability:
    """The chance that the entry of a plan trades, as that of any level."""
    atr, price_usd = answer.atr_1h_usd, answer.price.value.price_usd
    return SweepProbability(
        level_usd=setup.entry_usd,
        side=PositionSide.LONG if setup.entry_usd < price_usd else PositionSide.SHORT,
        distance_atr_1h=None if atr is None else abs(setup.entry_usd - price_usd) / atr,
        horizon_h=setup.horizon_h,
        probability=setup.p_fill,
        source=source,
        n=0,
        closed_form=None,
    )


def _row(
    answer: LiquidityAnswer,
    one: SweepProbability,
    cluster: LiquidationZone | None,
    hour_usd: float | None,
    funding_z: float | None,
) -> ProbabilityRow:
    slot = answer.as_of_ms // SLOT_MS
    fuel = None
    if cluster is not None and hour_usd:
        fuel = math.log1p(cluster.volume_usd / hour_usd)
    towards = 1.0 if one.side is PositionSide.SHORT else -1.0
    return ProbabilityRow(
        id=f"{answer.symbol.base}:{slot}:{one.side.value}:{one.level_usd:.9g}:{one.horizon_h:g}",
        symbol=answer.symbol.base,
        at_ms=answer.as_of_ms,
        due_ms=answer.as_of_ms + int(one.horizon_h * HOUR_MS),
        horizon_h=one.horizon_h,
        price_usd=answer.price.value.price_usd,
        level_usd=one.level_usd,
        side=one.side.value,
        probability=one.probability or 0.0,
        probability_source=one.source.value,
        closed_form=one.closed_form,
        distance_atr=one.distance_atr_1h,
        magnet=None if cluster is None else cluster.magnet,
        fuel=fuel,
        funding_z=None if funding_z is None else towards * funding_z,
        outcome=None,
        resolved_ms=None,
        ts_init_ms=answer.as_of_ms,
    )


def _traded_usd(candles: Reading[Candles] | Missing) -> float | None:
    """USD traded in the newest closed hour."""
    if isinstance(candles, Missing) or not candles.value.volume_base:
        return None
    return candles.value.volume_base[-1] * candles.value.close[-1]


def _funding_z(funding: Reading[Series] | Missing) -> float | None:
    """Standard scores of the newest funding among the last 90 points; None without spread."""
    if isinstance(funding, Missing):
        return None
    values = funding.value.values[-_FUNDING_POINTS:]
    mean = math.fsum(values) / len(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return (values[-1] - mean) / spread if spread > 0 else None
