"""Which zones stand now, and what each is called: read off runs over real and made-up candles."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.confluence.zones import live_zones
from app.core.domain.liquidity import SmcZone, ZoneKind, ZoneState
from app.core.smc.bars import Bars, bars_of_columns
from app.core.smc.run import run_smc
from tests.smc_facts import SETS, head, oracle_bars, walk_bars

HOUR_MS = 3_600_000


def hourly(bars: Bars) -> Bars:
    """The same candles as hours, so that days and weeks hold many."""
    closes = (np.arange(len(bars)) + 1) * HOUR_MS
    return bars_of_columns(HOUR_MS, closes, bars.open, bars.high, bars.low, bars.close, bars.volume)


def zones_of(bars: Bars) -> tuple[SmcZone, ...]:
    return live_zones(bars, run_smc(bars), float(bars.close[-1]), float(bars.atr[-1]))


@pytest.mark.parametrize("name", SETS)
def test_zones_have_not_been_traded_through_since_they_are_known(name: str) -> None:
    whole = oracle_bars(name)
    kinds = set()
    for size in range(600, min(len(whole), 6_000), 700):
        bars = head(whole, size)
        for zone in zones_of(bars):
            kinds.add(zone.kind)
            since = bars.close_ms > zone.known_ms
            assert zone.bottom_usd <= zone.top_usd
            assert zone.formed_ms <= zone.known_ms <= bars.close_ms[-1]
            if zone.kind in (
                ZoneKind.ORDER_BLOCK,
                ZoneKind.FAIR_VALUE_GAP,
                ZoneKind.BREAKER,
                ZoneKind.INVERSE_GAP,
            ):
                ended_by_close = zone.kind in (ZoneKind.FAIR_VALUE_GAP, ZoneKind.INVERSE_GAP)
                low = bars.close if ended_by_close else bars.low
                high = bars.close if ended_by_close else bars.high
                if zone.is_bullish:
                    assert (low[since] >= zone.bottom_usd).all()
                else:
                    assert (high[since] <= zone.top_usd).all()
            if zone.state is ZoneState.UNTOUCHED and zone.kind is ZoneKind.ORDER_BLOCK:
                near = (
                    bars.low[since] > zone.top_usd if zone.is_bullish else bars.high[since] < zone.bottom_usd
                )
                assert near.all()
    assert kinds >= {ZoneKind.ORDER_BLOCK, ZoneKind.FAIR_VALUE_GAP, ZoneKind.BREAKER}


def test_upside_down_the_zones_act_the_other_way() -> None:
    bars = hourly(walk_bars(7, 900))
    shifted = bars.mirrored()
    price, atr = float(bars.close[-1]), float(bars.atr[-1])
    plain = live_zones(bars, run_smc(bars), price, atr)
    turned = live_zones(shifted, run_smc(shifted), -price, atr)
    doji_free = [(z.kind, not z.is_bullish, -z.bottom_usd, -z.top_usd, z.state, z.known_ms) for z in turned]
    mine = [(z.kind, z.is_bullish, z.top_usd, z.bottom_usd, z.state, z.known_ms) for z in plain]
    assert len(mine) > 5
    assert sorted(mine, key=repr) == sorted(doji_free, key=repr)


def test_a_zone_the_last_candle_swept_and_took_back_is_offered_once() -> None:
    """Traded through, closed back beyond: the sweep a reclaim plan enters on, gone with the next candle."""
    found = set()
    for name in SETS:
        whole = oracle_bars(name)
        run = run_smc(whole)
        for column in (run.blocks.broken_at, run.pools.taken_at):
            for last in (at for at in column.tolist() if 600 < at < min(6_000, len(whole)) - 2):
                found |= {(zone.kind, zone.is_bullish) for zone in swept_at(head(whole, last + 1))}
                if len(found) == 4:
                    return
    raise AssertionError(found)


def swept_at(bars: Bars) -> list[SmcZone]:
    swept = [zone for zone in zones_of(bars) if zone.label.endswith("swept")]
    for zone in swept:
        low, high, close = float(bars.low[-1]), float(bars.high[-1]), float(bars.close[-1])
        assert zone.known_ms == bars.close_ms[-1]
        if zone.is_bullish:
            assert low < zone.bottom_usd <= zone.top_usd < close
        else:
            assert close < zone.bottom_usd <= zone.top_usd < high
    return swept


@pytest.mark.parametrize("seed", [1, 7])
def test_a_run_over_a_longer_history_shows_the_zones_of_its_own_time(seed: int) -> None:
    whole = hourly(walk_bars(seed, 900))
    run = run_smc(whole)
    kinds = set()
    for size in range(20, len(whole), 11):
        bars = head(whole, size)
        price, atr = float(bars.close[-1]), float(bars.atr[-1])
        found = live_zones(bars, run, price, atr)
        assert found == live_zones(bars, run_smc(bars), price, atr)
        kinds |= {(zone.kind, zone.state) for zone in found}
    assert len(kinds) >= 9


def test_nearest_first_and_nothing_from_far_away() -> None:
    bars = hourly(walk_bars(7, 900))
    price, atr = float(bars.close[-1]), float(bars.atr[-1])
    found = zones_of(bars)
    gaps = [max(zone.bottom_usd - price, price - zone.top_usd, 0.0) for zone in found]
    assert gaps == sorted(gaps)
    assert max(gaps) <= 10 * atr


def test_levels_of_the_day_before_stand_until_they_are_broken() -> None:
    quiet = hourly(walk_bars(1, 60, tick=0.0))
    spiked = quiet.high.copy()
    spiked[20] = 1_100.0  # the first day
    bars = bars_of_columns(HOUR_MS, quiet.close_ms, quiet.open, spiked, quiet.low, quiet.close, quiet.volume)
    kinds = [z for z in live_zones(bars, run_smc(bars), 1_000.0, 20.0) if z.kind is ZoneKind.PREVIOUS_LEVEL]
    assert not any(zone.top_usd == 1_100.0 for zone in kinds)  # that was the day before yesterday
    shorter = head(bars, 40)
    (found,) = [z for z in live_zones(shorter, run_smc(shorter), 1_000.0, 20.0) if z.top_usd == 1_100.0]
    assert (found.label, found.is_bullish) == ("high of the day before", False)
    assert found.known_ms == 24 * HOUR_MS
