"""`python -m app.backtest [run]` and `weights`: the engine over recorded, stored or simulated history.

Owns flags, the choice of data and period, progress and files; what is measured is `core.backtest`'s. A part
of `backtest`, split off.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from app.alerts_config import load_alerts_config
from app.backtest_history import HistorySource, load_history
from app.backtest_html import render_html
from app.backtest_json import report_json
from app.backtest_markdown import render_markdown, render_weights
from app.backtest_stored import read_store
from app.bootstrap_base import flow_config
from app.bootstrap_use_cases import engine_config
from app.core.backtest.evaluating import CoinData, hourly_bars
from app.core.backtest.study import Run, run_engine, write_report
from app.core.backtest.weights import choose_weights
from app.core.domain.context import DataMode
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import DAY_MS, HOUR_MS, INTERVAL_MS
from app.core.domain.outcomes import HORIZONS_MS
from app.core.record.columns import Ints
from app.core.record.summary import summary_of
from app.core.signal_engine import score_columns
from app.progress_line import ProgressLine
from app.services.storage.alerts import SqlAlerts
from app.services.storage.bars import SqlBars
from app.services.storage.engine import open_engine
from app.services.storage.liquidation_hours import SqlLiquidationHours
from app.settings import Settings, load_settings, load_signals_config
from app.sim.recorded import RecordedSource
from app.sim.world import SyntheticWorld
from app.sim.world_tide import EPOCH_MS
from app.store import check_there, require_head
from app.store_status import data_mode_of

# The simulated history ends here, whatever the date: the same figures on every day.
_SIM_END_MS = EPOCH_MS + 400 * DAY_MS
_SIM_COINS = ("BTC", "ETH", "SOL")
_SIM_DAYS = 60
# Trades of the last evaluation are followed this much longer where there are prices.
_AFTER_MS = max(HORIZONS_MS.values()) + HOUR_MS
_NO_END_MS = 2**53


@dataclass(frozen=True, slots=True)
class Market:
    """Where the history comes from. coins: what it knows; end_ms: nothing later is asked for."""

    source: HistorySource
    coins: tuple[str, ...]
    data_mode: DataMode
    words: str
    end_ms: int


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `run` and `weights`."""
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, metavar="FOLDER", help="folder of recorded market data")
    data.add_argument("--store", action="store_true", help="history in the database of DATABASE_URL")
    data.add_argument("--demo", action="store_true", help="history of the simulator's world")
    parser.add_argument("--symbols", type=_symbols, default=(), metavar="BTC,ETH", help="left out: all")
    moment = "such as 2025-12-05; left out: where there is enough data to say LONG or SHORT"
    parser.add_argument("--from", dest="from_ms", type=parse_moment, metavar="TIME", help=moment)
    parser.add_argument("--to", dest="to_ms", type=parse_moment, metavar="TIME", help="the last evaluation")
    parser.add_argument("--step", choices=sorted(INTERVAL_MS, key=INTERVAL_MS.__getitem__), default="1h")
    parser.add_argument("--seed", type=int, default=7, help="of the simulator's world")
    parser.add_argument("--out", type=Path, default=Path("data/backtest"), help="folder of the reports")


