"""Alerts followed on streamed prices, by candles after a restart, and the record that comes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from app.core.clock import ManualClock
from app.core.domain.alerts import DropReason, StoredAlert
from app.core.domain.flow import TradeLevels
from app.core.domain.market import INTERVAL_MS, Candles
from app.core.domain.outcomes import OutcomeRow, OutcomeState, Touch
from app.core.domain.signal import Direction
from app.core.domain.symbol import Symbol
from app.core.errors import StorageUnavailable
from app.core.outcomes.rows import facts_of
from app.services.storage.store import SqlStore
from app.services.streaming import outcome_tracker
from app.services.streaming.outcome_tracker import GIVE_UP_MS, GRACE_MS, OutcomeTracker, TrackerStatus
from tests.outcome_facts import HOUR_MS, T0_MS, alert, verdict

MIN = 60_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0_MS)


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqlStore]:
    store = SqlStore(
        f"sqlite:///{tmp_path / 'store.db'}",
        data_mode="live",
        now_ms=clock.now_ms,
        monotonic=time.monotonic,
    )
    store.start()
    await store.opened()
    yield store
    await store.close()


class Exchange:
    """Candles around 100 in which one minute reaches `spike`; before it nothing leaves 99.5 to 100.5."""

    def __init__(self, *, spike_min: int, spike: float, reach: int = 500) -> None:
        self.spike_ms = T0_MS + spike_min * MIN
        self.spike = spike
        self.reach = reach
        self.is_there = True
        self.now_ms = T0_MS
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, symbol: Symbol, interval: str) -> Candles | None:
        self.asked.append((symbol.base, interval))
        if not self.is_there:
            return None
        step = INTERVAL_MS[interval]
        last = self.now_ms // step * step
        times = tuple(range(last - (self.reach - 1) * step, last + 1, step))
        hit = [end - step <= self.spike_ms < end for end in times]
        highs = tuple(max(100.5, self.spike) if here else 100.5 for here in hit)
        lows = tuple(min(99.5, self.spike) if here else 99.5 for here in hit)
        flat = (100.0,) * len(times)
        return Candles("OKX", step, times, flat, highs, lows, flat)


def tracker_over(
    store: SqlStore,
    clock: ManualClock,
    exchange: Exchange | None = None,
    *,
    atr: float | None = 1.0,
    funding: float | None = None,
) -> OutcomeTracker:
    async def settled(symbol: str, from_ms: int, to_ms: int) -> Sequence[tuple[int, float]] | None:
        assert from_ms <= to_ms
        return None if funding is None else [(to_ms, funding)]

    return OutcomeTracker(
        store=store.outcomes,
        candles=exchange or Exchange(spike_min=10_000, spike=100.0),
        clock=clock,
        tier_of=lambda symbol: 1 if symbol == "BTC" else 3,
        atr_of=lambda symbol: atr,
        funding=settled,
    )


def stream(tracker: OutcomeTracker, prices: Sequence[tuple[float, float]], symbol: str = "BTC") -> None:
    """(seconds after T0, price)."""
    for after_s, price in prices:
        tracker.on_price(symbol, price, T0_MS + round(after_s * 1000))


async def rows_of(store: SqlStore, name: str = "a") -> dict[str, OutcomeRow]:
    return {row.horizon: row for row in await store.outcomes.of_trade(name)}


async def test_the_stream_follows_an_alert_to_its_target(store: SqlStore, clock: ManualClock) -> None:
    tracker = tracker_over(store, clock, funding=0.0002)
    tracker.take([verdict(alert())])
    stream(tracker, [(-1, 90.0), (0, 101.5), (0.4, 100.2), (0.5, 100.1), (30, 100.6), (60, 101.3), (61, 50)])
    await tracker.write()
    rows = await rows_of(store)
    assert {row.state for row in rows.values()} == {OutcomeState.SCORED.value}
    row = rows["1h"]
    # Entered at the first price after the alert, not at its own; one ATR away the target.
    assert (row.entered_ms, row.entry_price) == (T0_MS + 400, 100.2)
    assert (row.stop_price, row.target_price) == (pytest.approx(99.2), pytest.approx(101.2))
    assert (row.first_touch, row.touched_ms) == ("target", T0_MS + 60_000)
    assert row.net_return_frac == pytest.approx(1 / 100.2 - 0.0016 - 0.0002)
    assert row.mae_frac == pytest.approx(-0.1 / 100.2)
    assert (facts_of(row).path, facts_of(row).funding_frac) == ("trades", 0.0002)
    assert tracker.status() == TrackerStatus(0, 0, 0, 0)


async def test_a_short_is_followed_to_its_own_levels(store: SqlStore, clock: ManualClock) -> None:
    tracker = tracker_over(store, clock, atr=None)
    levels = TradeLevels(100.0, 102.0, (98.0, 90.0))
    tracker.take([verdict(alert(direction=Direction.SHORT, levels=levels), DropReason.MUTED)])
    stream(tracker, [(1, 100.0), (20, 101.9), (40, 97.5), (41, 97.5)])
    await tracker.write()
    row = (await rows_of(store))["4h"]
    assert (row.first_touch, row.setup) == ("target", "STOP_HUNT:SHORT:1")
    assert row.net_return_frac == pytest.approx(0.02 - 0.0016)


async def test_only_directional_alerts_with_a_usable_price_are_followed(
    store: SqlStore, clock: ManualClock
) -> None:
    tracker = tracker_over(store, clock)
    tracker.take(
        [
            verdict(alert("none", direction=Direction.NEUTRAL)),
            verdict(alert("unpriced", price=None)),
            verdict(alert("bad"), DropReason.BAD_LEVELS),
            verdict(alert("no_price"), DropReason.NO_PRICE),
            verdict(alert("quiet"), DropReason.QUIET_HOURS),
            verdict(alert("sent")),
            verdict(alert("sent")),
        ]
    )
    await tracker.write()
    (count,) = await store.outcomes.counts("1h", 0)
    assert count.open == 2
    assert tracker.status().followed == 2


async def test_an_alert_is_followed_from_its_first_directional_revision(
    store: SqlStore, clock: ManualClock
) -> None:
    tracker = tracker_over(store, clock)
    tracker.take([verdict(alert(direction=Direction.NEUTRAL))])
    tracker.take([verdict(alert(made_ms=T0_MS + 5_000))])
    tracker.take([verdict(alert(made_ms=T0_MS + 90_000))])
    await tracker.write()
    assert {row.ts_init_ms for row in (await rows_of(store)).values()} == {T0_MS + 5_000}


async def test_after_a_restart_candles_end_what_was_open(store: SqlStore, clock: ManualClock) -> None:
    before = tracker_over(store, clock)
    before.take([verdict(alert())])
    stream(before, [(0.5, 100.0), (50, 100.1), (60, 100.2)])
    await before.write()
    exchange = Exchange(spike_min=40, spike=101.1)
    after = tracker_over(store, clock, exchange)
    assert await after.resolve_due() == 0
    assert exchange.asked == []
    exchange.now_ms = T0_MS + 5 * HOUR_MS
    clock.set(exchange.now_ms)
    assert await after.resolve_due() == 3
    rows = await rows_of(store)
    ends = {name: (row.first_touch, row.touched_ms) for name, row in rows.items()}
    assert ends == {
        "15m": ("timeout", T0_MS + 15 * MIN + 500),
        "1h": ("target", T0_MS + 41 * MIN),
        "4h": ("target", T0_MS + 41 * MIN),
        "24h": (None, None),
    }
    assert facts_of(rows["1h"]).path == "1m"
    assert exchange.asked == [("BTC", "1m")]
    assert after.records("STOP_HUNT:LONG:1") == (1, 1)
    assert after.records("STOP_HUNT:SHORT:1") is None
    assert await after.resolve_due() == 0


async def test_candles_enter_at_the_first_bar_after_the_alert(store: SqlStore, clock: ManualClock) -> None:
    """No price was streamed and no ATR was known: the hours before the alert say how far is far."""
    exchange = Exchange(spike_min=0, spike=150.0)  # in the bar in which the alert was made: not its path
    tracker = tracker_over(store, clock, exchange, atr=None)
    tracker.take([verdict(alert(symbol="PEPE", made_ms=T0_MS + 1_000))])
    await tracker.write()
    exchange.now_ms = T0_MS + 2 * HOUR_MS
    clock.set(exchange.now_ms)
    assert await tracker.resolve_due() == 2
    row = (await rows_of(store))["1h"]
    assert (row.entered_ms, row.entry_price, row.due_ms) == (T0_MS + MIN, 100.0, T0_MS + MIN + HOUR_MS)
    # Hours from 99.5 to 100.5; the one with the spike closed after the alert.
    assert (row.stop_price, row.target_price) == (pytest.approx(99.0), pytest.approx(101.0))
    assert (row.first_touch, row.net_return_frac) == ("timeout", pytest.approx(-0.0028))
    day = (await rows_of(store))["24h"]
    assert (day.state, day.entered_ms) == ("open", T0_MS + MIN)


async def test_five_minute_candles_reach_where_those_of_one_do_not(
    store: SqlStore, clock: ManualClock
) -> None:
    exchange = Exchange(spike_min=600, spike=98.0)
    tracker = tracker_over(store, clock, exchange)
    tracker.take([verdict(alert())])
    await tracker.write()
    exchange.now_ms = T0_MS + 24 * HOUR_MS + 10 * MIN
    clock.set(exchange.now_ms)
    assert await tracker.resolve_due() == 4
    row = (await rows_of(store))["24h"]
    assert (row.first_touch, row.touched_ms) == ("stop", T0_MS + 605 * MIN)
    assert facts_of(row).path == "5m"


async def test_what_nobody_can_score_is_counted_and_not_guessed(store: SqlStore, clock: ManualClock) -> None:
    exchange = Exchange(spike_min=9_999, spike=100.0)
    exchange.is_there = False
    tracker = tracker_over(store, clock, exchange)
    tracker.take([verdict(alert())])
    await tracker.write()
    clock.set(T0_MS + HOUR_MS)
    assert await tracker.resolve_due() == 0
    clock.set(T0_MS + HOUR_MS // 4 + GIVE_UP_MS + 1)
    assert await tracker.resolve_due() == 1
    row = (await rows_of(store))["15m"]
    assert (row.state, facts_of(row).reason) == ("unscorable", "no_entry")
    assert (row.net_return_frac, row.first_touch) == (None, None)
    (count,) = await store.outcomes.counts("15m", 0)
    assert (count.scored, count.unscorable) == (0, 1)


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_target_passed_before_anybody_could_enter_was_missed(
    store: SqlStore, clock: ManualClock, is_streamed: bool
) -> None:
    """At every horizon at once: another entry, found later by coarser bars, would be another trade."""
    exchange = Exchange(spike_min=9_999, spike=100.0)
    tracker = tracker_over(store, clock, exchange)
    tracker.take([verdict(alert(levels=TradeLevels(99.0, 98.0, (99.9,))))])
    if is_streamed:
        stream(tracker, [(1, 100.0)])
    await tracker.write()
    exchange.now_ms = T0_MS + HOUR_MS
    clock.set(T0_MS + HOUR_MS // 4 + GRACE_MS)
    await tracker.resolve_due()
    assert [facts_of(row).reason for row in (await rows_of(store)).values()] == ["missed"] * 4
    assert bool(exchange.asked) is not is_streamed
    await tracker.write()
    assert tracker.status().followed == 0


async def test_a_silent_stream_leaves_the_end_to_candles(store: SqlStore, clock: ManualClock) -> None:
    exchange = Exchange(spike_min=3, spike=98.5)
    tracker = tracker_over(store, clock, exchange)
    tracker.take([verdict(alert())])
    # Ten minutes unseen: a target after them is not known to have come first.
    stream(tracker, [(1, 100.0), (600, 101.5), (601, 101.5)])
    await tracker.write()
    assert {row.state for row in (await rows_of(store)).values()} == {"open"}
    assert tracker.status().followed == 0
    exchange.now_ms = T0_MS + HOUR_MS
    clock.set(T0_MS + HOUR_MS // 4 + GRACE_MS + 1_000)
    assert await tracker.resolve_due() == 1
    assert (await rows_of(store))["15m"].first_touch == "stop"


async def test_prices_of_one_second_are_one_bar_and_both_barriers_in_it_a_loss(
    store: SqlStore, clock: ManualClock
) -> None:
    tracker = tracker_over(store, clock)
    tracker.take([verdict(alert())])
    stream(tracker, [(1, 100.0), (2.1, 100.5), (2.2, 101.5), (2.15, 98.5), (2.05, 1.0), (3, 100.0)])
    await tracker.write()
    row = (await rows_of(store))["15m"]
    assert (row.first_touch, facts_of(row).exit_price) == (Touch.BOTH.value, 99.0)


async def test_memory_is_bounded_and_the_rest_is_left_to_candles(
    store: SqlStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_tracker, "MAX_FOLLOWED", 3)
    monkeypatch.setattr(outcome_tracker, "MAX_PENDING", 20)
    monkeypatch.setattr(outcome_tracker, "MAX_SEEN", 2)
    tracker = tracker_over(store, clock)
    tracker.take([verdict(alert(f"a{n}", symbol=f"C{n}")) for n in range(7)])
    assert tracker.status() == TrackerStatus(followed=3, pending=20, lost=2, unstreamed=2)
    await tracker.write()
    clock.tick(301)  # no price came
    await tracker.write()
    assert tracker.status() == TrackerStatus(followed=0, pending=0, lost=2, unstreamed=2)
    assert [one.open for one in await store.outcomes.counts("1h", 0)] == [5]


async def test_what_the_database_could_not_take_is_written_later(
    store: SqlStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = tracker_over(store, clock)
    tracker.take([verdict(alert())])
    stream(tracker, [(1, 100.0), (2, 101.5), (3, 101.5)])

    async def away(rows: Sequence[OutcomeRow]) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store.outcomes, "resolve", away)
        with pytest.raises(StorageUnavailable):
            await tracker.write()
    assert tracker.status().pending == 4
    await tracker.write()
    assert {row.state for row in (await rows_of(store)).values()} == {"scored"}


async def test_alerts_of_the_history_are_followed_after_a_start(store: SqlStore, clock: ManualClock) -> None:
    first = tracker_over(store, clock)
    first.take([verdict(alert("known", made_ms=T0_MS - 60_000))])
    await first.write()
    tracker = tracker_over(store, clock)
    history = [StoredAlert(alert(name), None, {}) for name in ("known", "new")]
    tracker.restore([*history, StoredAlert(alert("bad"), DropReason.BAD_LEVELS, {})])
    await tracker.write()
    assert (await rows_of(store, "known"))["1h"].ts_init_ms == T0_MS - 60_000
    assert len(await rows_of(store, "new")) == 4
    assert await rows_of(store, "bad") == {}
    assert tracker.status().followed == 0


async def test_the_loop_writes_resolves_and_outlives_an_outage(
    store: SqlStore,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(outcome_tracker, "WRITE_EVERY_S", 0)
    tracker = tracker_over(store, clock)
    tracker.take([verdict(alert())])
    stream(tracker, [(1, 100.0), (2, 101.5), (3, 101.5)])
    is_away, tried, tries, real = True, asyncio.Event(), 0, store.outcomes.open

    async def flaky(rows: Sequence[OutcomeRow]) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            tried.set()
        if is_away:
            raise StorageUnavailable("away")
        await real(rows)

    monkeypatch.setattr(store.outcomes, "open", flaky)
    running = asyncio.create_task(tracker.run())
    async with asyncio.timeout(10):
        await tried.wait()
        is_away = False
        while tracker.records("STOP_HUNT:LONG:1") is None:
            clock.tick(outcome_tracker.RESOLVE_EVERY_S)
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert tracker.records("STOP_HUNT:LONG:1") == (1, 1)
    assert tracker.status().pending == 0
    assert caplog.messages.count("outcomes of alerts wait for the database") == 1
