"""Evaluations, stores and candles for tests of the record. Not a test module."""

from __future__ import annotations

import time
from dataclasses import replace

from app.core.clock import ManualClock
from app.core.domain.context import DataMode, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.evaluations import EvaluationFailure, Moment
from app.core.domain.market import INTERVAL_MS, Candles
from app.core.domain.signal import Direction, Mode, Signal
from app.core.domain.stored import Trigger
from app.core.domain.symbol import Symbol
from app.core.signal_engine import evaluate
from app.services.storage.store import SqlStore
from tests.core.conftest import random_world


def store_of(url: str, clock: ManualClock) -> SqlStore:
    """Started; `opened()` is to be awaited."""
    store = SqlStore(url, data_mode="live", now_ms=clock.now_ms, monotonic=time.monotonic)
    store.start()
    return store


def made(
    as_of_ms: int,
    symbol: str = "BTC",
    *,
    seed: int = 1,
    mode: Mode = Mode.BALANCED,
    direction: Direction | None = None,
    score: float | None = None,
) -> tuple[Signal, EnhancedSignalContext]:
    """A signal of a random market, as if it had been made then."""
    context = random_world(seed, 300).context()
    signal = evaluate(context, EngineConfig(), mode)
    signal = replace(signal, symbol=Symbol(symbol), as_of_ms=as_of_ms, data_mode=DataMode.LIVE)
    if direction is not None:
        signal = replace(signal, direction=direction)
    if score is not None:
        signal = replace(signal, score=score)
    return signal, replace(context, symbol=Symbol(symbol), as_of_ms=as_of_ms)


class Evaluator:
    """`SignalService.scheduled` of a process over a real store.

    no_price, stale: coins without a usable price. dies_at: a coin during whose evaluation the process is
    killed. takes_s: how long an evaluation takes.
    """

    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self._store, self._clock = store, clock
        self.no_price: set[str] = set()
        self.stale: set[str] = set()
        self.dies_at: str | None = None
        self.takes_s = 0.0
        self.made: list[str] = []

    async def __call__(self, symbol: Symbol, moment: Moment) -> EvaluationFailure | None:
        if symbol.base == self.dies_at:
            raise KilledError
        self._clock.tick(self.takes_s)
        if symbol.base in self.no_price:
            return EvaluationFailure.NO_PRICE
        if symbol.base in self.stale:
            return EvaluationFailure.STALE_PRICE
        if not moment.holds(self._clock.now_ms()):
            return EvaluationFailure.LATE
        signal, context = made(self._clock.now_ms(), symbol.base)
        self.made.append(symbol.base)
        self._store.signals.append(signal, context, Trigger.SCHEDULE)
        return None


class KilledError(Exception):
    """What stands for a kill: nothing after it happens."""


class Exchange:
    """Closed candles of one exchange out of prices by the minute: 100, but where `hits` says (high, low).

    now_ms: newest close. is_there: False answers nothing. hourly swings of half a dollar to both sides, so
    that the ATR(1h) is 1.
    """

    def __init__(self, clock: ManualClock, *, reach: int = 500) -> None:
        self.clock = clock
        self.reach = reach
        self.hits: dict[int, tuple[float, float]] = {}
        self.is_there = True
        self.name = "OKX"
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, symbol: Symbol, interval: str) -> Candles | None:
        self.asked.append((symbol.base, interval))
        if not self.is_there:
            return None
        step = INTERVAL_MS[interval]
        last = self.clock.now_ms() // step * step
        ends = tuple(range(last - (self.reach - 1) * step, last + 1, step))
        prices = [self._prices(end - step, end, interval == "1h") for end in ends]
        flat = (100.0,) * len(ends)
        highs, lows = tuple(one[0] for one in prices), tuple(one[1] for one in prices)
        return Candles(self.name, step, ends, flat, highs, lows, flat)

    def _prices(self, start_ms: int, end_ms: int, is_hour: bool) -> tuple[float, float]:
        if is_hour:
            return 100.5, 99.5
        found = [price for at_ms, price in self.hits.items() if start_ms <= at_ms < end_ms]
        return max([100.0, *(one[0] for one in found)]), min([100.0, *(one[1] for one in found)])
