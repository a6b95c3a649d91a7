"""Outcomes of evaluations over real stores: hour by hour, after kills, by one process, or given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from app.core.clock import ManualClock
from app.core.domain.market import HOUR_MS
from app.core.domain.outcomes import OutcomeRow, OutcomeState
from app.core.domain.signal import Direction
from app.core.domain.stored import Trigger
from app.core.errors import StorageUnavailable
from app.core.outcome_ports import Settlements
from app.core.outcomes.rows import facts_of
from app.services.evaluation_outcomes import AFTER_MS, FUNDING_WAIT_MS, EvaluationOutcomes
from app.services.storage.store import SqlStore
from app.services.streaming.outcome_tracker import GIVE_UP_MS, GRACE_MS
from tests.outcome_facts import T0_MS
from tests.record_rig import Exchange, made, store_of
from tests.services.storage.conftest import database_url, postgres, postgres_template

__all__ = ["database_url", "postgres", "postgres_template"]

MIN = 60_000
MADE_MS = T0_MS + 75_000
SIDES = ("LONG", "SHORT")


class Rig:
    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.exchange = Exchange(clock)
        self.settled: Settlements | None = ()
        self.asked: list[tuple[str, int, int]] = []
        self.service = self.process()

    def process(self) -> EvaluationOutcomes:
        return EvaluationOutcomes(
            evaluations=self.store.evaluations,
            outcomes=self.store.signal_outcomes,
            claims=self.store.state,
            candles=self.exchange,
            funding=self._paid,
            tier_of=lambda symbol: 1 if symbol == "BTC" else 3,
            clock=self.clock,
        )

    async def _paid(self, symbol: str, from_ms: int, to_ms: int) -> Settlements | None:
        self.asked.append((symbol, from_ms, to_ms))
        if self.settled is None:
            return None
        return [one for one in self.settled if from_ms < one[0] <= to_ms]

    async def evaluate(self, *symbols: str, direction: Direction = Direction.NEUTRAL) -> None:
        """Evaluations made now."""
        for symbol in symbols:
            signal, context = made(self.clock.now_ms(), symbol, direction=direction)
            self.store.signals.append(signal, context, Trigger.SCHEDULE)
        await self.store.signals.flush()

    async def rows(self) -> dict[tuple[str, str, str], OutcomeRow]:
        """By coin, side and horizon."""
        ids = [row.id for row in await self.store.evaluations.evaluations(0, 1_000)]
        found = await self.store.signal_outcomes.of_trades([f"{one}:{side}" for one in ids for side in SIDES])
        return {(row.symbol, row.direction, row.horizon): row for row in found}


@pytest.fixture
async def rig(database_url: str) -> AsyncIterator[Rig]:
    clock = ManualClock(MADE_MS)
    store = store_of(database_url, clock)
    await store.opened()
    yield Rig(store, clock)
    await store.close()


def states(rows: dict[tuple[str, str, str], OutcomeRow], side: str = "LONG") -> list[str]:
    return [rows["BTC", side, horizon].state for horizon in ("15m", "1h", "4h", "24h")]


async def test_both_sides_of_every_evaluation_are_followed_hour_by_hour(rig: Rig) -> None:
    await rig.evaluate("BTC", "PEPE")
    assert await rig.service.resolve() == 0  # nothing was traded since
    assert await rig.rows() == {}
    rig.clock.set(T0_MS + HOUR_MS + AFTER_MS)
    assert await rig.service.resolve() == 8  # two coins, two sides, 15 min and 1 h
    assert len(await rig.rows()) == 16
    assert states(await rig.rows()) == ["scored", "scored", "open", "open"]
    rig.exchange.hits[T0_MS + 100 * MIN] = (101.5, 99.5)
    rig.clock.set(T0_MS + 2 * HOUR_MS + AFTER_MS)
    assert await rig.service.resolve() == 8
    rows = await rig.rows()
    assert states(rows) == ["scored"] * 4
    for horizon, touch, net in (
        ("1h", "timeout", -0.0016),
        ("4h", "target", 0.01 - 0.0016),
        ("24h", "target", 0.01 - 0.0016),
    ):
        row = rows["BTC", "LONG", horizon]
        assert (row.first_touch, row.net_return_frac) == (touch, pytest.approx(net))
    short = rows["BTC", "SHORT", "24h"]
    assert (short.first_touch, short.net_return_frac) == ("stop", pytest.approx(-0.01 - 0.0016))
    assert rows["PEPE", "SHORT", "24h"].net_return_frac == pytest.approx(-0.01 - 0.0028)
    assert (short.entered_ms, short.resolved_ms) == (T0_MS + 2 * MIN, rig.clock.now_ms())
    assert await rig.store.signal_outcomes.running_coins() == []
    rig.exchange.asked.clear()
    assert await rig.service.resolve() == 0
    assert rig.exchange.asked == []


async def test_a_day_later_the_longest_horizon_ends_by_coarser_candles(rig: Rig) -> None:
    await rig.evaluate("BTC")
    rig.clock.set(T0_MS + 4 * HOUR_MS + AFTER_MS)
    await rig.service.resolve()
    rig.clock.set(T0_MS + 24 * HOUR_MS + AFTER_MS)
    assert await rig.service.resolve() == 2
    row = (await rig.rows())["BTC", "LONG", "24h"]
    assert (row.first_touch, facts_of(row).path) == ("timeout", "5m")
    assert row.touched_ms == T0_MS + 2 * MIN + 24 * HOUR_MS


async def test_funding_is_charged_where_it_is_known_and_the_row_says_where_not(rig: Rig) -> None:
    rig.settled = [(T0_MS + HOUR_MS, 0.0005), (T0_MS + 9 * HOUR_MS, 0.001)]
    await rig.evaluate("BTC")
    rig.clock.set(T0_MS + 5 * HOUR_MS)
    await rig.service.resolve()
    rows = await rig.rows()
    assert rows["BTC", "LONG", "15m"].net_return_frac == pytest.approx(-0.0016)
    assert rows["BTC", "LONG", "4h"].net_return_frac == pytest.approx(-0.0016 - 0.0005)
    assert rows["BTC", "SHORT", "4h"].net_return_frac == pytest.approx(-0.0016 + 0.0005)
    assert facts_of(rows["BTC", "SHORT", "4h"]).funding_frac == pytest.approx(-0.0005)
    rig.settled = None
    rig.clock.set(T0_MS + 25 * HOUR_MS)
    assert await rig.service.resolve() == 0  # it may be known an hour later
    assert states(await rig.rows())[-1] == "open"
    rig.clock.set(T0_MS + 24 * HOUR_MS + 3 * MIN + FUNDING_WAIT_MS)
    assert await rig.service.resolve() == 2
    day = (await rig.rows())["BTC", "LONG", "24h"]
    assert (day.net_return_frac, facts_of(day).funding_frac) == (pytest.approx(-0.0016), None)


async def test_what_nobody_can_tell_is_given_up_horizon_by_horizon_with_its_reason(rig: Rig) -> None:
    await rig.evaluate("BTC")
    rig.exchange.is_there = False
    rig.clock.set(T0_MS + 6 * HOUR_MS)
    assert await rig.service.resolve() == 0
    rig.clock.set(MADE_MS + HOUR_MS // 4 + GIVE_UP_MS + 1)
    assert await rig.service.resolve() == 2
    assert states(await rig.rows()) == ["unscorable", "waiting", "waiting", "waiting"]
    # Candles are back, and reach back: the others are entered at the price of then.
    rig.exchange.is_there = True
    rig.clock.tick(3600)
    assert await rig.service.resolve() == 4
    rows = await rig.rows()
    assert states(rows) == ["unscorable", "scored", "scored", "open"]
    assert facts_of(rows["BTC", "LONG", "15m"]).reason == "no_entry"
    assert rows["BTC", "SHORT", "1h"].entered_ms == T0_MS + 2 * MIN
    rig.exchange.is_there = False
    rig.clock.set(MADE_MS + 24 * HOUR_MS + GIVE_UP_MS + MIN)
    assert await rig.service.resolve() == 2
    assert facts_of((await rig.rows())["BTC", "LONG", "24h"]).reason == "holes"


async def test_after_a_kill_the_next_process_follows_what_was_left(rig: Rig) -> None:
    await rig.evaluate("BTC", "ETH")
    rig.clock.set(T0_MS + HOUR_MS + AFTER_MS)
    write = rig.store.signal_outcomes.open
    calls = 0

    async def dies(rows: Sequence[OutcomeRow]) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StorageUnavailable("killed")
        await write(rows)

    rig.store.signal_outcomes.open = dies  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailable):
        await rig.service.resolve_in_turn()
    assert {key[0] for key in await rig.rows()} == {"BTC"}
    rig.store.signal_outcomes.open = write  # type: ignore[method-assign]
    # The same process owes the pass still; another one comes with the next hour.
    assert await rig.process().resolve_in_turn() is None
    rig.clock.tick(3600)
    assert await rig.process().resolve_in_turn() == 4
    assert {key[0] for key in await rig.rows()} == {"BTC", "ETH"}


async def test_one_of_all_processes_makes_the_pass_of_an_hour(rig: Rig) -> None:
    await rig.evaluate("BTC")
    processes = [rig.process() for _ in range(3)]
    for hour in (1, 2):
        rig.clock.set(T0_MS + hour * HOUR_MS + AFTER_MS)
        counts = await asyncio.gather(*(one.resolve_in_turn() for one in processes))
        assert sorted(counts, key=str) == sorted([4 if hour == 1 else 0, None, None], key=str)
    assert [await one.resolve_in_turn() for one in processes] == [None] * 3


async def test_two_passes_at_once_write_each_row_once(rig: Rig) -> None:
    await rig.evaluate("BTC")
    rig.clock.set(T0_MS + HOUR_MS + AFTER_MS)
    await asyncio.gather(rig.service.resolve(), rig.process().resolve())
    rows = await rig.rows()
    assert len(rows) == 8
    assert {row.state for row in rows.values()} == {OutcomeState.SCORED.value, OutcomeState.OPEN.value}


async def test_the_last_minutes_are_left_to_the_next_pass(rig: Rig) -> None:
    """Candles of the newest minutes may not be there yet, and a time-out before them would be a guess."""
    await rig.evaluate("BTC")
    due_ms = T0_MS + 2 * MIN + HOUR_MS // 4
    rig.clock.set(due_ms + GRACE_MS - 1)
    await rig.service.resolve()
    assert states(await rig.rows()) == ["open"] * 4
    rig.clock.set(due_ms + GRACE_MS)
    assert await rig.service.resolve() == 2
