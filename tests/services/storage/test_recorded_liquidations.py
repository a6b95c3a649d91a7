"""The recorded liquidations beside the project, loaded into real databases twice, and counted apart."""

from __future__ import annotations

import asyncio
import csv
import gzip
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from app.core.domain.stored import ExportName, LiquidationRow
from app.recorded_import import import_folder
from app.services.storage.store import SqlStore
from tests.services.storage.test_store import assert_same_tiles, exported, recount, stored_tiles

NOW_MS = 1_780_000_000_000  # after all of them
FOLDER = Path(__file__).parents[4] / "shared" / "data" / "liquidations"


def counted_apart() -> tuple[Counter[str], Counter[str]]:
    """Events and cents per liquidated side, read off the files by nothing of ours."""
    events: Counter[str] = Counter()
    cents: Counter[str] = Counter()
    for path in sorted(FOLDER.glob("events_*.csv.gz")):
        with gzip.open(path, "rt") as lines:
            for row in csv.DictReader(lines):
                if row["liquidated"] in {"long", "short"} and re.fullmatch(r"[A-Z0-9-]+", row["symbol"]):
                    side = row["liquidated"].upper()
                    events[side] += 1
                    cents[side] += round(float(row["usd"]) * 100)
    return events, cents


async def test_loaded_twice_they_are_there_once_and_the_tiles_equal_a_recount(database_url: str) -> None:
    if not FOLDER.is_dir():
        pytest.skip("no recorded data beside the project (../shared/data)")
    store = SqlStore(database_url, data_mode="replay", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    try:
        seen = []
        for _ in range(2):
            await import_folder(
                FOLDER,
                store.market,
                coins=None,
                now_ms=lambda: NOW_MS,
                stopping=asyncio.Event(),
                on_progress=lambda *_: None,
            )
            await store.market.flush()
            rows = [LiquidationRow(*row) for row in await exported(store, ExportName.LIQUIDATIONS)]
            tiles = await stored_tiles(store, sorted({row.symbol for row in rows}))
            seen.append((rows, tiles))
    finally:
        await store.close()
    assert seen[0] == seen[1]
    events, cents = counted_apart()
    assert Counter(row.liquidated_side for row in rows) == events
    for side, total in cents.items():
        assert sum(row.usd for row in rows if row.liquidated_side == side) == pytest.approx(
            total / 100, rel=1e-6
        )
    assert_same_tiles(tiles, recount(rows))
    assert sum(tile.events for tile in tiles) == events.total() > 10_000
