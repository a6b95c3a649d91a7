"""Outcomes of alerts on both databases: opened once, entered once, ended once, counted without overlap."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from app.core.clock import ManualClock
from app.core.domain.outcomes import HORIZONS_MS, EntryRow, OutcomeRow, Touch, Unscorable
from app.core.outcomes.first_touch import Ending
from app.core.outcomes.rows import begin, ended, entered, facts_of, given_up
from app.services.storage.outcomes import SqlOutcomes
from app.services.storage.store import SqlStore
from tests.outcome_facts import HOUR_MS, T0_MS, alert


@pytest.fixture
async def outcomes(database_url: str) -> AsyncIterator[SqlOutcomes]:
    store = SqlStore(
        database_url, data_mode="live", now_ms=ManualClock(T0_MS).now_ms, monotonic=time.monotonic
    )
    store.start()
    await store.opened()
    yield store.outcomes
    await store.close()


def rows_of(name: str, *, symbol: str = "BTC", made_ms: int = T0_MS) -> list[OutcomeRow]:
    return begin(alert(name, symbol=symbol, made_ms=made_ms), tier=1, atr_usd=1.0)


def entry(name: str, at_ms: int = T0_MS + 500) -> EntryRow:
    return EntryRow(name, at_ms, 100.0, 101.0, 99.0)


def end(row: OutcomeRow, touch: Touch = Touch.TARGET) -> OutcomeRow:
    """The row entered half a second after the alert, and ended."""
    price = 101.0 if touch is Touch.TARGET else 99.0
    ending = Ending(touch, row.ts_init_ms + 60_000, price, 0.01, -0.002)
    into = entered(row, entry(row.trade_id, row.ts_init_ms + 500))
    return ended(into, ending, path="trades", settlements=None, now_ms=T0_MS + 2 * HOUR_MS)


async def test_a_row_is_opened_entered_and_ended_once(outcomes: SqlOutcomes) -> None:
    rows = rows_of("a")
    await outcomes.open([])
    await outcomes.open(rows)
    await outcomes.open([row._replace(symbol="ETH") for row in rows])
    assert await outcomes.of_trade("a") == rows
    await outcomes.enter([entry("a")])
    await outcomes.enter([entry("a", T0_MS + 9_000)._replace(entry_price=1.0)])
    into = [entered(row, entry("a")) for row in rows]
    assert await outcomes.of_trade("a") == into
    assert [row.due_ms - T0_MS - 500 for row in into] == list(HORIZONS_MS.values())
    first = ended(
        into[0], Ending(Touch.STOP, T0_MS + 700, 99.0, 0.0, -0.01), path="1m", settlements=[], now_ms=T0_MS
    )
    await outcomes.resolve([first])
    await outcomes.resolve([first._replace(first_touch="target", net_return_frac=0.5)])
    assert await outcomes.of_trade("a") == [first, *into[1:]]
    assert first.net_return_frac == pytest.approx(-0.0116)
    assert (facts_of(first).path, facts_of(first).funding_frac) == ("1m", 0.0)


async def test_due_ones_come_longest_due_first_in_pages(outcomes: SqlOutcomes) -> None:
    await outcomes.open([*rows_of("b"), *rows_of("a"), *rows_of("c", made_ms=T0_MS - 1)])
    assert await outcomes.due(T0_MS + HOUR_MS // 4 - 2, 9) == []
    at = T0_MS + HOUR_MS
    everything = await outcomes.due(at, 9)
    assert [(row.trade_id, row.horizon) for row in everything] == [
        ("c", "15m"),
        ("a", "15m"),
        ("b", "15m"),
        ("c", "1h"),
        ("a", "1h"),
        ("b", "1h"),
    ]
    page = await outcomes.due(at, 2)
    last = page[-1]
    assert await outcomes.due(at, 9, (last.due_ms, last.trade_id, last.horizon)) == everything[2:]
    await outcomes.resolve([given_up(everything[0], Unscorable.NO_ENTRY, now_ms=at)])
    assert await outcomes.due(at, 9) == everything[1:]


async def test_counts_are_per_setup_and_one_afternoon_is_one_outcome(outcomes: SqlOutcomes) -> None:
    """Four-hour stretches of one coin count once in `apart`, with what came first in them."""
    at = T0_MS  # a multiple of four hours
    assert at % HORIZONS_MS["4h"] == 0
    made = {"win": at, "again": at + HOUR_MS, "later": at + 4 * HOUR_MS, "gone": at, "open": at}
    rows = {name: rows_of(name, made_ms=ms)[2] for name, ms in made.items()}
    rows["other"] = rows_of("other", symbol="ETH")[2]
    await outcomes.open([*rows.values(), *rows_of("short")[:2]])
    # As in life: entered first, so that the end of a horizon is counted from the entry.
    await outcomes.resolve(
        [
            end(rows["win"]),
            end(rows["again"], Touch.STOP),
            end(rows["later"], Touch.STOP),
            end(rows["other"]),
            given_up(rows["gone"], Unscorable.HOLES, now_ms=at),
        ]
    )
    (found,) = await outcomes.counts("4h", 0)
    levels = {"stop_frac": pytest.approx(0.01), "target_frac": pytest.approx(0.01)}
    counts = {
        "scored": 4,
        "wins": 2,
        "unscorable": 1,
        "open": 1,
        "apart_scored": 3,
        "apart_wins": 2,
        "stretches": 2,
    }
    assert found._asdict() == {"setup": "STOP_HUNT:LONG:1", **counts, **levels}
    assert [one.open for one in await outcomes.counts("15m", 0)] == [1]
    assert await outcomes.counts("4h", at + 99 * HOUR_MS) == []


async def test_a_target_that_earned_less_than_it_cost_is_no_win(outcomes: SqlOutcomes) -> None:
    row = rows_of("a")[2]
    await outcomes.open([row])
    await outcomes.resolve([end(row)._replace(net_return_frac=-0.0001)])
    (found,) = await outcomes.counts("4h", 0)
    assert (found.scored, found.wins, found.apart_wins) == (1, 0, 0)
