"""The Markdown of the study of cascades, as it is pasted into docs/measured.md. Text only. A part of
`flow_study`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from app.core.domain.flow import AlertKind, Phase
from app.core.domain.flow_config import FlowConfig
from app.core.domain.outcomes import HORIZONS_MS
from app.core.outcomes.baseline import chance_of
from app.core.outcomes.statistics import MIN_CLAIM, wilson
from app.flow_study_data import Capture, Cascade, Scored, Study

_SEED = 20_261_126


def render_study(
    recorded: Sequence[Study],
    lower: Mapping[float, Sequence[Study]],
    simulated: Study,
    config: FlowConfig,
) -> str:
    """Recordings first, then the simulator, which proves nothing about a market. lower: the recordings at
    parts of the thresholds."""
    lines = [*_recordings(recorded), *_cascades(recorded, config), *_lower({1.0: recorded, **lower})]
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


def _lower(studies: Mapping[float, Sequence[Study]]) -> list[str]:
    lines = [
        "| thresholds | cascades | reclaimed | continued | no verdict | reclaims scored at 1 h | won |",
        "|---|---|---|---|---|---|---|",
    ]
    for part, parts in studies.items():
        phases = Counter(one.phases[-1] for study in parts for one in study.cascades)
        reclaims = [one for study in parts for one in study.scored if _is_reclaim(one)]
        results = [one.result for one in reclaims if one.horizon == "1h" and one.result is not None]
        counts = [
            sum(phases.values()),
            phases[Phase.RECLAIM.value],
            phases[Phase.CONTINUATION.value],
            phases[Phase.ENDED.value],
            len(results),
            sum(result.is_win for result in results),
        ]
        name = "the product's" if part == 1 else f"{part:.0%} of them"
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    return [*lines, ""]


def _is_reclaim(one: Scored) -> bool:
    return one.alert.kind is AlertKind.STOP_HUNT


def _table(scored: Sequence[Scored]) -> list[str]:
    """Setups by horizon. Below 30 outcomes the count is all that is said."""
    lines = [
        "| setup | horizon | alerts | scored | unscorable | won | 95 % (Wilson) | by chance, same day (95 %) "
        "| mean net |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for setup in sorted({_setup(one) for one in scored}):
        by_horizon = [[one for one in scored if _is_of(one, setup, horizon)] for horizon in HORIZONS_MS]
        if max(len(_ended(some)) for some in by_horizon) < MIN_CLAIM:
            lines.append(_few(setup, by_horizon))
        else:
            lines += [_row(setup, name, some) for name, some in zip(HORIZONS_MS, by_horizon, strict=True)]
    if len(lines) == 2:
        lines.append("| none | | 0 | 0 | 0 | | | | |")
    return [*lines, ""]


def _few(setup: str, by_horizon: Sequence[Sequence[Scored]]) -> str:
    """One row for all horizons: numbers, no shares."""
    ended = [_ended(some) for some in by_horizon]
    wins = [sum(one.result.is_win for one in some if one.result is not None) for some in ended]
    cells = [
        setup,
        " / ".join(HORIZONS_MS),
        f"{len(by_horizon[0])}",
        " / ".join(str(len(some)) for some in ended),
        f"at 1 h: {_left_out(by_horizon[1])}",
        " / ".join(map(str, wins)),
        "n below 30: no claim",
        "",
        "",
    ]
    return f"| {' | '.join(cells)} |"


def _row(setup: str, horizon: str, scored: Sequence[Scored]) -> str:
    ended = _ended(scored)
    cells = [setup, horizon, f"{len(scored)}", f"{len(ended)}", _left_out(scored), *_claims(ended)]
    return f"| {' | '.join(cells)} |"


def _ended(scored: Sequence[Scored]) -> list[Scored]:
    return [one for one in scored if one.result is not None]


def _left_out(scored: Sequence[Scored]) -> str:
    reasons = Counter(one.reason.value for one in scored if one.reason is not None)
    return _counted(reasons) or "0"


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
    return [
        "#### The simulator's world: proves the machinery, says nothing of a market",
        "",
        f"{study.capture.name}: {len(study.capture.liquidations):,} forced orders, "
        f"{len(study.cascades)} cascades ({_counted(verdicts)}). Its prices move by their own seeded "
        "rules, so whatever wins here wins by those rules.",
        "",
        *_table([one for one in study.scored if _is_reclaim(one)]),
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
