"""What a reader of a record has to know, in plain sentences.

Owns words only; every figure is the record's. From too little data no verdict is drawn, only figures are
given.
"""

from __future__ import annotations

from app.core.domain.formatting import format_effective_n
from app.core.domain.track_record import (
    ENOUGH_EFFECTIVE_N,
    DeflatedSharpe,
    HorizonRecord,
    Mean,
    TradeStats,
)
from app.core.outcomes.statistics import needed_n
from app.core.record.daily import MIN_DAYS

_TOLD = 0.55  # a hit rate as good as most that are ever claimed honestly


def write_notes(headline: HorizonRecord, *, neutral: int, deflated: DeflatedSharpe | None) -> tuple[str, ...]:
    """Sentences on the horizon that stands for the record, the most important first."""
    engine = headline.engine
    if not engine.scored:
        return ("No trade has been scored yet, so nothing is known.", *_waiting(engine))
    effective_n = engine.effective_n or 0.0
    is_enough = effective_n >= ENOUGH_EFFECTIVE_N
    return (
        *_sureness(engine.scored, effective_n),
        _result(headline.horizon, engine) + _against(engine.break_even),
        *_earnings(engine.mean_net, is_enough),
        *(_beside(headline.baselines) if is_enough else []),
        *_waiting(engine),
        *_chosen(deflated),
        *_not_scored(neutral),
    )


def _sureness(scored: int, effective_n: float) -> list[str]:
    found = []
    if effective_n < ENOUGH_EFFECTIVE_N:
        found.append(
            f"Effective n {format_effective_n(effective_n)} of the {ENOUGH_EFFECTIVE_N:,.0f} needed: "
            "nobody should trade on this."
        )
    if effective_n < 0.95 * scored:
        found.append(
            f"Trades overlap and coins move together: {scored:,} scored trades are as unsure as "
            f"{format_effective_n(effective_n)} independent ones."
        )
    enough = needed_n(_TOLD)
    if effective_n < enough:
        found.append(f"To tell a hit rate of {_TOLD:.0%} from 50% takes {enough:,} independent trades.")
    return found


def _result(horizon: str, engine: TradeStats) -> str:
    said = f"At {horizon} {engine.wins:,} of {engine.scored:,} trades won"
    apart = engine.hit_rate_apart
    return said if apart is None else f"{said}, {apart.share:.1%} ({apart.low:.1%} to {apart.high:.1%})"


def _against(break_even: float | None) -> str:
    return "." if break_even is None else f"; at {break_even:.1%} such wins and losses would come to nothing."


def _earnings(mean_net: Mean | None, is_enough: bool) -> list[str]:
    if mean_net is None:
        return []
    said = f"After costs a trade came to {mean_net.mean:+.3%} ({mean_net.low:+.3%} to {mean_net.high:+.3%})"
    if not is_enough:
        return [f"{said}."]
    if mean_net.holds_zero:
        return [f"{said}: it cannot be told from nothing."]
    return [f"{said}: {'a gain' if mean_net.mean > 0 else 'a loss'} beyond chance."]


def _beside(baselines: tuple[TradeStats, ...]) -> list[str]:
    compared = [(rule.name, rule.engine_minus) for rule in baselines if rule.engine_minus is not None]
    if not compared:
        return []
    level = [name for name, gain in compared if gain.holds_zero]
    better = [name for name, gain in compared if gain.high < 0.0]
    found = []
    if better:
        found.append(f"These simple rules did better, beyond chance: {', '.join(better)}.")
    if level:
        found.append(f"Not told apart by chance from: {', '.join(level)}.")
    return found or ["Better than every simple rule beside it, beyond chance."]


def _waiting(engine: TradeStats) -> list[str]:
    found = []
    if engine.open:
        found.append(f"{engine.open:,} trades are still open and not counted.")
    if engine.unscorable:
        found.append(f"{engine.unscorable:,} trades could not be scored.")
    return found


def _chosen(deflated: DeflatedSharpe | None) -> list[str]:
    if deflated is None:
        return [f"No deflated Sharpe ratio: it takes {MIN_DAYS} days with trades."]
    return [
        f"Sharpe ratio {deflated.sharpe:+.3f} a day over {deflated.days:,} days; the best of "
        f"{deflated.variants:,} worthless variants would show {deflated.benchmark:+.3f} by luck. Deflated "
        f"Sharpe ratio {deflated.probability:.1%}, 95% is needed."
    ]


def _not_scored(neutral: int) -> list[str]:
    return [f"{neutral:,} NEUTRAL answers are no trades and not scored."] if neutral else []
