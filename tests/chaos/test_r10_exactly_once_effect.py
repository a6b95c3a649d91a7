"""R10: duplicates, disorder of five seconds, a replay after a reconnect: every total equals the truth.

Checked where totals are shown: windows, stored rows, heatmap tiles and the alert itself. Gaps are recorded
and reported.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from app.api.numbers import iso_utc
from app.core.domain.flow import FlowSnapshot
from app.core.domain.stored import LiquidationRow
from tests.live_rig import fault
from tests.stream_rig import until
from tests.worker_parts_rig import Row, WorkerRig, liquidation, worker_rig

COINS = ("BTC", "ETH", "SOL")
DAY_S = 86_400


@dataclass(frozen=True)
class Truth:
    """What happened, whatever the stream made of it."""

    events: tuple[Row, ...]

    def usd(self, coin: str) -> dict[str, float]:
        sums = {"long": 0.0, "short": 0.0}
        for event in self.events:
            if event["base"] == coin:
                sums[event["liquidated"]] += event["usd"]
        return sums

    def count(self, coin: str) -> int:
        return sum(event["base"] == coin for event in self.events)


async def check(rig: WorkerRig, truth: Truth) -> None:
    """Every total is that of the truth."""
    await rig.delivered()
    await rig.base.store.market.flush()
    rows = await rig.base.store.tail.since(0)
    minute = rig.clock.now_ms() // 60_000
    for coin in COINS:
        usd = truth.usd(coin)
        own = [row for row in rows if row.symbol == coin]
        assert (len(own), sums(own)) == (truth.count(coin), usd), coin
        (shot,) = rig.pipeline.snapshots([coin])
        assert windowed(shot) == (truth.count(coin), usd), coin
        tiles = await rig.base.store.tiles.tiles(coin, minute - 60, minute + 1)
        assert sum(tile.long_usd for tile in tiles) == usd["long"], coin
        assert sum(tile.short_usd for tile in tiles) == usd["short"], coin
    told = {one.alert.symbol: one.alert.usd for one in await rig.alerts()}
    assert told == {"BTC": sum(truth.usd("BTC").values())}


def sums(rows: list[LiquidationRow]) -> dict[str, float]:
    return {
        side: sum(row.usd for row in rows if row.liquidated_side == side.upper())
        for side in ("long", "short")
    }


def windowed(shot: FlowSnapshot) -> tuple[int, dict[str, float]]:
    """The window of a day."""
    (day,) = (window for window in shot.liquidations if window.window_s == DAY_S)
    return day.long_events + day.short_events, {"long": day.long_usd, "short": day.short_usd}


def story(now_ms: int) -> tuple[Row, ...]:
    """Ten seconds: a cascade of BTC longs in twelve parts, of which two are equal to the millisecond, and
    small events of other coins."""
    events = [
        liquidation("BTC", "long", 250_000.0 * (4 + k % 3), 60_000.0 - k, at_ms=now_ms + 800 * k)
        for k in range(11)
    ]
    events.append(dict(events[5]))
    events += [
        liquidation(coin, "short" if k % 2 else "long", 125.0 * (k + 1), 100.0 + k, at_ms=now_ms + 500 * k)
        for coin in ("ETH", "SOL")
        for k in range(20)
    ]
    return tuple(sorted(events, key=lambda event: event["ts_ms"]))


async def play_in_frames(rig: WorkerRig, events: list[Row], *, copies: int = 1, size: int = 6) -> None:
    for start in range(0, len(events), size):
        part = events[start : start + size]
        await rig.play(*part, arrive=len(part) * copies)


async def test_every_frame_twice(tmp_path: Path) -> None:
    async with worker_rig(tmp_path) as rig:
        truth = Truth(story(rig.clock.now_ms()))
        rig.sim.break_with(fault("coinglass", "duplicates", endpoint="ws"))
        await play_in_frames(rig, list(truth.events), copies=2)
        assert rig.pipeline.status().duplicates == len(truth.events)
        rig.sim.break_with()
        # The cascade's last sum is shown when it stops.
        await rig.pass_s(40)
        await check(rig, truth)
        assert rig.sends == 1


async def test_events_up_to_five_seconds_late_in_any_order(tmp_path: Path) -> None:
    async with worker_rig(tmp_path) as rig:
        draw = random.Random(7)
        truth = Truth(story(rig.clock.now_ms() - 10_000))
        arrivals = sorted(truth.events, key=lambda event: event["ts_ms"] + draw.uniform(0, 5_000))
        assert arrivals != list(truth.events)
        await play_in_frames(rig, arrivals)
        await rig.pass_s(40)
        await check(rig, truth)
        assert rig.sends == 1


async def test_a_minute_sent_again_after_a_reconnect(tmp_path: Path) -> None:
    async with worker_rig(tmp_path, {"WS_RECONNECT_SECONDS": "0.01"}) as rig:
        truth = Truth(story(rig.clock.now_ms()))
        half = len(truth.events) // 2
        await play_in_frames(rig, list(truth.events[:half]))
        before = rig.process.worker._parts.links()[0]
        rig.sim.break_with(
            fault("coinglass", "drop", endpoint="ws", count=1),
            fault("coinglass", "replay", 60, "ws", count=1),
        )
        # What was sent is sent again, in other frames, before the rest.
        rig.scripted += half
        await play_in_frames(rig, list(truth.events[half:]))
        await until(lambda: rig.pipeline.status().duplicates == half)
        after = rig.process.worker._parts.links()[0]
        assert after.reconnects == before.reconnects + 1
        await rig.pass_s(40)
        await check(rig, truth)
        assert rig.sends == 1
        gaps = await rig.base.store.alerts.gaps(0)
        assert [(gap.source, gap.reason) for gap in gaps if gap.reason != "start"] == [("coinglass", "drop")]

        # The recorded gap is what the service says of itself.
        (worker,) = (await rig.stream_status())["workers"]
        (told,) = (gap for gap in worker["gaps"] if gap["reason"] != "start")
        (kept,) = (gap for gap in gaps if gap.reason != "start")
        assert (told["source"], told["reason"]) == ("coinglass", "drop")
        assert (told["since"], told["until"]) == (iso_utc(kept.from_ms), iso_utc(kept.to_ms))
        assert kept.from_ms < kept.to_ms
