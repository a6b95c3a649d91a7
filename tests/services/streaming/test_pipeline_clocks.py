"""What a venue with a wrong clock can do to prices: nothing that lasts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.core.alerting.desk import AlertDesk
from app.core.clock import ManualClock
from app.core.domain.alerts import GateVerdict, StoredAlert
from app.core.domain.flow import Phase, StreamFrame, StreamGap
from app.core.flow.engine import FlowEngine
from app.core.flow.identify import Identifier
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.pipeline import Pipeline, PipelineParts
from tests.event_facts import CONFIG, T, event, frame, tick


class Prices:
    """Notes what outcomes are scored with; keeps nothing else."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def take(self, verdicts: Iterable[GateVerdict]) -> None: ...

    def restore(self, stored: Iterable[StoredAlert]) -> None: ...

    def on_price(self, symbol: str, price: float, ts_ms: int) -> None:
        self.seen.append((price, ts_ms - T))

    async def add_gap(self, gap: StreamGap) -> None: ...

    async def keep_all(self, verdicts: Sequence[GateVerdict], *, now_ms: int) -> None: ...


def listen(prices: Prices, clock: ManualClock) -> Pipeline:
    parts = PipelineParts(
        engine=FlowEngine(CONFIG),
        identifier=Identifier(),
        desk=AlertDesk(tier_of=CONFIG.tier_of, data_mode="live", chats=lambda: ()),
        keeper=AlertKeeper(prices, on_stored=lambda: None, clock=clock),  # type: ignore[arg-type]
        market=None,
        gaps=prices,  # type: ignore[arg-type]
        outcomes=prices,
    )
    return Pipeline(parts, clock=clock)


async def test_a_price_from_the_future_does_not_stand_until_its_time_has_come() -> None:
    clock, prices = ManualClock(), Prices()
    clock.set(T)
    pipeline = listen(prices, clock)
    for at_s, price, stated_s in ((1.0, 60_000.0, 0.9), (2.0, 60_500.0, 3_600.0), (4.0, 59_900.0, 3.9)):
        clock.set(T + round(at_s * 1000))
        ticks = (tick(price, stated_s),)
        await pipeline.handle(StreamFrame("okx", clock.now_ms(), ticks=ticks))
    (shot,) = pipeline.snapshots(["BTC"])
    assert (shot.price, shot.price_ms) == (59_900.0, T + 3_900)
    assert prices.seen == [(60_000.0, 900), (60_500.0, 2_000), (59_900.0, 3_900)]
    assert pipeline.status().skewed_events == 1
    assert pipeline.status().ticks == 3
    clock.set(T + 90_000)
    (shot,) = pipeline.snapshots(["BTC"])
    assert shot.price is None


async def test_a_cascade_is_not_over_because_of_it() -> None:
    clock, prices = ManualClock(), Prices()
    clock.set(T + 1_000)
    pipeline = listen(prices, clock)
    await pipeline.handle(frame(*(event(usd=1e6, at_s=n / 10) for n in range(5)), at_s=1.0))
    await pipeline.handle(StreamFrame("okx", T + 1_000, ticks=(tick(60_000.0, 3_600.0),)))
    await pipeline.tick()
    (shot,) = pipeline.snapshots(["BTC"])
    assert shot.cascade is not None
    assert shot.cascade.phase is Phase.BUILDING
