"""BENCH backtest: one-minute bars of one coin through the whole engine.

The engine answers at EVERY one-minute bar from the hourly inputs that live answers have: eight factors ranked
in their own month, confidence, regimes, Smart Money zones over estimated liquidation levels for each hour
with a LONG or SHORT; and both sides of every minute are followed to target, stop or time-out at four horizons
on the minute path.
"""

from __future__ import annotations

import time

import numpy as np

from app.backtest_history import load_history
from app.core.backtest.evaluating import CoinData, evaluate_history
from app.core.backtest.price_path import trade_both_sides
from app.core.backtest.study import run_engine, write_report
from app.core.domain.context import DataMode
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import DAY_MS
from app.sim.world import SyntheticWorld
from app.sim.world_tide import EPOCH_MS
from bench.report import Figure

DAYS = 60
MINUTE_MS = 60_000
RUNS = 5
_END_MS = EPOCH_MS + 400 * DAY_MS
CONFIG = EngineConfig()


def run() -> list[Figure]:
    """bars_per_s: bars over the best of five runs, from loaded histories to ended trades; report_s: the
    record, factors and weights of hourly evaluations of the same history."""
    coin = _loaded()
    at_ms = np.arange(_END_MS - DAYS * DAY_MS, _END_MS, MINUTE_MS, dtype=np.int64)
    best_s = min(_timed(coin, at_ms) for _ in range(RUNS))
    hourly = at_ms[::60]
    begun_s = time.perf_counter()
    found = run_engine([coin], CONFIG, hourly, lambda _text, _done: None)
    write_report(found, CONFIG, step_ms=60 * MINUTE_MS, source="simulated", data_mode="demo")
    report_s = time.perf_counter() - begun_s
    bars = at_ms.size
    return [
        Figure(
            "backtest",
            "bars_per_s",
            bars / best_s,
            "1/s",
            f"{bars:,} one-minute bars, answered and traded at every one, best of {RUNS}; aim >= 100,000",
        ),
        Figure("backtest", "report_s", report_s, "s", f"record of {hourly.size:,} hourly evaluations"),
    ]


def _loaded() -> CoinData:
    world = SyntheticWorld(7, lambda: _END_MS)
    return load_history(
        world, "BTC", from_ms=_END_MS - DAYS * DAY_MS, to_ms=_END_MS, tier=1, data_mode=DataMode.DEMO
    )


def _timed(coin: CoinData, at_ms: np.ndarray) -> float:
    """Seconds from histories to ended trades; nothing is kept from one run to the next."""
    history = coin.history
    begun_s = time.perf_counter()
    found = evaluate_history(history, CONFIG, at_ms)
    trade_both_sides(
        history.path,
        found.evaluations.at_ms,
        found.atr_usd,
        tier=history.tier,
        settlements=history.settlements,
    )
    return time.perf_counter() - begun_s
