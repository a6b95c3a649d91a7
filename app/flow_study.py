"""`python -m app.flow_study --data FOLDER`: cascades in recorded forced orders, and what became of reclaims.

Replays recordings by event time through the engine and the gate that run live, scores every directional alert
by first touch against random twins, and does the same in the simulator's world, which proves the machinery
only. Prints the Markdown of docs/measured.md (`--out FILE` writes it, `--alerts` prints the alerts instead).
Deterministic: same folder, same bytes. No network, no store.
"""

from __future__ import annotations

import argparse
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import groupby
from pathlib import Path

import numpy as np

from app.core.alerting.codec import encode_alert
from app.core.alerting.desk import AlertDesk
from app.core.domain.alerts import Alert, GateVerdict
from app.core.domain.flow import AlertKind, Finding, PriceTick, TradeEvent
from app.core.domain.flow_config import FlowConfig
from app.core.domain.outcomes import HORIZONS_MS, Unscorable
from app.core.domain.stored import LiquidationRow
from app.core.flow.engine import FlowEngine
from app.core.outcomes.baseline import draw_twins
from app.core.outcomes.first_touch import (
    Ending,
    PathBar,
    Plan,
    barriers_of,
    find_entry,
    follow,
    plan_trade,
    settle,
)
from app.core.outcomes.rows import is_followed
from app.flow_study_data import (
    Capture,
    Cascade,
    Prices,
    Scored,
    Study,
    load_captures,
    load_prices,
    simulate,
)
from app.flow_study_report import render_study

# After the last event of a stretch: a cascade has its verdict 15 minutes after it, and time goes on a little.
_QUIET_MS = 1_000_000
_STEP_MS = 5_000
RECORDED_DRAWS = 100
SIMULATED_DRAWS = 50
SEED = 20_261_126
SIM_SEED = 7
PRODUCT = FlowConfig()
# Parts of the product's thresholds at which cascades are counted, too.
LOWER = (0.5, 0.25, 0.1)

_Event = LiquidationRow | TradeEvent | PriceTick


