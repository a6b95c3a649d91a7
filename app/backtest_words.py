"""Sentences of a backtest's report: what kind of data it was, what a comparison comes to, what is unknown
and why.

Whether an edge is shown is not said here: that sentence comes from the record's own summary. A part of
`backtest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from app.backtest_figures import (
    UNKNOWN,
    bp,
    chance,
    count,
    effective,
    is_known,
    mean_bp,
    plain,
    signed,
    signed_percent,
)
from app.core.backtest.report import BacktestReport, CoinReport
from app.core.backtest.weights import WeightsReport
from app.core.domain.context import DataMode
from app.core.domain.track_record import (
    ENOUGH_EFFECTIVE_N,
    Calibrated,
    HorizonRecord,
    Mean,
    TrackRecord,
    TradeStats,
)

MISSING = "MISSING"
# How a loader of histories says that it has none.
_MISSING = ("none", "missing", "")
_NOT_RECORDED = "not recorded"


class Comparison(StrEnum):
    """What the interval of a difference says."""

    BETTER = "better"
    WORSE = "worse"
    WITHIN_CHANCE = "within chance"
    TOO_LITTLE = "too little data"
    UNKNOWN = "cannot tell"


class Banner(NamedTuple):
    """Big letters, and what they mean."""

    title: str
    meaning: str


def banner(data_mode: str) -> Banner | None:
    """None for live data only: everything else has to be said in big letters."""
    if data_mode == DataMode.LIVE:
        return None
    if data_mode == DataMode.DEMO:
        return Banner(
            "SIMULATED",
            "These prices come from the project's own simulator. They prove that the machinery works and say "
            "nothing of a real market.",
        )
    if data_mode == DataMode.REPLAY:
        return Banner(
            "RECORDED",
            "The engine was run over recorded market data and saw at every step what was known by then. No "
            "signal here was answered live.",
        )
    return Banner(f"NOT LIVE: {data_mode.upper()}", "These are not answers on live data.")


def compare(difference: Mean | None, *, is_enough: bool) -> Comparison:
    """The engine less another rule: better only where the whole interval lies above 0.

    is_enough: the record has enough data. From less even such an interval is no verdict: it comes from so few
    blocks of time that it is too narrow.
    """
    if not is_known(difference):
        return Comparison.UNKNOWN
    if difference.holds_zero:
        return Comparison.WITHIN_CHANCE
    if not is_enough:
        return Comparison.TOO_LITTLE
    return Comparison.BETTER if difference.low > 0 else Comparison.WORSE


def sign_of(correlation: Mean | None) -> str:
    """A correlation in words."""
    if not is_known(correlation):
        return Comparison.UNKNOWN.value
    if correlation.holds_zero:
        return Comparison.WITHIN_CHANCE.value
    if not is_enough_for_sign(correlation):
        return Comparison.TOO_LITTLE.value
    return "above 0" if correlation.low > 0 else "below 0"


def is_enough_for_sign(correlation: Mean | None) -> bool:
    """As many independent pairs as a record needs outcomes."""
    return correlation is not None and correlation.effective_n >= ENOUGH_EFFECTIVE_N


def weights_line(report: BacktestReport) -> str:
    """`liquidations 20, funding 15, ...`."""
    return ", ".join(f"{name.value} {plain(weight)}" for name, weight in report.weights) or "none"


def asked_words(report: BacktestReport) -> str:
    """Worked words: `2,070 asked, 1,863 evaluated: 207 without a closed candle of the last hour`."""
    found = report.record.evaluations
    said = f"{count(report.asked)} asked, {count(found)} evaluated"
    left_out = report.asked - found
    return said if left_out <= 0 else f"{said}: {count(left_out)} without a closed candle of the last hour"


def missing_inputs(coin: CoinReport) -> tuple[str, ...]:
    """Inputs that this coin does not have."""
    return tuple(what for what, source in coin.inputs if is_missing(source))


def is_missing(source: str) -> bool:
    """`none`, `not recorded: not charged` and `not recorded in this period` say that there is nothing."""
    said = source.partition(":")[0].strip().lower()
    return said in _MISSING or said.startswith(_NOT_RECORDED)


def missing_line(report: BacktestReport) -> str:
    """Every coin with what it lacks, in one line."""
    parts = [f"{one.base}: {', '.join(missing_inputs(one))}" for one in report.coins if missing_inputs(one)]
    return "; ".join(parts) if parts else "nothing"


def why_no_difference(rules: Iterable[TradeStats]) -> tuple[str, ...]:
    """What `-` means where the engine is set against these rules."""
    if all(is_known(one.engine_minus) for one in rules):
        return ()
    return ('"-" for a difference: one of the two has too few trades to compare, or none.',)


def no_outcome(record: TrackRecord) -> str:
    """Why there is no headline."""
    return (
        f"No outcomes at the horizon {record.headline} of {count(record.evaluations)} evaluations, so there "
        "is nothing to show."
    )


def why_unknown(rules: Iterable[TradeStats]) -> tuple[str, ...]:
    """What `-` means in a table of these rules; nothing where every figure is known."""
    rules = tuple(rules)
    found = []
    if any(one.scored == 0 for one in rules):
        found.append('"-" in a row with n 0: no trade was scored.')
    if any(one.scored and not is_known(one.mean_net) for one in rules):
        found.append(
            '"-" for a mean net return beside scored trades: all of them fall into one block of time, which '
            "says nothing of how sure a mean is."
        )
    if any(one.scored and one.effective_n is None for one in rules):
        found.append('"-" for effective n: that interval does not come from blocks of time.')
    return tuple(found)


def deflated_words(record: TrackRecord) -> str:
    """How likely the Sharpe ratio is no luck, after so many rules were looked at."""
    found = record.deflated
    if found is None:
        return (
            f"{count(record.variants)} rules were tried on such data. "
            "The deflated Sharpe ratio is not known: it takes trades on 30 days at least."
        )
    return (
        f"Deflated Sharpe ratio after trying {count(found.variants)} rules: {chance(found.probability)}; "
        f"95 % is needed. The ratio itself is {signed(found.sharpe, 3)} a day over {count(found.days)} days, "
        "not annualised; the best of so many worthless rules would show "
        f"{signed(found.benchmark, 3)} by luck."
    )


def probability_words(horizon: HorizonRecord) -> str:
    """Whether answers carry a probability at this horizon, and why not."""
    fit = horizon.calibrated
    if fit is None:
        return f"No probability at {horizon.horizon}: {_sentence(horizon.no_calibration)}"
    if fit.is_shown:
        return (
            f"At {horizon.horizon} a probability is shown: on later data the {fit.method} fit beats the base "
            "rate by more than chance."
        )
    return f"No probability at {horizon.horizon}: {_sentence(fit.why_not)}"


def base_rate(fit: Calibrated) -> float | None:
    """Share of the test outcomes that came true, out of the bins; None without one."""
    known = [(one.n, one.hit_rate) for one in fit.bins if one.n > 0 and one.hit_rate is not None]
    total = sum(n for n, _ in known)
    return sum(n * rate for n, rate in known) / total if total else None


def sensitivity_words(report: BacktestReport) -> str:
    """All other weights in one line."""
    if not report.sensitivity:
        return "No other weights were tried."
    means = [one.stats.mean_net.mean for one in report.sensitivity if is_known(one.stats.mean_net)]
    is_enough = report.record.enough_data
    found = [compare(one.stats.engine_minus, is_enough=is_enough) for one in report.sensitivity]
    times = {
        "better": Comparison.BETTER,
        "worse": Comparison.WORSE,
        "within chance": Comparison.WITHIN_CHANCE,
        "not told from too little data": Comparison.TOO_LITTLE,
    }
    counted = ", ".join(f"{words} {found.count(one)} times" for words, one in times.items())
    spread = f", mean net from {bp(min(means))} to {bp(max(means))} bp" if means else ""
    return (
        f"{count(len(found))} other sets of weights{spread}. Beside them the default is {counted} and "
        f"unknown {found.count(Comparison.UNKNOWN)} times."
    )


def weights_verdict(weights: WeightsReport, *, is_enough: bool) -> str:
    """Does what the past would have chosen beat the default? Yes or no first, where the record has enough
    data for either."""
    found = weights.per_evaluation
    if not is_known(found):
        return "Cannot tell whether it beats the default: there was no time left to judge it on."
    said = f"{mean_bp(found)} bp per evaluation, effective n {effective(found.effective_n)}"
    told = compare(found, is_enough=is_enough)
    if told is Comparison.TOO_LITTLE:
        return f"Cannot tell whether it beats the default, from too little data: {said}."
    if weights.beats_default:
        return f"Yes, it beats the default: {said}. Nothing is changed by that: weights are configuration."
    if told is Comparison.WORSE:
        return f"No, it does not beat the default, it is worse: {said}."
    return f"No, it does not beat the default: {said}, which is within chance."


def weights_totals(weights: WeightsReport) -> str:
    """Chosen weights and the default, over the same time."""
    chosen, default = signed_percent(weights.net_frac), signed_percent(weights.default_net_frac)
    return (
        f"At {weights.horizon}, over all folds: what was chosen earned {chosen} of one stake in "
        f"{count(weights.trades)} trades, the default {default} in {count(weights.default_trades)}. Each of "
        f"{count(len(weights.folds))} folds chose among {count(weights.candidates)} sets of weights on its "
        "past alone."
    )


def _sentence(reason: str) -> str:
    return f"{reason.strip().removesuffix('.') or UNKNOWN}."
