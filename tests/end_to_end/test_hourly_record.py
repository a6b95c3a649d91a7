"""The record on the simulated market: evaluated by the service that answers, followed on its candles."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.bootstrap_base import Base, build_base
from app.bootstrap_use_cases import UseCases, build_use_cases
from app.core.domain.market import HOUR_MS
from app.core.domain.outcomes import OutcomeState, Touch
from app.core.domain.signal import Mode
from app.core.domain.stored import SignalQuery, Trigger
from app.core.outcomes.rows import facts_of
from app.services.evaluation_outcomes import AFTER_MS, EvaluationOutcomes
from app.services.hourly_evaluations import FROM_MS, HourlyEvaluations
from app.services.signal_service import SignalService
from app.services.streaming.funding_paid import PaidFunding
from app.settings import load_settings
from app.simulator_child import provider_settings
from tests.live_rig import NOW_MS, RigClock, forget_logging, live_simulator

HOURS = 10
START_MS = NOW_MS // HOUR_MS * HOUR_MS + HOUR_MS


def loops_of(base: Base, use_cases: UseCases) -> tuple[HourlyEvaluations, EvaluationOutcomes]:
    signals = use_cases.api.signals
    assert isinstance(signals, SignalService)

    async def coins() -> Sequence[str]:
        return base.settings.symbols

    hourly = HourlyEvaluations(
        evaluate=signals.scheduled,
        hours=base.store.evaluations,
        flush=base.store.signals.flush,
        coins=coins,
        clock=base.clock,
    )
    outcomes = EvaluationOutcomes(
        evaluations=base.store.evaluations,
        outcomes=base.store.signal_outcomes,
        claims=base.store.state,
        candles=use_cases.candles,
        funding=PaidFunding(base.okx, monotonic=base.clock.monotonic_s),
        tier_of=base.flow.tier_of,
        clock=base.clock,
    )
    return hourly, outcomes


async def test_hours_are_evaluated_followed_counted_and_say_why_there_is_no_chance(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(forget_logging)
    clock = RigClock()

    async def leap(seconds: float) -> None:
        clock.advance(int(seconds * 1000) + 1)
        await asyncio.sleep(0)

    given = {"DATA_MODE": "demo", "LOG_LEVEL": "WARNING", "PLANNER": "off", "SYMBOLS": "BTC,ETH"}
    given |= {"DATABASE_URL": f"sqlite:///{tmp_path / 'signals.db'}", "HOURLY_EVALUATIONS": "off"}
    async with live_simulator(clock) as sim:
        base = build_base(load_settings(given | provider_settings(sim.url)), clock=clock, sleep=leap)
        use_cases = build_use_cases(base)
        async with base.running(), use_cases.running():
            await base.store.opened()
            await base.providers_started.wait()
            hourly, outcomes = loops_of(base, use_cases)
            for hour in range(HOURS):
                clock.advance(START_MS + hour * HOUR_MS + FROM_MS - clock.now_ms())
                assert await hourly.make_due() == 2
                clock.advance(max(0, START_MS + hour * HOUR_MS + AFTER_MS - clock.now_ms()))
                assert await outcomes.resolve_in_turn() is not None
            await check_outcomes(base)
            track = use_cases.api.track
            answer = await track.record("BTC")
            record = answer.record
            assert (record.symbol, record.evaluations) == ("BTC", HOURS)
            assert record.long + record.short + record.neutral == HOURS
            assert not record.enough_data
            assert answer.summary
            assert record.notes[-1].endswith("0 had no usable price, 0 came too late and 0 were missed.")
            assert (await track.verify()).report.broken == ()
            signals = use_cases.api.signals
            assert isinstance(signals, SignalService)
            signal = (await signals.signal("BTC", Mode.BALANCED)).signal
            assert signal.probability is None
            assert signal.no_probability in ("no calibration has been published yet", "no direction")


async def check_outcomes(base: Base) -> None:
    kept = (await base.store.signals.page(SignalQuery(trigger=Trigger.SCHEDULE))).rows
    assert Counter(row.symbol for row in kept) == {"BTC": HOURS, "ETH": HOURS}
    first = sorted(kept, key=lambda row: row.as_of_ms)[:4]
    rows = await base.store.signal_outcomes.of_trades(
        [f"{row.id}:{side}" for row in first for side in ("LONG", "SHORT")]
    )
    short = [row for row in rows if row.horizon != "24h"]
    assert {row.state for row in short} == {OutcomeState.SCORED.value}
    made = {row.id: row for row in kept}
    for row in short:
        signal, facts = made[row.trade_id.rpartition(":")[0]], facts_of(row)
        assert row.entered_ms is not None
        assert row.entry_price is not None
        assert 0 < row.entered_ms - signal.ts_init_ms <= 60_000
        assert row.entry_price == pytest.approx(signal.price_usd, rel=0.01)
        assert facts.atr_usd is not None
        assert facts.funding_frac is not None  # known, and mostly nothing was due
        # Barriers of one ATR on both sides of the entry.
        assert abs((row.target_price or 0.0) - row.entry_price) == pytest.approx(facts.atr_usd)
    by_trade = {(row.trade_id, row.horizon): row for row in rows}
    for row in short:
        other = by_trade[row.trade_id.replace("LONG", "SHORT"), row.horizon]
        if row.direction == "LONG" and Touch.BOTH.value not in (row.first_touch, other.first_touch):
            # What one side earns the other loses; both pay their costs, and funding cancels.
            fees = facts_of(row).cost_frac
            assert fees is not None
            if row.first_touch == Touch.TIMEOUT.value:
                assert (row.net_return_frac or 0) + (other.net_return_frac or 0) == pytest.approx(-2 * fees)