class Replay:
    """One capture through engine and gate, by event time. cascades: filled while `verdicts` is walked.

    Recordings have no liquidation levels: the engine is told of none, so no reclaim has targets of its own.
    """

    def __init__(self, capture: Capture, config: FlowConfig, data_mode: str) -> None:
        self.cascades: dict[tuple[str, str], Cascade] = {}
        self._capture = capture
        self._engine = FlowEngine(config)
        self._desk = AlertDesk(tier_of=config.tier_of, data_mode=data_mode, chats=lambda: ())

    def verdicts(self) -> Iterator[GateVerdict]:
        """What the gate said, in the order in which it said it; nobody is there to be told."""
        now_ms = 0
        for second, events in groupby(_in_order(self._capture), key=lambda event: event.ts_event_ms // 1000):
            start_ms = second * 1000
            yield from self._pass_time(now_ms, start_ms)
            for event in events:
                yield from self._judged(self._feed(event), event.ts_event_ms)
            now_ms = start_ms + 1000
            yield from self._judged(self._engine.advance(now_ms), now_ms)
        yield from self._pass_time(now_ms, now_ms + _QUIET_MS)

    def _pass_time(self, from_ms: int, to_ms: int) -> Iterator[GateVerdict]:
        if from_ms:
            for now_ms in range(from_ms + _STEP_MS, min(to_ms, from_ms + _QUIET_MS), _STEP_MS):
                yield from self._judged(self._engine.advance(now_ms), now_ms)

    def _feed(self, event: _Event) -> Sequence[Finding]:
        now_ms = event.ts_event_ms
        if isinstance(event, LiquidationRow):
            return self._engine.on_liquidations([event], now_ms)
        if isinstance(event, TradeEvent):
            return self._engine.on_trades([event], now_ms)
        return self._engine.on_ticks([event], now_ms)

    def _judged(self, findings: Sequence[Finding], now_ms: int) -> list[GateVerdict]:
        for finding in findings:
            if finding.kind is AlertKind.STOP_HUNT:
                self._note_cascade(finding)
        return self._desk.consider(findings, now_ms=now_ms)

    def _note_cascade(self, finding: Finding) -> None:
        name = finding.symbol, finding.episode
        phase = finding.phase.value if finding.phase is not None else "?"
        held = self.cascades.get(name)
        if held is None:
            self.cascades[name] = Cascade(finding, finding, finding.usd, [phase])
            return
        held.last = finding
        held.usd = max(held.usd, finding.usd)
        if phase not in held.phases:
            held.phases.append(phase)


def _in_order(capture: Capture) -> Iterable[_Event]:
    """By event time; of one millisecond trades, then forced orders, then their fills."""
    streams: tuple[Sequence[_Event], ...] = capture.trades, capture.liquidations, capture.ticks
    return merge(*streams, key=lambda event: event.ts_event_ms)


def replay_alerts(folder: Path) -> Iterator[str]:
    """Every alert of the recordings as a line of text: what the gate said of it, and all of it as JSON.

    Raises:
        ValueError: nothing in the folder can be replayed.
    """
    for capture in load_captures(folder):
        for verdict in Replay(capture, PRODUCT, "replay").verdicts():
            yield f"{verdict.reason or 'kept'} {encode_alert(verdict.alert)}"


def study(
    capture: Capture, prices: Prices, *, data_mode: str, draws: int, config: FlowConfig = PRODUCT
) -> Study:
    """Replay one capture and score every directional alert with a valid price, from its first directional
    revision. draws: random twins of each."""
    rng = np.random.default_rng(SEED)
    replay, found, seen = Replay(capture, config, data_mode), Study(capture), set[str]()
    for verdict in replay.verdicts():
        alert = verdict.alert
        if alert.revision == 1 and alert.follows is None:
            found.alerts[alert.kind.value] += 1
        if alert.id in seen or not is_followed(alert, verdict.reason):
            continue
        seen.add(alert.id)
        for horizon in HORIZONS_MS:
            found.scored.append(_score(alert, prices, horizon, config.tier_of(alert.symbol), draws, rng))
    found.cascades = sorted(
        replay.cascades.values(), key=lambda one: (one.first.started_ms, one.first.symbol)
    )
    return found


def _score(
    alert: Alert, prices: Prices, horizon: str, tier: int, draws: int, rng: np.random.Generator
) -> Scored:
    """By the finest path that knows the end; else the reason of the one that came furthest."""
    atr = prices.atr(alert.symbol, alert.ts_init_ms)
    reasons = [Unscorable.NO_ENTRY]
    for name, path in prices.paths.get(alert.symbol, ()):
        end = _follow(alert, path, horizon, atr)
        if isinstance(end, Unscorable):
            reasons.append(end)
            continue
        plan, ending = end
        settlements = prices.settlements(alert.symbol, plan.entered_ms, ending.at_ms)
        result = settle(plan, ending, tier=tier, settlements=settlements)
        twins = draw_twins(plan, path, horizon=horizon, tier=tier, draws=draws, rng=rng)
        return Scored(alert, horizon, name, plan, result, None, twins)
    order = (Unscorable.NO_ENTRY, Unscorable.NO_BARRIERS, Unscorable.HOLES, Unscorable.MISSED)
    return Scored(alert, horizon, "", None, None, max(reasons, key=order.index), None)


def _follow(
    alert: Alert, path: Sequence[PathBar], horizon: str, atr: float | None
) -> tuple[Plan, Ending] | Unscorable:
    path = path[bisect_left(path, alert.ts_init_ms, key=lambda bar: bar.start_ms) :]
    entry = find_entry(path, alert.ts_init_ms)
    if entry is None:
        return Unscorable.NO_ENTRY
    plan = plan_trade(
        alert.direction,
        entered_ms=entry.start_ms,
        entry=entry.open,
        barriers=barriers_of(alert.levels),
        atr_usd=atr,
    )
    if isinstance(plan, Unscorable):
        return plan
    length_ms = HORIZONS_MS[horizon]
    ends = follow(plan, path, known_until_ms=plan.entered_ms + length_ms, horizons_ms={horizon: length_ms})
    ending = ends[horizon]
    return ending if isinstance(ending, Unscorable) else (plan, ending)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; 0 when it was made, 2 when it could not be."""
    parser = argparse.ArgumentParser(prog="python -m app.flow_study", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of recorded data")
    parser.add_argument("--out", type=Path, default=None, help="write the Markdown here, too")
    parser.add_argument("--alerts", action="store_true", help="print every alert as a line instead")
    options = parser.parse_args(arguments)
    try:
        if options.alerts:
            sys.stdout.writelines(f"{line}\n" for line in replay_alerts(options.data))
            return 0
        text = study_text(options.data)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    return 0


def study_text(folder: Path) -> str:
    """The whole report. Raises: ValueError: nothing in the folder can be replayed."""
    captures = load_captures(folder)
    prices = load_prices(folder, captures)
    recorded = [study(one, prices, data_mode="replay", draws=RECORDED_DRAWS) for one in captures]
    capture, made_up = simulate(SIM_SEED)
    simulated = study(capture, made_up, data_mode="demo", draws=SIMULATED_DRAWS)
    lower = {
        part: [study(one, prices, data_mode="replay", draws=0, config=_lowered(part)) for one in captures]
        for part in LOWER
    }
    return render_study(recorded, lower, simulated, PRODUCT)


def _lowered(part: float) -> FlowConfig:
    """The product's configuration with lower thresholds of a cascade."""
    tiers = PRODUCT.tier_1, PRODUCT.tier_2, PRODUCT.tier_3
    first, second, third = (replace(tier, cascade_usd=part * tier.cascade_usd) for tier in tiers)
    return replace(PRODUCT, tier_1=first, tier_2=second, tier_3=third)


if __name__ == "__main__":
    sys.exit(main())
