"""The log of published probabilities, on both databases: written once, resolved later, scored or given up."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from app.core.clock import ManualClock
from app.core.domain.market import INTERVAL_MS, Candles
from app.core.domain.stored import ProbabilityRow
from app.core.domain.symbol import Symbol
from app.services.calibration_service import BATCH, GIVE_UP_MS, CalibrationService, rows_of
from app.services.storage.store import SqlStore
from app.store_probabilities import describe_probabilities
from tests.liquidity_rig import LiquidityRig

HOUR_MS = 3_600_000
T0_MS = 500_000 * HOUR_MS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0_MS)


@pytest.fixture
async def store(database_url: str, clock: ManualClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, data_mode="live", now_ms=clock.now_ms, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()


class Candles5m:
    """Quiet five-minute candles from T0 on, but for one that reaches 106; nothing before they are there."""

    def __init__(self, *, spike_min: int, without: frozenset[str] = frozenset()) -> None:
        self.spike_min = spike_min
        self.without = without
        self.are_there = True
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, symbol: Symbol, interval: str) -> Candles | None:
        self.asked.append((symbol.base, interval))
        if not self.are_there or symbol.base in self.without:
            return None
        step = INTERVAL_MS[interval]
        times = tuple(T0_MS + (n + 1) * step for n in range(300))
        highs = tuple(106.0 if at == T0_MS + self.spike_min * 60_000 else 101.0 for at in times)
        rest = (100.0,) * 300
        return Candles("OKX", step, times, rest, highs, (98.0,) * 300, rest)


def service_over(store: SqlStore, clock: ManualClock, candles: Candles5m | None = None) -> CalibrationService:
    found = candles or Candles5m(spike_min=125)
    return CalibrationService(writer=store.market, log=store.probabilities, candles=found, clock=clock)


def said(level_usd: float, side: str, *, hours: float = 4.0, name: str = "x") -> ProbabilityRow:
    return ProbabilityRow(
        id=f"BTC:{name}:{side}:{level_usd}:{hours}",
        symbol="BTC",
        at_ms=T0_MS,
        due_ms=T0_MS + int(hours * HOUR_MS),
        horizon_h=hours,
        price_usd=100.0,
        level_usd=level_usd,
        side=side,
        probability=0.3,
        probability_source="hitRateTable",
        closed_form=0.28,
        distance_atr=1.5,
        magnet=12.0,
        fuel=None,
        funding_z=0.4,
        outcome=None,
        resolved_ms=None,
        ts_init_ms=T0_MS,
    )


async def test_what_is_due_is_resolved_by_candles_of_five_minutes(
    store: SqlStore, clock: ManualClock
) -> None:
    rows = [said(105.0, "SHORT"), said(110.0, "SHORT"), said(97.0, "LONG"), said(105.0, "SHORT", hours=24.0)]
    await store.market.put_all(rows)
    await store.market.flush()
    candles = Candles5m(spike_min=125)
    log = service_over(store, clock, candles)
    assert await log.resolve_due() == 0  # nothing is due yet
    assert candles.asked == []
    clock.set(T0_MS + 4 * HOUR_MS)
    assert await log.resolve_due() == 3
    await store.market.flush()
    outcomes = {(row.level_usd, row.side): row.outcome for row in await store.probabilities.resolved(99)}
    assert outcomes == {(105.0, "SHORT"): 1.0, (110.0, "SHORT"): 0.0, (97.0, "LONG"): 0.0}
    assert await store.probabilities.counts() == (1, 3, 0)
    assert await log.resolve_due() == 0
    assert candles.asked == [("BTC", "5m")]  # once for three levels


async def test_a_coin_without_candles_holds_up_nobody_else(store: SqlStore, clock: ManualClock) -> None:
    """More than one batch of it is due before the others, at the same moment too."""
    waiting = [
        said(105.0, "SHORT", name=f"{n:04}")._replace(id=f"AAA{n:04}", symbol="AAA")
        for n in range(2 * BATCH + 1)
    ]
    await store.market.put_all([*waiting, said(105.0, "SHORT")])
    await store.market.flush()
    candles = Candles5m(spike_min=125, without=frozenset({"AAA"}))
    clock.set(T0_MS + 4 * HOUR_MS)
    assert await service_over(store, clock, candles).resolve_due() == 1
    await store.market.flush()
    assert await store.probabilities.counts() == (2 * BATCH + 1, 1, 0)
    assert candles.asked == [("AAA", "5m"), ("BTC", "5m")]


async def test_a_candle_that_has_not_closed_ends_nothing(store: SqlStore, clock: ManualClock) -> None:
    """The spike is after the horizon, and the candles reach past it."""
    await store.market.put_all([said(105.0, "SHORT")])
    await store.market.flush()
    clock.set(T0_MS + 4 * HOUR_MS)
    assert await service_over(store, clock, Candles5m(spike_min=245)).resolve_due() == 1
    await store.market.flush()
    (row,) = await store.probabilities.resolved(9)
    assert row.outcome == 0.0


async def test_without_candles_it_stays_open_and_is_given_up_in_the_end(
    store: SqlStore, clock: ManualClock
) -> None:
    await store.market.put_all([said(105.0, "SHORT")])
    await store.market.flush()
    candles = Candles5m(spike_min=125)
    candles.are_there = False
    log = service_over(store, clock, candles)
    clock.set(T0_MS + 5 * HOUR_MS)
    assert await log.resolve_due() == 0
    assert await store.probabilities.counts() == (1, 0, 0)
    clock.set(T0_MS + 4 * HOUR_MS + GIVE_UP_MS + 1)
    assert await log.resolve_due() == 1
    await store.market.flush()
    assert await store.probabilities.counts() == (0, 0, 1)


async def test_saying_it_again_keeps_the_outcome(store: SqlStore, clock: ManualClock) -> None:
    row = said(105.0, "SHORT")
    await store.market.put_all([row._replace(outcome=1.0, resolved_ms=T0_MS + 5, ts_init_ms=T0_MS + 5)])
    await store.market.put_all([row])
    await store.market.put_all([row._replace(ts_init_ms=T0_MS + 9)])
    await store.market.flush()
    (kept,) = await store.probabilities.resolved(9)
    assert (kept.outcome, kept.resolved_ms) == (1.0, T0_MS + 5)


async def test_an_answers_probabilities_are_kept_once_with_their_features(
    store: SqlStore, clock: ManualClock
) -> None:
    rig = LiquidityRig()
    log = service_over(store, clock)
    answer = await rig.service.analyse(Symbol("BTC"), "1h")
    log.keep(answer)
    log.keep(answer)
    await store.market.flush()
    rows = rows_of(answer)
    assert await store.probabilities.counts() == (len(rows), 0, 0)
    assert len(rows) > 6
    assert {row.horizon_h for row in rows} == {4.0, 24.0}
    assert all(0 <= row.probability <= 1 and row.due_ms > row.at_ms for row in rows)
    for setup in (one for one in answer.setups if one.fill_source is not None):
        entry = next(row for row in rows if row.level_usd == setup.entry_usd and row.horizon_h == 24.0)
        assert (entry.probability, entry.probability_source) == (setup.p_fill, setup.fill_source)
    with_cluster = [row for row in rows if row.magnet is not None]
    assert with_cluster
    assert all(row.fuel is not None and row.fuel > 0 for row in with_cluster)
    # Towards the level: what favours a level above speaks against one below.
    signs = {(row.side, row.funding_z) for row in rows}
    assert {(side, -z if z is not None else None) for side, z in signs} == {
        ("LONG" if side == "SHORT" else "SHORT", z) for side, z in signs
    }


async def test_the_log_is_told_in_words(store: SqlStore, clock: ManualClock) -> None:
    assert "0 open, 0 resolved" in await describe_probabilities(store.probabilities)
    rows = [
        said(105.0, "SHORT", name=str(n))._replace(
            at_ms=T0_MS + n * 4 * HOUR_MS,
            due_ms=T0_MS + (n + 1) * 4 * HOUR_MS,
            outcome=float(n % 10 < 3),
            resolved_ms=T0_MS,
        )
        for n in range(200)
    ]
    await store.market.put_all(rows)
    await store.market.flush()
    text = await describe_probabilities(store.probabilities)
    assert "0 open, 200 resolved, 0 unscorable" in text
    assert "4 h: 200 windows that do not overlap, Brier 0.2100" in text
    assert "said 0.30: came true 0.30 (200)" in text
    assert "500 are needed to calibrate" in text
