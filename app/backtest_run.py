"""`python -m app.backtest [run]` and `weights`: the engine over recorded, stored or simulated history.

Owns flags, the choice of coins and period, progress and reports; what is measured is `core.backtest`'s. A
part of `backtest`, split off.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from app.alerts_config import load_alerts_config
from app.backtest_figures import day
from app.backtest_files import check_writable, write_files
from app.backtest_history import NoCandles, load_history
from app.backtest_html import render_html
from app.backtest_json import report_json
from app.backtest_markdown import render_markdown, render_weights
from app.backtest_market import NO_END_MS, Market, open_market, read_symbols, resolve_coins
from app.bootstrap_base import flow_config
from app.bootstrap_use_cases import engine_config
from app.core.backtest.engine_record import engine_record
from app.core.backtest.evaluating import CoinData, hourly_bars
from app.core.backtest.study import Run, run_engine, write_report
from app.core.backtest.weights import choose_weights
from app.core.domain.context import DataMode
from app.core.domain.engine_config import EngineConfig
from app.core.domain.formatting import format_minutes
from app.core.domain.market import DAY_MS, HOUR_MS, INTERVAL_MS
from app.core.domain.outcomes import HORIZONS_MS
from app.core.record.columns import Ints
from app.core.record.summary import summary_of
from app.core.signal_engine import score_columns
from app.progress_line import ProgressLine
from app.settings import Settings, load_settings, load_signals_config

# The simulated history is long: by default its last days are run.
_SIM_DAYS = 60
# Trades of the last evaluation are followed this much longer where there are prices.
_AFTER_MS = max(HORIZONS_MS.values()) + HOUR_MS
_REPORTS = ("report.html", "report.json", "report.md")


def add_run_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `run`."""
    add_weights_flags(parser)
    parser.add_argument("--out", type=Path, default=Path("data/backtest"), help="folder of the reports")


def add_weights_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `weights`, which writes nothing."""
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, metavar="FOLDER", help="folder of recorded market data")
    data.add_argument("--store", action="store_true", help="history in the database of DATABASE_URL")
    data.add_argument("--demo", action="store_true", help="history of the simulator's world")
    parser.add_argument("--symbols", type=read_symbols, default=(), metavar="BTC,ETH", help="left out: all")
    moment = "such as 2025-12-05; left out: where there is enough data to say LONG or SHORT"
    parser.add_argument("--from", dest="from_ms", type=parse_moment, metavar="TIME", help=moment)
    parser.add_argument("--to", dest="to_ms", type=parse_moment, metavar="TIME", help="the last evaluation")
    parser.add_argument(
        "--step",
        choices=sorted(INTERVAL_MS, key=INTERVAL_MS.__getitem__),
        default="1h",
        help="between two evaluations, no finer than the prices that trades are followed on",
    )
    parser.add_argument("--seed", type=int, default=7, help="of the simulator's world")


def parse_moment(text: str) -> int:
    """ISO date or time, UTC unless it says otherwise, as epoch milliseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-01-15") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def run_backtest(options: argparse.Namespace) -> str:
    """Run, write report.html, report.json and report.md, and return the Markdown.

    Raises:
        ValueError: no data, no such coin, no moment that can be evaluated, or the reports cannot be written.
        InvariantViolation, StorageUnavailable, SettingsError: as of what is read.
    """
    check_writable(options.out, _REPORTS)
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
    page, figures = (render(report, weights, summary=summary) for render in (render_html, report_json))
    write_files(options.out, zip(_REPORTS, (page, figures, text), strict=True))
    sys.stderr.write(f"wrote {options.out / 'report.html'}, report.json and report.md beside it\n")
    return text


def run_weights(options: argparse.Namespace) -> str:
    """What a walk-forward would have chosen, as Markdown. Raises: as `run_backtest`."""
    config, found = _evaluated(options)
    run = found.run
    record = engine_record(run.evaluations, [run.headline], config, symbol=None)
    weights = choose_weights(run.evaluations, run.headline, config)
    return render_weights(weights, is_enough=record.enough_data)


@dataclass(frozen=True, slots=True)
class _Found:
    run: Run
    words: str
    data_mode: DataMode


def _evaluated(options: argparse.Namespace) -> tuple[EngineConfig, _Found]:
    settings = load_settings()
    config = engine_config(load_signals_config(settings.signals_config))
    market = open_market(options, settings)
    line = ProgressLine(sys.stderr, monotonic=time.monotonic)
    try:
        line.show_part("reading", 0.0)
        chosen, words, moments = _choose(options, market, settings, config)
        run = run_engine(chosen, config, moments, line.show_part)
        line.show_part("done", 1.0)
    finally:
        line.close()
    return config, _Found(run, words, market.data_mode)


