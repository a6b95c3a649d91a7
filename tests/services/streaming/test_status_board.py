"""What workers say of themselves, read in another process; and the book of whales beside it."""

from __future__ import annotations

import dataclasses
from typing import Any

from app.core.clock import ManualClock
from app.core.domain.flow_answer import WhaleBook
from app.core.domain.heatmap import AbsentPart, CompositeScore, HeatmapPart
from app.core.domain.quality import MissingReason
from app.core.domain.stored import CompositeRow
from app.core.domain.views import View
from app.core.flow.reports import decode_book, decode_composite, decode_names, decode_report
from app.services.streaming.status_board import StatusBoard
from app.services.streaming.tile_shelf import KEEP_S, TileShelf
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.streaming.whale_shelf import MAX_ROWS, WhaleShelf
from tests.derivatives_facts import facts
from tests.flow_facts import NOW_MS, report


def warm() -> MemoryWarmCache:
    return MemoryWarmCache(now_ms=lambda: NOW_MS, monotonic=lambda: 0.0)


async def test_reports_come_back_whole_and_by_name() -> None:
    cache = warm()
    writer, reader = (StatusBoard(cache, now_ms=lambda: NOW_MS) for _ in range(2))
    await writer.put(report("ingest"))
    await writer.put(report("detect-1"))
    assert await reader.read() == (report("detect-1"), report("ingest"))
    assert await reader.is_alive()


async def test_a_worker_that_has_gone_drops_off() -> None:
    cache = warm()
    board = StatusBoard(cache, now_ms=lambda: NOW_MS)
    await board.put(report("old", as_of_ms=NOW_MS - 601_000))
    await board.put(report("new", as_of_ms=NOW_MS - 91_000))
    assert [one.worker for one in await board.read()] == ["new"]
    assert not await board.is_alive()


async def test_in_a_fast_replay_a_worker_speaks_as_often_as_ever() -> None:
    cache = warm()
    board = StatusBoard(cache, now_ms=lambda: NOW_MS, speed=60.0)
    await board.put(report("all", as_of_ms=NOW_MS - 60 * 5_000))
    assert await board.is_alive()
    await board.put(report("all", as_of_ms=NOW_MS - 60 * 91_000))
    assert not await board.is_alive()
    assert [one.worker for one in await board.read()] == ["all"]


async def test_text_that_is_not_ours_is_nobody() -> None:
    cache = warm()
    await cache.put_text("status", '{"w": ' + str(NOW_MS) + "}", keep_s=60)
    await cache.put_text("status:w", '{"worker": "w"}', keep_s=60)
    assert await StatusBoard(cache, now_ms=lambda: NOW_MS).read() == ()
    assert decode_report("[]") is None
    assert decode_book("nonsense") is None
    assert decode_composite('{"ts_min": 1}') is None
    assert decode_names("7") == {}


async def test_the_book_of_whales_comes_back_whole_and_cut_to_its_size() -> None:
    shelf = WhaleShelf(warm())
    assert await shelf.read() is None
    known: Any = facts()
    book = WhaleBook(
        known[View.WHALE_ALERTS], NOW_MS, "", known[View.WHALE_POSITIONS], NOW_MS - 1, "", "coinglass"
    )
    await shelf.put(book)
    assert await shelf.read() == book
    await shelf.put(dataclasses.replace(book, alerts=book.alerts * 900))
    found = await shelf.read()
    assert found is not None
    assert len(found.alerts) == MAX_ROWS


async def test_tiles_come_back_whole_with_what_is_missing_until_they_are_old() -> None:
    clock = ManualClock(NOW_MS)
    shelf = TileShelf(MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s))
    absent = AbsentPart(HeatmapPart.SWING_PROXIMITY, MissingReason.TIMEOUT, "okx: no answer within 2.0 s")
    rows = (
        CompositeRow("BTC", 7, 4596, 0.9, 1.0, 1.0, None),
        CompositeRow("BTC", 7, 4600, 0.3, 0.5, 0.0, None),
    )
    score = CompositeScore(7, rows, (absent,), can_alert=False, why_no_alert="missing: swing_proximity")
    await shelf.put("BTC", score)
    await shelf.put("ETH", dataclasses.replace(score, tiles=()))
    assert await shelf.read("BTC") == score
    clock.tick(KEEP_S)
    assert await shelf.read("BTC") is None
