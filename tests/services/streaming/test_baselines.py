"""Hourly sums of liquidations: those of the store, each hour once it is over, whatever stream told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.core.clock import ManualClock
from app.core.domain.market import HOUR_MS
from app.core.domain.stored import BaselineRow, HourSum
from app.core.errors import StorageUnavailable
from app.services.streaming.baselines import KEPT_HOURS, SETTLED_MS, Baselines, hourly

NOON_MS = 1_764_936_000_000


class Reader:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.is_up = True

    async def hours(self, symbol: str, from_ms: int, to_ms: int) -> Sequence[HourSum]:
        if not self.is_up:
            raise StorageUnavailable("away")
        self.asked.append((symbol, (to_ms - from_ms) // HOUR_MS))
        return [HourSum(to_ms, "coinglass", 5.0, 1.0, 2)]


class Writer:
    def __init__(self) -> None:
        self.rows: list[BaselineRow] = []

    def put(self, rows: Sequence[BaselineRow]) -> int:
        self.rows += rows
        return len(rows)


def made(symbols: Callable[[], Sequence[str]] = lambda: ["BTC", "ETH"]) -> tuple[Baselines, ManualClock]:
    clock = ManualClock(NOON_MS + SETTLED_MS)
    parts = {"reader": Reader(), "writer": Writer(), "symbols": symbols, "clock": clock}
    return Baselines(**parts), clock  # type: ignore[arg-type]


def test_an_hour_that_two_streams_told_of_is_one_row() -> None:
    sums = [HourSum(NOON_MS, "coinglass", 10.0, 4.0, 3), HourSum(NOON_MS, "okx", 1.0, 2.0, 2)]
    assert hourly("BTC", sums) == [BaselineRow("BTC", NOON_MS, 11.0, 6.0, 5)]


async def test_the_first_look_reaches_back_three_days_and_the_next_ones_two_hours() -> None:
    baselines, clock = made()
    assert await baselines.look() == 2
    assert baselines._reader.asked == [("BTC", KEPT_HOURS), ("ETH", KEPT_HOURS)]
    assert await baselines.look() == 0  # the same hour again: nothing to do
    clock.tick(3600)
    assert await baselines.look() == 2
    assert baselines._reader.asked[-1] == ("ETH", 2)
    assert {row.hour_ms for row in baselines._writer.rows} == {NOON_MS, NOON_MS + HOUR_MS}


async def test_an_hour_is_summed_only_after_late_events_have_come() -> None:
    baselines, clock = made()
    clock.set(NOON_MS + SETTLED_MS - 1)
    await baselines.look()
    assert baselines._writer.rows[-1].hour_ms == NOON_MS - HOUR_MS


async def test_hours_missed_while_the_store_was_away_are_made_up_for() -> None:
    baselines, clock = made()
    await baselines.look()
    baselines._reader.is_up = False
    clock.tick(5 * 3600)
    assert await baselines.look() == 0
    baselines._reader.is_up = True
    await baselines.look()
    assert baselines._reader.asked[-1][1] >= 5
