"""BENCH backtest: one-minute bars of one coin through the whole engine, and a run as the command makes it.

`bars_per_s`: the engine answers at EVERY one-minute bar, and both sides of every minute are followed to
target, stop or time-out at four horizons on the minute path. Its inputs are hourly, as those of live answers
are, so the minutes of an hour repeat what the hour knows; thresholds are as close together as they may be, so
that nearly every hour has a LONG or SHORT and its Smart Money zones over estimated liquidation levels are
asked for. `end_to_end_bars_per_s` is the command's own way: hourly evaluations over the same minute path.
"""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median
from typing import NamedTuple

import numpy as np

from app.backtest_history import load_history
from app.backtest_html import render_html
from app.core.backtest.evaluating import CoinData, evaluate_history
from app.core.backtest.price_path import trade_both_sides
from app.core.backtest.study import run_engine, write_report
from app.core.backtest.weights import choose_weights
from app.core.domain.context import DataMode
from app.core.domain.engine_config import EngineConfig, Thresholds
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.signal import Mode
from app.core.record.columns import NEUTRAL
from app.core.record.summary import summary_of
from app.sim.world import SyntheticWorld
from app.sim.world_tide import EPOCH_MS
from bench.report import Figure

DAYS = 60
MINUTE_MS = 60_000
RUNS = 5
WHOLE_RUNS = 3
_END_MS = EPOCH_MS + 400 * DAY_MS
CONFIG = EngineConfig()
# So close to neutral that there is nearly always a direction, and zones to be asked for.
TALKATIVE = replace(
    CONFIG, thresholds={mode: Thresholds(long=50.0 + 1e-6, short=50.0 - 1e-6) for mode in Mode}
)


class Answered(NamedTuple):
    """One timed stretch. hours: distinct hours among the moments, spoken: those with a direction."""

    seconds: float
    hours: int
    spoken: int


class Whole(NamedTuple):
    """One run as the command makes it. report_s: of it, everything after the trades have ended."""

    seconds: float
    report_s: float
    evaluations: int


def run() -> list[Figure]:
    """Medians of the runs: bars answered per second, bars of a whole run per second, seconds of a report."""
    coin = _loaded()
    at_ms = np.arange(_END_MS - DAYS * DAY_MS, _END_MS, MINUTE_MS, dtype=np.int64)
    answered = [_answered(coin, at_ms) for _ in range(RUNS)]
    wholes = [_whole(at_ms[::60]) for _ in range(WHOLE_RUNS)]
    bars, one, whole = at_ms.size, answered[0], wholes[0]
    return [
        Figure(
            "backtest",
            "bars_per_s",
            bars / median(found.seconds for found in answered),
            "1/s",
            f"{bars:,} one-minute bars answered and followed on both sides, median of {RUNS}; inputs are "
            f"hourly: {one.hours:,} distinct hours, zones asked in {one.spoken:,} of them; aim >= 100,000",
        ),
        Figure(
            "backtest",
            "end_to_end_bars_per_s",
            bars / median(found.seconds for found in wholes),
            "1/s",
            f"the same {bars:,} bars made by the simulator, loaded, {whole.evaluations:,} hourly evaluations "
            f"followed on them, record, weights and page, median of {WHOLE_RUNS}",
        ),
        Figure(
            "backtest",
            "report_s",
            median(found.report_s for found in wholes),
            "s",
            f"record, factors, weights and page of {whole.evaluations:,} hourly evaluations, median of "
            f"{WHOLE_RUNS}",
        ),
    ]


def _loaded() -> CoinData:
    world = SyntheticWorld(7, lambda: _END_MS)
    return load_history(
        world, "BTC", from_ms=_END_MS - DAYS * DAY_MS, to_ms=_END_MS, tier=1, data_mode=DataMode.DEMO
    )


def _answered(coin: CoinData, at_ms: np.ndarray) -> Answered:
    """From histories to ended trades; nothing is kept from one run to the next."""
    history = coin.history
    begun_s = time.perf_counter()
    found = evaluate_history(history, TALKATIVE, at_ms)
    trade_both_sides(
        history.path,
        found.evaluations.at_ms,
        found.atr_usd,
        tier=history.tier,
        settlements=history.settlements,
    )
    seconds = time.perf_counter() - begun_s
    hour = found.evaluations.at_ms // HOUR_MS
    spoken = np.unique(hour[found.evaluations.direction != NEUTRAL])
    return Answered(seconds, np.unique(hour).size, spoken.size)


def _whole(at_ms: np.ndarray) -> Whole:
    begun_s = time.perf_counter()
    run = run_engine([_loaded()], CONFIG, at_ms, lambda _text, _done: None)
    ended_s = time.perf_counter()
    report = write_report(run, CONFIG, step_ms=HOUR_MS, source="simulated", data_mode=DataMode.DEMO.value)
    weights = choose_weights(run.evaluations, run.headline, CONFIG)
    render_html(report, weights, summary=summary_of(report.record))
    done_s = time.perf_counter()
    return Whole(done_s - begun_s, done_s - ended_s, len(run.evaluations))
