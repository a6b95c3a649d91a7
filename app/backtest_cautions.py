"""What a reader of a backtest has to know beside the figures: costs, odd data, what nobody may conclude,
every note.

A part of `backtest`.
"""

from __future__ import annotations

import math

from app.backtest_figures import UNKNOWN, bp, count, is_known, moment, percent, signed
from app.backtest_words import missing_inputs
from app.core.backtest.odd_bars import OddBars
from app.core.backtest.report import BacktestReport
from app.core.domain.context import DataMode
from app.core.domain.formatting import format_minutes
from app.core.domain.track_record import ENOUGH_EFFECTIVE_N, TradeStats
from app.core.outcomes.costs import HALF_SPREAD_FRAC, SLIPPAGE_FRAC, TAKER_FEE_FRAC, round_trip_frac


def costs_stated() -> str:
    """What every trade was charged."""
    return (
        f"Every trade pays a taker fee of {_bp(TAKER_FEE_FRAC)}, half a spread of {_bp(HALF_SPREAD_FRAC)} "
        f"and slippage of {_bp(SLIPPAGE_FRAC)} on entry and exit alike ({_bp(round_trip_frac(1))} a round "
        f"trip in tier 1; {_bp(round_trip_frac(2))} elsewhere, where spread and slippage are three times "
        "that), and the funding of every stamp it is held over, where that was recorded."
    )


def costs_doubled(engine: TradeStats | None, dearer: TradeStats) -> str:
    """Worked words: `With every cost doubled a trade earns -19.2 bp instead of -3.1 bp on average.`"""
    now = None if engine is None else engine.mean_net
    if not is_known(now) or not is_known(dearer.mean_net):
        return "What doubled costs come to is unknown: too few trades were scored."
    return (
        f"With every cost doubled a trade earns {bp(dearer.mean_net.mean)} bp instead of {bp(now.mean)} bp "
        "on average."
    )


def not_to_conclude(report: BacktestReport) -> tuple[str, ...]:
    """What a reader would like to conclude and must not."""
    said = []
    if report.data_mode == DataMode.DEMO:
        said.append("Nothing about a real market: prices here move by the simulator's own seeded rules.")
    if not report.record.enough_data:
        said.append(
            f"That there is an edge, or none: under {ENOUGH_EFFECTIVE_N:.0f} independent outcomes (effective "
            "n) chance moves every figure more than a good rule would."
        )
    said += [
        "That live trades would have been entered here: each is entered at the open right at its evaluation, "
        "and every candle counts as known the moment it closes, also where it was filled in afterwards. A "
        "live answer comes a minute or so later.",
        "That zones were asked for everywhere: Smart Money zones over liquidation levels are looked at for "
        "LONG and SHORT alone, as of the hour's close, to lower a confidence that they contradict.",
        "That n trades are n proofs: trades of neighbouring hours and of coins that move together share "
        "their market. Effective n and the intervals made of it are the ones to read.",
        "That a group, a factor or a set of weights works because its row looks good: of twenty rows one "
        "lies outside of its interval by chance alone.",
        f"That the next months will be like these: {days_words(report)} are one stretch of one market.",
        "That an account would have made these totals: they are sums of one unit of stake a trade, without "
        "margin, compounding or a limit on how many are open at once.",
    ]
    if any(missing_inputs(one) for one in report.coins):
        said.append(
            "That the engine was seen at its best or worst: some inputs were missing, and a score of fewer "
            "factors moves less."
        )
    return tuple(said)


def data_notes(report: BacktestReport) -> tuple[str, ...]:
    """What is odd or unknown about the data: counted here, and left in the figures."""
    odd = [_odd_words(coin.base, one) for coin in report.coins for one in coin.odd_bars if one.odd]
    return (*_ambiguous_words(report), *_funding_words(report), *odd)


def _ambiguous_words(report: BacktestReport) -> tuple[str, ...]:
    """Worked words: `4h after the signal 15.4 % of the engine's trades, and 18.0 % of all ...`."""
    found = next((one for one in report.ambiguous if one.horizon == report.record.headline), None)
    if found is None or found.all_frac is None:
        return ()
    sizes = ", ".join(dict.fromkeys(f"{format_minutes(one.path_ms // 60_000)}" for one in report.coins))
    mine = "" if found.engine_frac is None else f"{percent(found.engine_frac)} of the engine's trades and "
    return (
        f"Trades were followed on prices of {sizes}: {found.horizon} after the signal {mine}"
        f"{percent(found.all_frac)} of all that could have been taken were decided by a bar that held both "
        "barriers. Nobody knows which came first, so they count as losses on both sides.",
    )


def _funding_words(report: BacktestReport) -> tuple[str, ...]:
    found = report.record.at_headline
    if not report.funding_unknown or found is None:
        return ()
    return (
        f"Funding is not known for {count(report.funding_unknown)} of {count(found.engine.scored)} scored "
        f"trades at {found.horizon}: not every settlement that was due on their way was recorded. What is "
        "not known was not charged.",
    )


def _odd_words(base: str, found: OddBars) -> str:
    named = ", ".join(f"{moment(one.end_ms)} (x {_factor(one.factor)})" for one in found.furthest)
    return (
        f"{base}, {found.what}: {count(found.odd)} of {count(found.bars)} bars moved further than six "
        f"sigma of their own past, as the store flags them. They may be bad prints, and were kept. The "
        f"furthest, in times the close before: {named}."
    )


def _factor(factor: float) -> str:
    """A hundred times and a hundredth in as few digits: `100`, `0.01`, `1.032`."""
    return f"{factor:.4g}" if math.isfinite(factor) else UNKNOWN


def days_words(report: BacktestReport) -> str:
    """Length of the run: `90 days`."""
    days = (report.to_ms - report.from_ms) / 86_400_000
    return f"{signed(days, 0 if days >= 2 else 1).removeprefix('+')} days"


def all_notes(report: BacktestReport) -> tuple[str, ...]:
    """Every note of the record and of its coins, each once."""
    own = list(report.record.notes)
    for coin in report.coins:
        own += [f"{coin.base}: {note}" for note in coin.record.notes if note not in report.record.notes]
    return tuple(dict.fromkeys(own))


def _bp(frac: float) -> str:
    return f"{frac * 1e4:g} bp"
