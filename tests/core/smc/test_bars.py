"""Candles as they come: forming, twice, out of order, with holes, flat, without volume, or one only."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.core.domain.market import Candles
from app.core.errors import InvariantViolation
from app.core.smc.bars import build_bars, running_mean, wilder_atr
from app.core.smc.engine import Candle, SmcEngine
from app.core.smc.run import run_smc
from tests.smc_facts import candles_of, walk_bars

MINUTE_MS = 60_000


def candles(*rows: tuple[int, float, float, float, float], volume: bool = True) -> Candles:
    """(minute of the close, open, high, low, close) each."""
    minutes, opens, highs, lows, closes = zip(*rows, strict=True) if rows else ((),) * 5
    return Candles(
        exchange="OKX",
        interval_ms=MINUTE_MS,
        close_ms=tuple(minute * MINUTE_MS for minute in minutes),
        open=opens,
        high=highs,
        low=lows,
        close=closes,
        volume_base=(1.0,) * len(rows) if volume else None,
    )


ONE, TWO, THREE = (1, 10, 12, 9, 11), (2, 11, 13, 10, 12), (5, 12, 14, 11, 13)


def test_order_is_restored_doubles_are_dropped_and_holes_counted() -> None:
    corrected = (2, 11, 13.5, 10, 12.5)
    bars = build_bars(candles(THREE, TWO, ONE, corrected), 99 * MINUTE_MS)
    assert (bars.close_ms // MINUTE_MS).tolist() == [1, 2, 5]
    assert bars.high.tolist() == [12, 13.5, 14]  # of two with the same close, the one given later
    assert bars.missing_bars == 2


def test_a_forming_candle_is_never_input() -> None:
    assert (build_bars(candles(ONE, TWO), 2 * MINUTE_MS - 1).close_ms // MINUTE_MS).tolist() == [1]


@pytest.mark.parametrize(
    "bad", [(2, math.nan, 13, 10, 12), (2, 11, 13, 10, 14), (2, 11, 13, 11.5, 12), (2, 11, math.inf, 10, 12)]
)
def test_an_impossible_candle_is_refused_by_both_forms(bad: tuple[int, float, float, float, float]) -> None:
    with pytest.raises(InvariantViolation):
        build_bars(candles(ONE, bad), 99 * MINUTE_MS)
    engine = SmcEngine()
    engine.update(Candle(*ONE, 1.0))
    with pytest.raises(InvariantViolation):
        engine.update(Candle(*bad, 1.0))
    engine.update(Candle(*TWO, 1.0))  # the engine is as it was
    assert engine.run().bars == 2


@pytest.mark.parametrize("minute", [1, 2])
def test_the_engine_refuses_a_candle_that_is_not_later(minute: int) -> None:
    engine = SmcEngine()
    engine.update(Candle(*TWO, 1.0))
    with pytest.raises(InvariantViolation, match="twice or out of order"):
        engine.update(Candle(minute, 10, 12, 9, 11, 1.0))


@pytest.mark.parametrize("rows", [(), (ONE,), (ONE, TWO)])
def test_too_few_candles_find_nothing(rows: tuple[tuple[int, float, float, float, float], ...]) -> None:
    run = run_smc(build_bars(candles(*rows), 99 * MINUTE_MS))
    assert run.bars == len(rows)
    assert run.swings.i.size == run.gaps.i.size == run.blocks.i.size == run.pools.dir.size == 0
    assert np.isnan(run.ranges.pos).all()


def test_flat_prices_have_an_atr_of_zero_and_nothing_in_units_of_it() -> None:
    flat = candles(*((minute, 5.0, 5.0, 5.0, 5.0) for minute in range(1, 60)))
    bars = build_bars(flat, 99 * MINUTE_MS)
    run = run_smc(bars)
    assert bars.atr[20] == 0
    assert run.swings.i.size == run.gaps.i.size == 0


def test_volume_that_nobody_knows_stays_unknown() -> None:
    walk = [(candle[0] // 900_000, *candle[1:5]) for candle in candles_of(walk_bars(2, 400))]
    run = run_smc(build_bars(candles(*walk, volume=False), 999 * MINUTE_MS))
    assert run.blocks.i.size > 0
    assert np.isnan(run.blocks.rel_volume).all()
    assert not run.sweeps.is_stop_hunt.any()


def test_atr_is_wilders() -> None:
    high, low = np.full(15, 11.0), np.full(15, 9.0)
    high[14], low[14] = 18.0, 2.0
    atr = wilder_atr(high, low, np.full(15, 10.0))
    assert np.isnan(atr[:13]).all()
    assert atr[13:].tolist() == [2.0, 3.0]


def test_the_mean_begins_when_there_are_enough() -> None:
    assert np.isnan(running_mean(np.arange(5.0), 6)).all()
    np.testing.assert_array_equal(running_mean(np.array([1.0, 2.0, 3.0, 7.0]), 2), [math.nan, 1.5, 2.5, 5.0])
