"""A whole backtest of a simulated coin: net returns by an independent count, costs, labels, determinism."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from app.backtest_history import load_history
from app.core.backtest.evaluating import CoinData, hourly_bars
from app.core.backtest.price_path import Settlements
from app.core.backtest.report import BacktestReport
from app.core.backtest.study import Run, run_engine, write_report
from app.core.backtest.variants import ever_tried
from app.core.backtest.weights import choose_weights
from app.core.domain.context import DataMode
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.quality import Reading
from app.core.record.columns import LONG, OPEN, SCORED, SHORT, SideOutcomes
from app.core.record.probability import fit_calibrator
from app.sim.world import SyntheticWorld
from app.sim.world_tide import EPOCH_MS

CONFIG = EngineConfig()
END_MS = EPOCH_MS + 250 * DAY_MS
FROM_MS = END_MS - 45 * DAY_MS
COINS = ("BTC", "DOGE")
TIERS = {"BTC": 1, "DOGE": 2}


@lru_cache
def coins() -> tuple[CoinData, ...]:
    world = SyntheticWorld(11, lambda: END_MS)
    return tuple(
        load_history(world, base, from_ms=FROM_MS, to_ms=END_MS, tier=TIERS[base], data_mode=DataMode.DEMO)
        for base in COINS
    )


def evaluated(chosen: tuple[CoinData, ...]) -> Run:
    at_ms = np.arange(FROM_MS, END_MS, HOUR_MS, dtype=np.int64)
    return run_engine(chosen, CONFIG, at_ms, lambda _text, _done: None)


@lru_cache
def run() -> Run:
    return evaluated(coins())


@lru_cache
def report() -> BacktestReport:
    return written(run())


def written(found: Run) -> BacktestReport:
    return write_report(found, CONFIG, step_ms=HOUR_MS, source="simulated", data_mode="demo")


def counted_apart(coin: CoinData, at_ms: int, side: int, length_ms: int) -> float | None:
    """Net return of one trade, by a few lines of arithmetic that know nothing of the product's code."""
    path, context = coin.history.path, coin.history.context
    hours = hourly_bars(context)
    row = int(np.searchsorted(hours.close_ms, at_ms, side="right")) - 1
    high, low, close = hours.high[: row + 1], hours.low[: row + 1], hours.close[: row + 1]
    before = np.append(np.nan, close[:-1])
    true_range = np.fmax(high - low, np.fmax(np.abs(high - before), np.abs(low - before)))
    atr = float(true_range[:14].mean())
    for one in true_range[14:]:
        atr = (13.0 * atr + float(one)) / 14.0
    first = int(np.searchsorted(path.start_ms, at_ms))
    last = int(np.searchsorted(path.start_ms, path.start_ms[first] + length_ms))
    if path.start_ms[first] + length_ms > path.start_ms[-1] + path.interval_ms:
        return None
    entry = path.open[first]
    window = slice(first, last)
    up = np.flatnonzero(path.high[window] >= entry + atr)
    down = np.flatnonzero(path.low[window] <= entry - atr)
    never = last - first
    hit_up, hit_down = (int(one[0]) if one.size else never for one in (up, down))
    good, bad = (hit_up, hit_down) if side > 0 else (hit_down, hit_up)
    end_ms = path.start_ms[first] + length_ms
    if bad <= good and bad < never:
        exit_usd = entry - side * atr
        gapped = path.open[first + bad]
        exit_usd = min(exit_usd, gapped) if side > 0 else max(exit_usd, gapped)
        end_ms = path.start_ms[first + bad] + path.interval_ms
    elif good < never:
        exit_usd = entry + side * atr
        end_ms = path.start_ms[first + good] + path.interval_ms
    else:
        exit_usd = path.close[last - 1]
    paid = 0.0
    settled = coin.history.settlements
    assert settled is not None
    for stamp, rate in zip(settled.at_ms.tolist(), settled.rate_frac.tolist(), strict=True):
        if path.start_ms[first] < stamp <= end_ms:
            paid += side * rate
    fees = 2 * (0.0005 + (0.0003 if coin.history.tier == 1 else 0.0009))
    return float(side * (exit_usd / entry - 1.0) - fees - paid)


