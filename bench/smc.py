"""BENCH smc: the Smart Money engine against the public package, in one run, and bar by bar.

The package runs in an environment of its own (`requirements-bench.txt`, made on first use), because it pulls
numba and pandas. Both sides do the same work on the same candles: swings, structure, gaps, blocks, pools,
levels of the day before, one session and retracements; ours adds sweeps and dealing ranges, which it has not.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from app.core.smc.bars import Bars, bars_of_columns
from app.core.smc.engine import Candle, SmcEngine
from app.core.smc.periods import Period, PreviousTracker, previous_levels
from app.core.smc.run import run_smc
from app.core.smc.sessions import SESSIONS, SessionTracker, session_columns
from bench.report import Figure

SMALL, LARGE = 10_000, 100_000
INTERVAL_MS = 300_000
START_MS = 1_700_006_400_000
RUNS = 25
_ROOT = Path(__file__).resolve().parents[1]
_LONDON = next(session for session in SESSIONS if session.name == "london")


def run() -> list[Figure]:
    """speedup_*: the package's time over ours; growth: 100k over 10k; incremental_*: one new candle."""
    times: dict[int, tuple[float, float]] = {}
    for size in (SMALL, LARGE):
        bars = made_up(size)
        times[size] = _best(partial(whole, bars)), _package_s(bars)
    mean_us, p99_us, worst_us = _incremental()
    growth = times[LARGE][0] / times[SMALL][0]
    return [
        _speedup("speedup_10k", times[SMALL], 100),
        _speedup("speedup_100k", times[LARGE], 150),
        Figure("smc", "growth_10k_100k", growth, "x", "our time at 100k / at 10k; aim <= 10"),
        Figure("smc", "incremental_us", mean_us, "us", f"mean of {LARGE:,} candles; aim <= 12"),
        Figure("smc", "incremental_p99_us", p99_us, "us", f"worst {worst_us:.0f} us; aim <= 50"),
    ]


def _speedup(name: str, times: tuple[float, float], aim: int) -> Figure:
    ours, theirs = times
    context = f"package {theirs * 1e3:,.0f} ms, ours {ours * 1e3:.1f} ms, same candles; aim >= {aim}"
    return Figure("smc", name, theirs / ours, "x", context)


def made_up(size: int) -> Bars:
    """A random walk with fat tails and calm and wild hours, as prices of a perpetual have them."""
    rng = np.random.default_rng(20_261_126)
    scale = 0.0008 * np.exp(0.6 * np.sin(np.arange(size) / 400))
    close = np.round(60_000 * np.exp(np.cumsum(rng.standard_t(4, size) * scale)), 1)
    open_ = np.append(60_000.0, close[:-1])
    high = np.round(np.maximum(open_, close) * (1 + rng.exponential(0.0005, size)), 1)
    low = np.round(np.minimum(open_, close) * (1 - rng.exponential(0.0005, size)), 1)
    closes = START_MS + (np.arange(size) + 1) * INTERVAL_MS
    return bars_of_columns(INTERVAL_MS, closes, open_, high, low, close, rng.exponential(300.0, size))


def whole(bars: Bars) -> object:
    """Everything, vectorised, from plain columns on; what was found, as somebody wants it."""
    columns = (bars.close_ms, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return (
        run_smc(bars_of_columns(bars.interval_ms, *columns)),
        previous_levels(bars, Period.DAY),
        session_columns(bars, _LONDON),
    )


def _best(work: Callable[[], object]) -> float:
    """Least time of several runs; the outcome of the one before is held meanwhile, on both sides alike."""
    best, held = float("inf"), None
    for _ in range(RUNS):
        begin = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - begin)
        held = found
    del held
    return best


def _package_s(bars: Bars) -> float:
    """The package's best time on the same candles, in its own process."""
    python = _environment()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candles.npz"
        np.savez(
            path,
            time_ms=bars.close_ms - bars.interval_ms,
            **{name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")},
        )
        # It greets whoever imports it, with an emoji.
        env = {**os.environ, "PYTHONIOENCODING": "utf-8", "SMC_CREDIT": "0"}
        command = [str(python), str(_ROOT / "bench" / "smc_package.py"), str(path)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["best_s"])


def _environment() -> Path:
    """The interpreter of `.venv-bench`, made when it is not there yet."""
    folder, wanted = _ROOT / ".venv-bench", _ROOT / "requirements-bench.txt"
    python = folder / "bin" / "python"
    stamp = folder / ".made"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        print("installing requirements-bench.txt", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = ["-m", "pip", "--disable-pip-version-check", "-q", "install", "--require-hashes", "-r"]
        subprocess.run([str(python), *install, str(wanted)], check=True)
        stamp.write_text(wanted.read_text())
    return python


def _incremental() -> tuple[float, float, float]:
    """Mean, 99th percentile and worst time of one candle, microseconds, with the collector as in the
    service."""
    bars = made_up(LARGE)
    columns = (bars.close_ms, bars.open, bars.high, bars.low, bars.close, bars.volume)
    candles = [Candle(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    engine, day = SmcEngine(), PreviousTracker(INTERVAL_MS, Period.DAY)
    session = SessionTracker(_LONDON)
    spent = np.empty(LARGE)
    clock = time.perf_counter_ns
    gc.collect()
    gc.freeze()
    for n, candle in enumerate(candles):
        begin = clock()
        engine.update(candle)
        open_ms = candle.close_ms - INTERVAL_MS
        day.update(open_ms, candle.high, candle.low, candle.close)
        session.update(open_ms, candle.high, candle.low)
        spent[n] = clock() - begin
    gc.unfreeze()
    spent /= 1e3
    return float(spent.mean()), float(np.percentile(spent, 99)), float(spent.max())
