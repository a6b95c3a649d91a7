"""The Markdown of the study of cascades, as it is pasted into docs/measured.md. Text only. A part of
`flow_study`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from app.core.domain.flow import AlertKind, Phase
from app.core.domain.flow_config import FlowConfig
from app.core.domain.outcomes import HORIZONS_MS
from app.core.outcomes.baseline import chance_of
from app.core.outcomes.statistics import MIN_CLAIM, wilson
from app.flow_study_data import Capture, Cascade, Scored, Study

_SEED = 20_261_126


def render_study(recorded: Sequence[Study], simulated: Study, config: FlowConfig) -> str:
    """Recordings first, then the simulator, which proves nothing about a market."""
    lines = [*_recordings(recorded), *_cascades(recorded, config)]
    lines += [
        "Alerts at the product's thresholds, each episode once: "
        + _counted(_total(one.alerts for one in recorded))
        + ".",
        "",
    ]
    lines += _table([one for study in recorded for one in study.scored])
    lines += _simulated(simulated)
    return "\n".join(lines) + "\n"


def _recordings(studies: Sequence[Study]) -> list[str]:
    lines = [
        "| recording | from | to | forced orders (USD, without a side) | trades | fill prices | cascades |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in studies:
        capture = one.capture
        usd = sum(row.usd for row in capture.liquidations)
        orders = f"{len(capture.liquidations):,} ({_usd(usd)}, {capture.unsided:,})"
        lines.append(
            f"| {capture.name} | {_time(capture.first_ms)} | {_time(capture.last_ms)} | {orders} "
            f"| {len(capture.trades):,} | {len(capture.ticks):,} | {len(one.cascades)} |"
        )
    return [*lines, ""]


def _cascades(studies: Sequence[Study], config: FlowConfig) -> list[str]:
    lines = [
        "| cascade | UTC | closed by force | size | threshold in 30 s | price at the end | phases |",
        "|---|---|---|---|---|---|---|",
    ]
    for study in studies:
        lines += [_cascade(one, config, study.capture) for one in study.cascades]
    return [*lines, ""]


def _cascade(one: Cascade, config: FlowConfig, capture: Capture) -> str:
    symbol, side = one.first.symbol, one.first.side
    price = "unknown" if one.last.price is None else f"{one.last.price:g}"
    return (
        f"| {symbol} ({capture.name}) | {_time(one.first.started_ms, seconds=True)} "
        f"| {'?' if side is None else side.value.lower() + 's'} | {_usd(one.usd)} "
        f"| {_usd(config.tier(symbol).cascade_usd)} | {price} | {' -> '.join(one.phases)} |"
    )


def _table(scored: Sequence[Scored]) -> list[str]:
    """Setups by horizon. Below 30 outcomes the count is all that is said."""
    lines = [
        "| setup | horizon | alerts | scored | unscorable | won | 95 % (Wilson) | by chance, same day (95 %) "
        "| mean net |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for setup in sorted({_setup(one) for one in scored}):
        lines += [
            _row(setup, horizon, [one for one in scored if _is_of(one, setup, horizon)])
            for horizon in HORIZONS_MS
        ]
    if len(lines) == 2:
        lines.append("| none | | 0 | 0 | 0 | | | | |")
    return [*lines, ""]


def _row(setup: str, horizon: str, scored: Sequence[Scored]) -> str:
    ended = [one for one in scored if one.result is not None]
    why = _counted(Counter(one.reason.value for one in scored if one.reason is not None))
    left_out = f"{len(scored) - len(ended)}" + (f" ({why})" if why else "")
    cells = [setup, horizon, f"{len(scored)}", f"{len(ended)}", left_out, *_claims(ended)]
    return f"| {' | '.join(cells)} |"


def _claims(ended: Sequence[Scored]) -> list[str]:
    results = [one.result for one in ended if one.result is not None]
    wins = sum(result.is_win for result in results)
    if len(results) < MIN_CLAIM:
        return [f"{wins}" if results else "", "n below 30: no claim", "", ""]
    low, high = wilson(wins, len(results)) or (0.0, 1.0)
    chance = chance_of([one.twins for one in ended if one.twins is not None], np.random.default_rng(_SEED))
    by_chance = "" if chance is None else f"{chance.mean:.1%} ({chance.low:.1%} to {chance.high:.1%})"
    mean = sum(result.net_frac for result in results) / len(results)
    return [
        f"{wins} ({wins / len(results):.1%})",
        f"{low:.1%} to {high:.1%}",
        by_chance,
        f"{mean * 1e4:+.1f} bp",
    ]


def _simulated(study: Study) -> list[str]:
    verdicts = Counter(one.phases[-1] for one in study.cascades)
    reclaims = [one for one in study.scored if one.alert.kind is AlertKind.STOP_HUNT]
    return [
        "#### The simulator's world: proves the machinery, says nothing of a market",
        "",
        f"{study.capture.name}: {len(study.capture.liquidations):,} forced orders, "
        f"{len(study.cascades)} cascades ({_counted(verdicts)}). Its prices move by their own seeded "
        "rules, so whatever wins here wins by those rules.",
        "",
        *_table(reclaims),
    ]


def _setup(one: Scored) -> str:
    phase = one.alert.phase
    kind = f"{one.alert.kind.value} {phase.value}" if isinstance(phase, Phase) else one.alert.kind.value
    return f"{kind} {one.alert.direction.value}"


def _is_of(one: Scored, setup: str, horizon: str) -> bool:
    return one.horizon == horizon and _setup(one) == setup


def _total(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counters:
        total += one
    return total


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _usd(usd: float) -> str:
    return f"${usd / 1e6:.2f}M" if usd >= 1e6 else f"${usd / 1e3:.0f}K"


def _time(at_ms: int, *, seconds: bool = False) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if seconds else f"{moment:%Y-%m-%d %H:%M}"
