"""R11, at the source: clocks that are wrong change neither the state of a stream nor what is delivered."""

from __future__ import annotations

import pytest

from app.core.domain.flow import LinkState
from app.services.streaming.sources import SourceSwitch
from tests.live_rig import fault
from tests.stream_rig import running, stream_rig

FIVE_MINUTES_MS = 300_000
HOUR_MS = 3_600_000


@pytest.mark.parametrize("skew_ms", [FIVE_MINUTES_MS, -FIVE_MINUTES_MS])
async def test_event_times_five_minutes_off_are_passed_on_as_stated_and_the_stream_is_live(
    skew_ms: int,
) -> None:
    async with stream_rig() as rig:
        rig.okx.watch(["BTC"])
        rig.sim.break_with(fault("*", "skew", skew_ms, endpoint="ws*"))
        async with running(rig.coinglass.run(rig.kept)), running(rig.okx.run(rig.kept)):
            await rig.flow(lambda: rig.coinglass.status().events and rig.okx.status().events)
            states = {rig.coinglass.status().state, rig.okx.status().state}
        assert states == {LinkState.LIVE}
        for frame in rig.kept.frames:
            for event in (*frame.liquidations, *frame.trades):
                assert abs(event.ts_event_ms - skew_ms - frame.ts_init_ms) <= 3000


async def test_a_local_clock_set_back_an_hour_makes_no_gap_of_negative_length() -> None:
    async with stream_rig() as rig, running(rig.coinglass.run(rig.kept)):
        await rig.flow(lambda: rig.kept.liquidations)
        rig.time.set_back(HOUR_MS)
        rig.sim.break_with(fault("coinglass", "drop", {"after": 0}, endpoint="ws", count=1))
        await rig.flow(lambda: rig.kept.gaps)
        assert rig.coinglass.status().state is LinkState.LIVE
    (gap,) = rig.kept.gaps
    assert gap.from_ms <= gap.to_ms
    assert gap.to_ms < rig.kept.frames[0].ts_init_ms


@pytest.mark.parametrize("skew_ms", [0, FIVE_MINUTES_MS, -FIVE_MINUTES_MS])
async def test_no_forced_order_counts_twice_over_an_outage_whatever_coinglass_takes_for_the_time(
    skew_ms: int,
) -> None:
    async with stream_rig() as rig:
        switch = SourceSwitch(rig.coinglass, rig.okx, monotonic=rig.time.timing.monotonic)
        switch.watch(["BTC"])
        skewed = fault("coinglass", "skew", skew_ms, endpoint="ws")
        rig.sim.break_with(skewed)
        start_ms = rig.time.now_ms()
        async with running(switch.run(rig.kept)):
            await rig.time.pass_s(120.0, step_s=2)
            assert switch.counting == "coinglass"
            away = ("status", 503), ("drop", {"after": 0})
            rig.sim.break_with(*(fault("coinglass", kind, value, endpoint="ws") for kind, value in away))
            await rig.time.pass_s(180.0, step_s=2)
            assert switch.counting == "okx"
            rig.sim.break_with(skewed)
            await rig.flow(lambda: switch.counting == "coinglass", step_s=2)
            await rig.time.pass_s(120.0, step_s=2)
        market = rig.sim.state.market
        truth = market.liquidation_events(start_ms, rig.time.now_ms())
    wanted = [(e.base, e.liquidated.upper(), round(e.usd)) for e in truth if e.exchange == "OKX"]
    ours = [event for event in rig.kept.liquidations if event.exchange == "OKX"]
    counted = [(event.symbol, event.liquidated_side, round(event.usd)) for event in ours]
    assert len(set(counted)) == len(counted)
    assert set(counted) <= set(wanted)
    # What happened within the last steps may still be under way.
    assert len(wanted) > 8
    assert len(wanted) - len(counted) <= 2
