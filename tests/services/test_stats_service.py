"""Counts come from where things are kept, and what cannot be counted is not zero."""

from __future__ import annotations

from app.core.clock import ManualClock
from app.core.domain.alerts import DropReason
from app.core.domain.signal import Direction
from app.core.domain.track_record import SignalCount
from app.services.stats_service import StatsService
from tests.flow_facts import FakeAlerts, alert, stored
from tests.memory_store import MemoryStore
from tests.track_facts import FakeTrack
from tests.watch_facts import NOW_MS, MemoryCoins, make_watchlist


def stats_over(track: FakeTrack, alerts: FakeAlerts) -> StatsService:
    watchlist = make_watchlist(MemoryCoins())
    clock = ManualClock(NOW_MS)
    return StatsService(watchlist=watchlist, signals=track, alerts=alerts, store=MemoryStore(), clock=clock)


async def test_signals_of_every_trigger_and_mode_are_counted_by_direction() -> None:
    counts = (
        SignalCount("BTC", "request", "balanced", "LONG", 3, 70.0, 1.0),
        SignalCount("ETH", "schedule", "balanced", "LONG", 4, 70.0, 1.0),
        SignalCount("ETH", "request", "aggressive", "SHORT", 2, 30.0, 1.0),
    )
    track = FakeTrack(frozenset({"BTC", "ETH"}), counts=counts)
    found = await stats_over(track, FakeAlerts()).stats()
    assert found.signals == {Direction.LONG: 7, Direction.NEUTRAL: 0, Direction.SHORT: 2}
    assert (track.asked, found.since_ms) == ([24], NOW_MS - 86_400_000)
    assert (found.coins_listed, found.coins_on, found.live_clients) == (3, 3, 0)


async def test_alerts_are_counted_by_why_nobody_was_told() -> None:
    rows = [
        stored(alert(1)),
        stored(alert(2), drop_reason=DropReason.MUTED),
        stored(alert(3), drop_reason=DropReason.MUTED),
    ]
    found = await stats_over(FakeTrack(frozenset()), FakeAlerts(*rows)).stats()
    assert found.alerts == {None: 1, DropReason.MUTED: 2}
    assert found.why_none is None


async def test_a_store_that_is_away_leaves_what_memory_knows_and_says_so() -> None:
    alerts = FakeAlerts()
    alerts.is_down = True
    found = await stats_over(FakeTrack(frozenset()), alerts).stats()
    assert (found.signals, found.alerts) == (None, None)
    assert (found.coins_on, found.why_none) == (3, "the database does not answer")