def test_an_independent_count_gives_the_same_net_returns() -> None:
    evaluations = run().evaluations
    rng = np.random.default_rng(4)
    rows = rng.choice(len(evaluations), 150, replace=False)
    compared = 0
    for outcomes in run().outcomes:
        for row in rows.tolist():
            for side, found in ((LONG, outcomes.long), (SHORT, outcomes.short)):
                coin = coins()[int(evaluations.coin[row])]
                wanted = counted_apart(coin, int(evaluations.at_ms[row]), side, outcomes.length_ms)
                if wanted is None:
                    assert found.state[row] == OPEN
                    continue
                assert found.state[row] == SCORED
                assert found.net_frac[row] == pytest.approx(wanted, abs=1e-9)
                compared += 1
    assert compared > 1_000


def test_doubling_costs_lowers_the_net_return_of_every_trade() -> None:
    headline = report().record.horizons[2].engine
    dearer = report().dearer
    assert headline.mean_net is not None
    assert dearer.mean_net is not None
    assert dearer.mean_net.mean < headline.mean_net.mean - 0.0015
    assert dearer.wins <= headline.wins
    assert (dearer.scored, dearer.emitted) == (headline.scored, headline.emitted)
    (twice,) = run().dearer
    for once, doubled in ((run().headline.long, twice.long), (run().headline.short, twice.short)):
        scored = once.state == SCORED
        assert scored.any()
        assert np.array_equal(scored, doubled.state == SCORED)
        assert (doubled.net_frac[scored] <= once.net_frac[scored] - 0.0015).all()


def test_shuffled_outcomes_show_no_skill() -> None:
    """Whole days change places, so that neighbouring hours stay together and tell nothing all the same."""
    found = run()
    days = found.evaluations.at_ms // DAY_MS
    for seed in range(5):
        rng = np.random.default_rng(seed)
        names = np.unique(days)
        moved = dict(zip(names.tolist(), rng.permutation(names).tolist(), strict=True))
        by_day = {day: np.flatnonzero(days == day) for day in names.tolist()}
        order = np.concatenate([np.resize(by_day[moved[day]], by_day[day].size) for day in names.tolist()])
        headline = found.headline
        mixed = replace(
            headline,
            long=mix(headline.long, order, found.evaluations.at_ms),
            short=mix(headline.short, order, found.evaluations.at_ms),
        )
        calibrated, calibrator, why_not = fit_calibrator(found.evaluations, mixed)
        assert calibrator is None
        assert why_not
        assert calibrated is not None
        assert calibrated.gain.low <= 0.0


def mix(side: SideOutcomes, order: np.ndarray, at_ms: np.ndarray) -> SideOutcomes:
    shuffled = SideOutcomes(
        side.state[order],
        side.win[order],
        side.net_frac[order],
        side.cost_frac[order],
        side.barrier_frac[order],
        side.end_ms,
    )
    return replace(shuffled, end_ms=np.maximum(side.end_ms, at_ms))


def test_the_report_is_the_same_every_time_and_its_counts_add_up() -> None:
    assert written(evaluated(coins())) == report()
    record = report().record
    assert record.evaluations == record.long + record.short + record.neutral == len(run().evaluations)
    assert sum(coin.evaluations for coin in report().coins) == record.evaluations
    for horizon in record.horizons:
        engine = horizon.engine
        assert engine.emitted == record.long + record.short
        assert engine.scored + engine.unscorable + engine.open == engine.emitted
    assert record.variants == ever_tried(CONFIG)
    assert [coin.base for coin in report().coins] == list(COINS)


