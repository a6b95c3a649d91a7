"""R21: twenty thousand liquidations of one coin in a second: others are told as ever, and it is one message.

Latency is measured by `python -m bench stream`; here is what must hold at any speed.
"""

from __future__ import annotations

from pathlib import Path

from tests.chaos.conftest import note
from tests.stream_rig import until
from tests.worker_parts_rig import Row, liquidation, worker_rig

EVENTS = 20_000
OTHERS = [f"C{number}" for number in range(10)]
# Rows of columns that the windows of one coin may hold, whatever happened: seconds kept apart, then minutes.
MOST_ROWS = 5_000


def storm(now_ms: int) -> list[Row]:
    """One second of one coin, in twenty parts of which each ends with another coin's cascade."""
    rows: list[Row] = []
    for part in range(20):
        rows += [
            liquidation("BTC", "long", 500.0 + k % 7, 60_000.0 - k % 50, at_ms=now_ms + 50 * part)
            for k in range(EVENTS // 20)
        ]
        if part % 2:
            coin = OTHERS[part // 2]
            rows += [liquidation(coin, "short", 60_000.0, 2.0, at_ms=now_ms + 50 * part) for _ in range(3)]
    return rows


async def test_a_storm_of_one_coin_is_one_message_and_holds_up_nobody(tmp_path: Path) -> None:
    async with worker_rig(tmp_path) as rig:
        rows = storm(rig.clock.now_ms())
        arrived_ms = rig.clock.now_ms() + 1_000
        await rig.play(*rows, step_ms=1_000)
        # Told without any further market time.
        await until(lambda: rig.pipeline.status().alerts.get("kept") == 1 + len(OTHERS), within_s=20)
        await rig.stored()
        stored = {one.alert.symbol: one.alert for one in await rig.alerts()}
        assert rig.clock.now_ms() == arrived_ms
        assert set(stored) == {"BTC", *OTHERS}
        assert {stored[coin].usd for coin in OTHERS} == {180_000.0}

        await rig.pass_s(60)
        await rig.delivered()
        texts = await rig.messages()
        grown = {one.alert.symbol: one.alert for one in await rig.alerts()}
        await rig.base.store.market.flush()
        status, store = rig.pipeline.status(), rig.base.store.status()
        windows = rig.pipeline._parts.engine._coins["BTC"].market.windows
        held = len(windows.seconds.units) + len(windows.minutes.units)
        kept = await rig.base.store.tail.since(0)
    total = sum(row["usd"] for row in rows if row["base"] == "BTC")
    assert status.events == len(rows) == len(kept)
    assert grown["BTC"].usd == total
    assert grown["BTC"].id == stored["BTC"].id
    # It stands in one message, alone or as a line of the digest.
    assert sum(text.count("BTC: ") for text in texts) == 1
    note(f"R21 {len(rows)} events of a second: one message, {len(OTHERS)} other coins told, {held} rows held")
    # Nothing grows with the number of events.
    assert held < MOST_ROWS
    assert (store.buffered_rows, store.lost_rows) == (0, 0)
