"""The warm cache of one process: the newest word, bounded, nothing older than a day, texts that expire."""

from __future__ import annotations

import dataclasses

from app.core.domain.market import DAY_MS
from app.services.streaming.warm_cache import MAX_TEXT_CHARS, MemoryWarmCache
from tests.flow_facts import NOW_MS, snapshot


class Times:
    def __init__(self) -> None:
        self.now_ms, self.now_s = NOW_MS, 0.0

    def cache(self, **limits: int) -> MemoryWarmCache:
        return MemoryWarmCache(now_ms=lambda: self.now_ms, monotonic=lambda: self.now_s, **limits)


async def test_the_newest_snapshot_of_a_coin_is_told() -> None:
    cache = Times().cache()
    old, new = snapshot(as_of_ms=NOW_MS - 5_000), snapshot(as_of_ms=NOW_MS - 1_000)
    await cache.publish([new, old])
    assert await cache.read("BTC") == new
    assert await cache.read("ETH") is None


async def test_all_coins_come_by_name() -> None:
    cache = Times().cache()
    await cache.publish([snapshot("SOL"), snapshot("BTC"), snapshot("ETH")])
    assert [one.symbol for one in await cache.read_all()] == ["BTC", "ETH", "SOL"]


async def test_what_was_published_more_than_a_day_ago_is_gone() -> None:
    times = Times()
    cache = times.cache()
    await cache.publish([snapshot(as_of_ms=NOW_MS)])
    times.now_ms += DAY_MS
    assert await cache.read("BTC") is not None
    times.now_ms += 1
    assert await cache.read("BTC") is None
    assert await cache.read_all() == []


async def test_the_coin_published_longest_ago_makes_room() -> None:
    cache = Times().cache(max_symbols=2)
    await cache.publish([snapshot("A"), snapshot("B")])
    await cache.publish([dataclasses.replace(snapshot("A"), as_of_ms=NOW_MS), snapshot("C")])
    assert [one.symbol for one in await cache.read_all()] == ["A", "C"]
    assert cache.evicted == 1


async def test_a_text_expires_by_process_time() -> None:
    times = Times()
    cache = times.cache()
    await cache.put_text("status", "{}", keep_s=10)
    times.now_s = 9.9
    assert await cache.get_text("status") == "{}"
    times.now_s = 10.0
    assert await cache.get_text("status") is None


async def test_texts_are_bounded_in_number_and_length() -> None:
    cache = Times().cache()
    await cache.put_text("big", "x" * (MAX_TEXT_CHARS + 1), keep_s=10)
    assert (await cache.get_text("big"), cache.refused_texts) == (None, 1)
    for n in range(400):
        await cache.put_text(f"k{n}", str(n), keep_s=10)
    assert await cache.get_text("k0") is None
    assert await cache.get_text("k399") == "399"