def test_the_order_of_the_coins_changes_no_figure() -> None:
    assert written(evaluated(coins()[::-1])) == report()


def test_moments_that_were_asked_for_stand_beside_those_evaluated() -> None:
    """207 hours before the first candle of a coin: asked for, and not evaluated."""
    (coin, *_) = coins()
    first_ms = int(hourly_bars(coin.history.context).close_ms[0])
    at_ms = np.arange(first_ms - 207 * HOUR_MS, first_ms + 300 * HOUR_MS, HOUR_MS, dtype=np.int64)
    found = written(run_engine([coin], CONFIG, at_ms, lambda _text, _done: None))
    assert found.asked - found.record.evaluations == 207
    assert (found.asked, report().asked) == (507, 2 * 45 * 24)


def test_the_step_is_the_one_that_was_asked_for_even_of_a_single_moment() -> None:
    found = run_engine(coins(), CONFIG, np.array([END_MS - 3 * DAY_MS]), lambda _text, _done: None)
    assert len(found.evaluations) == 2
    assert written(found).step_ms == HOUR_MS


def test_trades_whose_funding_is_not_known_are_counted() -> None:
    """Settlements of one coin end ten days early: its scored trades from then on, and no others."""
    first, second = coins()
    known = first.history.settlements
    assert known is not None
    kept = known.at_ms < END_MS - 10 * DAY_MS
    cut = Settlements(known.at_ms[kept], known.rate_frac[kept])
    short = replace(first, history=replace(first.history, settlements=cut))
    found = evaluated((short, second))
    headline, evaluations = found.headline, found.evaluations
    end_ms = np.where(evaluations.direction == LONG, headline.long.end_ms, headline.short.end_ms)
    is_trade = (evaluations.direction != 0) & (headline.long.state == SCORED)
    due_ms = int(cut.at_ms[-1]) + 8 * HOUR_MS
    wanted = int((is_trade & (evaluations.coin == 0) & (end_ms >= due_ms)).sum())
    assert written(found).funding_unknown == wanted > 0
    assert report().funding_unknown == 0


def test_a_candle_a_hundred_times_as_high_is_named_and_kept() -> None:
    (coin, *_) = coins()
    candles = coin.history.context.candles
    assert isinstance(candles, Reading)
    high = list(candles.value.high)
    high[-100] *= 100.0
    spoilt = replace(candles, value=replace(candles.value, high=tuple(high)))
    context = replace(coin.history.context, candles=spoilt)
    found = written(evaluated((replace(coin, history=replace(coin.history, context=context)),)))
    (hourly, path) = found.coins[0].odd_bars
    assert hourly.furthest[0].end_ms == candles.value.close_ms[-100]
    assert hourly.furthest[0].factor == pytest.approx(100.0, rel=0.05)
    assert hourly.odd == report().coins[0].odd_bars[0].odd + 1
    assert (path.what, found.coins[0].path_ms) == ("price path of 1 min", 60_000)
    assert found.record.evaluations == report().coins[0].evaluations


def test_curves_end_at_the_total_of_their_rule() -> None:
    totals = {curve.name: curve.points[-1][1] for curve in report().curves if curve.points}
    headline = report().record.horizons[2]
    assert totals["engine"] == pytest.approx(headline.engine.total_net_frac)
    for rule in headline.baselines:
        if rule.name in totals:
            assert totals[rule.name] == pytest.approx(rule.total_net_frac)


def test_the_walk_forward_over_weights_counts_the_same_default_trades() -> None:
    found = choose_weights(run().evaluations, run().headline, CONFIG)
    from_ms = found.folds[0].from_ms
    late = run().evaluations.at_ms >= from_ms
    direction = run().evaluations.direction[late]
    headline = run().headline.where(late)
    long = (direction == LONG) & (headline.long.state == SCORED)
    short = (direction == SHORT) & (headline.short.state == SCORED)
    assert found.default_trades == int(long.sum() + short.sum())
