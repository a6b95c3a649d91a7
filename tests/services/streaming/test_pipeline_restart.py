"""What a start finds: the past without its alerts told anew, and the time nobody listened kept as a gap."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from app.core.alerting.desk import AlertDesk
from app.core.clock import ManualClock
from app.core.domain.alerts import GateVerdict
from app.core.domain.flow import StreamFrame, StreamGap
from app.core.flow.engine import FlowEngine
from app.core.flow.identify import Identifier
from app.services.storage.store import SqlStore
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.partition_handler import PartitionHandler
from app.services.streaming.pipeline import Pipeline, PipelineParts
from tests.event_facts import CONFIG, T, event, frame, tick


class Nobody:
    """Follows no alert."""

    def take(self, verdicts: object) -> None: ...

    def restore(self, stored: object) -> None: ...

    def on_price(self, symbol: str, price: float, ts_ms: int) -> None: ...


class Rig:
    """One database, and as many lives of a pipeline over it as a test wants."""

    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.rows_before_alert: list[int] = []

    def pipeline(self) -> Pipeline:
        parts = PipelineParts(
            engine=FlowEngine(CONFIG),
            identifier=Identifier(),
            desk=AlertDesk(tier_of=CONFIG.tier_of, data_mode="live", chats=lambda: ()),
            keeper=AlertKeeper(self, on_stored=lambda: None, clock=self.clock),  # type: ignore[arg-type]
            market=self.store.market,
            gaps=self.store.alerts,
            outcomes=Nobody(),
        )
        return Pipeline(parts, clock=self.clock)

    async def keep_all(self, verdicts: Sequence[GateVerdict], *, now_ms: int) -> None:
        self.rows_before_alert.append(self.store.market.buffered_rows)
        await self.store.alerts.keep_all(verdicts, now_ms=now_ms)

    async def restart(self, *, at_s: float) -> Pipeline:
        await self.store.market.flush()
        self.clock.set(T + round(at_s * 1000))
        pipeline = self.pipeline()
        assert await pipeline.restore(self.store.tail, self.store.alerts)
        return pipeline

    async def gaps(self) -> Sequence[StreamGap]:
        return await self.store.alerts.gaps(0)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    clock = ManualClock()
    clock.set(T + 1_000)
    store = SqlStore(
        f"sqlite:///{tmp_path}/s.db", data_mode="live", now_ms=clock.now_ms, monotonic=time.monotonic
    )
    store.start()
    await store.opened()
    yield Rig(store, clock)
    await store.close()


def burst(at_s: float) -> StreamFrame:
    """A cascade of BTC in one frame."""
    events = [event(usd=1_500_000.0, at_s=at_s - 1 + n / 10) for n in range(4)]
    return frame(*events, at_s=at_s)


async def test_rows_are_not_stored_before_the_alert_they_led_to(rig: Rig) -> None:
    await rig.pipeline().handle(burst(1.0))
    assert rig.rows_before_alert == [0]
    assert rig.store.market.buffered_rows == 4


async def test_the_first_start_has_no_gap(rig: Rig) -> None:
    pipeline = await rig.restart(at_s=1.0)
    await pipeline.handle(burst(2.0))
    assert await rig.gaps() == []


async def test_a_restart_is_a_gap_from_the_newest_stored_event_to_the_first_data(rig: Rig) -> None:
    await rig.pipeline().handle(burst(1.0))
    pipeline = await rig.restart(at_s=40.0)
    assert await rig.gaps() == [StreamGap("coinglass", T + 1_000, T + 40_000, "start")]
    # The other stream says nothing of this one.
    await pipeline.handle(StreamFrame("okx", T + 41_000, ticks=(tick(60_000.0, 41.0),)))
    await pipeline.handle(StreamFrame("coinglass", T + 43_000, ticks=(tick(60_000.0, 43.0),)))
    await pipeline.handle(frame(event(at_s=44.0), at_s=44.5))
    assert await rig.gaps() == [StreamGap("coinglass", T + 1_000, T + 43_000, "start")]
    (snapshot,) = pipeline.snapshots(["BTC"])
    assert snapshot.covered_since_ms == T + 43_000


async def test_a_restart_tells_nothing_of_its_past_again(rig: Rig) -> None:
    await rig.pipeline().handle(burst(1.0))
    told = len(rig.rows_before_alert)
    pipeline = await rig.restart(at_s=5.0)
    await pipeline.handle(burst(1.0))  # sent once more by the venue
    await pipeline.tick()
    assert len(rig.rows_before_alert) == told
    assert pipeline.status().duplicates == 4


async def test_nobody_looks_at_a_partition_before_its_past_is_whole(rig: Rig) -> None:
    await rig.pipeline().handle(burst(1.0))
    await rig.store.market.flush()
    seen: list[str] = []
    handler = PartitionHandler(
        rig.pipeline(),
        is_ours=lambda symbol: True,
        tail=rig.store.tail,
        alerts=rig.store.alerts,
        market=rig.store.market,
        keeper=AlertKeeper(rig.store.alerts, on_stored=lambda: None, clock=rig.clock),
        clock=rig.clock,
        on_filled=lambda: seen.append("filled"),
        on_close=lambda: seen.append("closed"),
    )
    await handler.restore(T + 10_000, is_continued=True)
    await handler.replay(frame(event(at_s=11.0), at_s=11.5))
    assert seen == []
    await handler.handle(frame(event(at_s=12.0), at_s=12.5))
    await handler.advance(T + 13_000)
    await handler.close()
    assert seen == ["filled", "closed"]