def parse_moment(text: str) -> int:
    """ISO date or time, UTC unless it says otherwise, as epoch milliseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-01-15") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _symbols(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))


def run_backtest(options: argparse.Namespace) -> str:
    """Run, write report.html, report.json and report.md, and return the Markdown.

    Raises:
        ValueError: no data, no such coin or no moment that can be evaluated.
        InvariantViolation, StorageUnavailable, SettingsError: as of what is read.
    """
    config, found = _evaluated(options)
    report = write_report(
        found.run,
        config,
        step_ms=INTERVAL_MS[options.step],
        source=found.words,
        data_mode=found.data_mode.value,
    )
    weights = choose_weights(found.run.evaluations, found.run.headline, config)
    summary = summary_of(report.record)
    text = render_markdown(report, weights, summary=summary)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("report.html", render_html(report, weights, summary=summary)),
        ("report.json", report_json(report, weights, summary=summary)),
        ("report.md", text),
    ):
        (options.out / name).write_text(content, encoding="utf-8")
    sys.stderr.write(f"wrote {options.out / 'report.html'}, report.json and report.md beside it\n")
    return text


def run_weights(options: argparse.Namespace) -> str:
    """What a walk-forward would have chosen, as Markdown. Raises: as `run_backtest`."""
    config, found = _evaluated(options)
    return render_weights(choose_weights(found.run.evaluations, found.run.headline, config))


@dataclass(frozen=True, slots=True)
class _Found:
    run: Run
    words: str
    data_mode: DataMode


def _evaluated(options: argparse.Namespace) -> tuple[EngineConfig, _Found]:
    settings = load_settings()
    config = engine_config(load_signals_config(settings.signals_config))
    market = _market(options, settings)
    line = ProgressLine(sys.stderr, monotonic=time.monotonic)
    line.show_part("reading", 0.0)
    chosen, words, from_ms, to_ms = _choose(options, market, settings, config)
    run = run_engine(
        chosen,
        config,
        grid(from_ms, to_ms, INTERVAL_MS[options.step]),
        line.show_part,
    )
    line.show_part("done", 1.0)
    line.close()
    return config, _Found(run, words, market.data_mode)


def _market(options: argparse.Namespace, settings: Settings) -> Market:
    if options.demo:
        world = SyntheticWorld(options.seed, lambda: _SIM_END_MS)
        coins = options.symbols or _SIM_COINS
        words = f"SIMULATED world, seed {options.seed}: says nothing of a market"
        return Market(world, coins, DataMode.DEMO, words, _SIM_END_MS)
    if options.store:
        return asyncio.run(_stored(options, settings))
    source = RecordedSource(options.data, lambda: _NO_END_MS)
    return Market(
        source, tuple(coin.base for coin in source.coins()), DataMode.REPLAY, "recorded data", _NO_END_MS
    )


async def _stored(options: argparse.Namespace, settings: Settings) -> Market:
    """Raises: StorageUnavailable, ValueError (nothing is stored)."""
    now_ms = time.time_ns() // 1_000_000
    coins = options.symbols or settings.symbols
    url = settings.store_url()
    check_there(url)
    engine = open_engine(url, statement_timeout_s=None)
    try:
        await require_head(engine)
        mode = await data_mode_of(engine)
        source = await read_store(
            SqlBars(engine, now_ms=lambda: now_ms),
            SqlLiquidationHours(engine, now_ms=lambda: now_ms),
            SqlAlerts(engine, now_ms=lambda: now_ms),
            coins,
            from_ms=0,
            to_ms=now_ms,
        )
    finally:
        await engine.dispose()
    held = tuple(coin for coin in coins if source.last_close_ms(coin) is not None)
    if not held:
        raise ValueError(f"no hourly candles of {', '.join(coins)} are stored: python -m app.backfill first")
    return Market(source, held, DataMode(mode or "live"), "the store", now_ms)


def _choose(
    options: argparse.Namespace, market: Market, settings: Settings, config: EngineConfig
) -> tuple[tuple[CoinData, ...], str, int, int]:
    """(coins, source in words, first and last evaluation)."""
    unknown = sorted(set(options.symbols) - set(market.coins))
    if unknown:
        raise ValueError(
            f"no history of {', '.join(unknown)}; there is one of {', '.join(sorted(market.coins))}"
        )
    tier_of = flow_config(load_alerts_config(settings.alerts_config)).tier_of
    until_ms = market.end_ms if options.to_ms is None else min(market.end_ms, options.to_ms + _AFTER_MS)
    earliest_ms = _earliest_ms(options, market)

    def load(base: str, from_ms: int) -> CoinData | None:
        try:
            return load_history(
                market.source,
                base,
                from_ms=from_ms,
                to_ms=until_ms,
                tier=tier_of(base),
                data_mode=market.data_mode,
            )
        except ValueError:
            if base in options.symbols:
                raise
            return None  # events only: there is nothing to evaluate

    names = options.symbols or market.coins
    spans = {
        base: _covered(coin, config) for base in names if (coin := load(base, until_ms - HOUR_MS)) is not None
    }
    kept = [base for base, span in spans.items() if span is not None or base in options.symbols]
    if not kept:
        raise ValueError("no coin has enough inputs for a direction in this data")
    firsts = [span[0] for span in spans.values() if span is not None]
    lasts = [span[1] for span in spans.values() if span is not None]
    from_ms = earliest_ms if earliest_ms is not None else min(firsts, default=0)
    to_ms = min(options.to_ms or _NO_END_MS, max(lasts, default=_NO_END_MS))
    if from_ms > to_ms:
        raise ValueError(
            f"no moment can be evaluated: the data ends {_day(to_ms)} and the period begins {_day(from_ms)}"
        )
    coins = tuple(coin for base in kept if (coin := load(base, from_ms)) is not None)
    left_out = [base for base in spans if base not in kept]
    words = market.words
    if left_out:
        words += f"; left out, because they never have enough inputs for a direction: {', '.join(left_out)}"
    return coins, words, from_ms, to_ms


def _earliest_ms(options: argparse.Namespace, market: Market) -> int | None:
    if options.from_ms is None and options.demo:
        return market.end_ms - _SIM_DAYS * DAY_MS
    found: int | None = options.from_ms
    return found


def _covered(coin: CoinData, config: EngineConfig) -> tuple[int, int] | None:
    """First and last hour at which the engine could say LONG or SHORT, once it has a history to rank in;
    None: it never could."""
    bars = hourly_bars(coin.history.context)
    coverage = score_columns(coin.history.context, config, bars.close_ms).coverage
    rows = np.flatnonzero(coverage >= config.min_coverage_frac - 1e-12)
    if not rows.size:
        return None
    # A recording begins without a past: its first points rank in nothing, which is no fault of the engine.
    first_ms = int(bars.close_ms[rows[0]]) + int(config.min_history_points) * HOUR_MS
    last_ms = int(bars.close_ms[rows[-1]])
    return (first_ms, last_ms) if first_ms < last_ms else None


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def grid(from_ms: int, to_ms: int, step_ms: int) -> Ints:
    """Moments from_ms <= t <= to_ms on the clock's grid."""
    first = -(-from_ms // step_ms) * step_ms
    return np.arange(first, to_ms + 1, step_ms, dtype=np.int64)