def _choose(
    options: argparse.Namespace, market: Market, settings: Settings, config: EngineConfig
) -> tuple[tuple[CoinData, ...], str, Ints]:
    """(coins, source in words, moments to evaluate)."""
    named = resolve_coins(options.symbols, market.coins)
    load = _loader(options, market, settings, named)
    until_ms = _until_ms(options, market)
    held = {
        base: coin for base in named or market.usual if (coin := load(base, until_ms - HOUR_MS)) is not None
    }
    spans = {base: _covered(coin, config) for base, coin in held.items()}
    kept = [base for base, span in spans.items() if span is not None or base in named]
    if not kept:
        raise ValueError("no coin has enough inputs for a direction in this data")
    # Coins that were asked for and can never speak are evaluated where they have candles.
    wide = [span for span in spans.values() if span is not None] or [_lived(held[base]) for base in kept]
    earliest_ms = _earliest_ms(options, market)
    from_ms = earliest_ms if earliest_ms is not None else min(span[0] for span in wide)
    to_ms = min(options.to_ms or NO_END_MS, max(span[1] for span in wide))
    if from_ms > to_ms:
        raise ValueError(
            f"no moment can be evaluated: the data ends {day(to_ms)} and the period begins {day(from_ms)}"
        )
    loaded = {base: coin for base in kept if (coin := load(base, from_ms)) is not None}
    coins = tuple(coin for coin in loaded.values() if len(coin.history.path))
    ended = [base for base, coin in loaded.items() if not len(coin.history.path)]
    if not coins or set(ended) & set(named):
        raise ValueError(f"no candles of {', '.join(ended)} after {day(from_ms)}")
    _check_step(options.step, coins)
    words = market.words
    for why, left_out in (
        ("they never have enough inputs for a direction", [base for base in spans if base not in kept]),
        (f"their candles end before {day(from_ms)}", ended),
    ):
        if left_out:
            words += f"; left out, because {why}: {', '.join(left_out)}"
    return coins, words, grid(from_ms, to_ms, INTERVAL_MS[options.step])


def _until_ms(options: argparse.Namespace, market: Market) -> int:
    """Trades of the last evaluation are followed a little longer than to it."""
    return market.end_ms if options.to_ms is None else min(market.end_ms, int(options.to_ms) + _AFTER_MS)


def _loader(
    options: argparse.Namespace, market: Market, settings: Settings, named: Sequence[str]
) -> Callable[[str, int], CoinData | None]:
    """(coin, from) -> its history; None for one that nobody named and that begins after the period."""
    tier_of = flow_config(load_alerts_config(settings.alerts_config)).tier_of
    until_ms = _until_ms(options, market)

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
        except NoCandles:
            if base in named:
                raise
            return None

    return load


def _check_step(step: str, coins: Sequence[CoinData]) -> None:
    """Between two bars of its path a coin has no price to enter at: the same trade would be counted many
    times."""
    coarsest = max(coins, key=lambda coin: coin.history.path.interval_ms)
    path_ms = coarsest.history.path.interval_ms
    if INTERVAL_MS[step] < path_ms:
        raise ValueError(
            f"--step {step} is finer than the prices of {coarsest.history.base}, whose trades are followed "
            f"on bars of {format_minutes(path_ms // 60_000)}: the same trade would be counted many times. "
            "Take a step as long as those bars, or coins with finer prices (--symbols)."
        )


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
    rows = np.flatnonzero(coverage >= config.least_coverage_frac)
    if not rows.size:
        return None
    # A recording begins without a past: its first points rank in nothing, which is no fault of the engine.
    first_ms = int(bars.close_ms[rows[0]]) + int(config.min_history_points) * HOUR_MS
    last_ms = int(bars.close_ms[rows[-1]])
    return (first_ms, last_ms) if first_ms < last_ms else None


def _lived(coin: CoinData) -> tuple[int, int]:
    """Closes of its first and last hourly candle."""
    closes = hourly_bars(coin.history.context).close_ms
    return int(closes[0]), int(closes[-1])


def grid(from_ms: int, to_ms: int, step_ms: int) -> Ints:
    """Moments from_ms <= t <= to_ms on the clock's grid."""
    first = -(-from_ms // step_ms) * step_ms
    return np.arange(first, to_ms + 1, step_ms, dtype=np.int64)
