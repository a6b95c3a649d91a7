"""The record over real stores: equal to a count by hand, blind for what lies after now, kept for minutes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.core.clock import ManualClock
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.signal import Direction
from app.core.domain.stored import CandleRow, ChainReport, Trigger
from app.core.domain.symbol import resolve_symbol
from app.core.domain.track_record import TrackRecord
from app.core.errors import InvalidParameter, StorageUnavailable
from app.core.record.columns import (
    LONG,
    NEUTRAL,
    OPEN,
    SCORED,
    SHORT,
    UNKNOWN,
    UNSCORABLE,
    Evaluations,
    HorizonOutcomes,
)
from app.core.signal_engine import ENGINE_VERSION
from app.services.evaluation_outcomes import AFTER_MS, EvaluationOutcomes
from app.services.hourly_evaluations import UNTIL_MS
from app.services.record_reading import RecordReader
from app.services.storage.store import SqlStore
from app.services.track_record_service import TrackRecordService, gap_notes
from tests import track_facts
from tests.outcome_facts import T0_MS
from tests.record_rig import Exchange, made, store_of
from tests.services.storage.conftest import database_url, postgres, postgres_template

__all__ = ["database_url", "postgres", "postgres_template"]

MIN = 60_000
LATE_MS = 75_000


def counted(
    evaluations: Evaluations, outcomes: Sequence[HorizonOutcomes], *, symbol: str | None
) -> TrackRecord:
    """A record with nothing but counts."""
    way = evaluations.direction
    return TrackRecord(
        symbol=symbol,
        from_ms=int(evaluations.at_ms[0]) if len(evaluations) else None,
        to_ms=int(evaluations.at_ms[-1]) if len(evaluations) else None,
        engine_versions=evaluations.versions,
        evaluations=len(evaluations),
        neutral=int((way == NEUTRAL).sum()),
        long=int((way == LONG).sum()),
        short=int((way == SHORT).sum()),
        headline="4h",
        horizons=(),
        variants=1,
        deflated=None,
        enough_data=False,
        notes=("built",),
    )


class Rig:
    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.exchange = Exchange(clock)
        self.walks = 0
        self.built = 0

        self.paid: Sequence[tuple[int, float]] | None = ()

        async def paid(_symbol: str, _from_ms: int, _to_ms: int) -> Sequence[tuple[int, float]] | None:
            return self.paid

        self.follower = EvaluationOutcomes(
            evaluations=store.evaluations,
            outcomes=store.signal_outcomes,
            claims=store.state,
            candles=self.exchange,
            funding=paid,
            tier_of=lambda symbol: 1,
            clock=clock,
        )
        self.service = self.process()

    def reader(self, max_evaluations: int = 1_000) -> RecordReader:
        return RecordReader(
            evaluations=self.store.evaluations,
            outcomes=self.store.signal_outcomes,
            bars=self.store.bars,
            tier_of=lambda symbol: 1,
            clock=self.clock,
            engine_version=ENGINE_VERSION,
            max_evaluations=max_evaluations,
        )

    def process(self) -> TrackRecordService:
        async def verify() -> ChainReport:
            self.walks += 1
            return await self.store.verify()

        def build(
            evaluations: Evaluations, outcomes: Sequence[HorizonOutcomes], *, symbol: str | None
        ) -> TrackRecord:
            self.built += 1
            return counted(evaluations, outcomes, symbol=symbol)

        return TrackRecordService(
            reader=self.reader(),
            evaluations=self.store.evaluations,
            trades=self.store.trades,
            hours=self.store.evaluations,
            engine_version=ENGINE_VERSION,
            verify=verify,
            build=build,
            why_no_probability=lambda: "not fitted",
            resolve=lambda text: resolve_symbol(text, frozenset({"BTC", "ETH", "SOL"})),
            clock=self.clock,
        )

    async def evaluate(
        self, hour: int, symbol: str, direction: Direction, version: str = ENGINE_VERSION
    ) -> None:
        self.clock.set(T0_MS + hour * HOUR_MS + LATE_MS)
        await self.store.evaluations.claim(symbol, T0_MS + hour * HOUR_MS)
        signal, context = made(self.clock.now_ms(), symbol, direction=direction)
        signal = replace(signal, engine_version=version)
        self.store.signals.append(signal, context, Trigger.SCHEDULE)
        await self.store.signals.flush()
        await self.store.evaluations.settle(symbol, T0_MS + hour * HOUR_MS, None)

    async def follow(self, hour: int) -> None:
        self.clock.set(T0_MS + hour * HOUR_MS + AFTER_MS)
        await self.follower.resolve()


@pytest.fixture
async def rig(database_url: str) -> AsyncIterator[Rig]:
    clock = ManualClock(T0_MS)
    store = store_of(database_url, clock)
    await store.opened()
    yield Rig(store, clock)
    await store.close()


async def fill(rig: Rig) -> None:
    """Three hours of BTC, one of ETH; the price reaches 101.5 in the second hour and 98 in the sixth."""
    rig.exchange.hits = {T0_MS + 90 * MIN: (101.5, 100.0), T0_MS + 330 * MIN: (100.0, 98.0)}
    for hour, way in ((0, Direction.LONG), (1, Direction.SHORT), (2, Direction.NEUTRAL)):
        await rig.evaluate(hour, "BTC", way)
    await rig.evaluate(2, "ETH", Direction.LONG)
    for hour in (3, 7):
        await rig.follow(hour)
    rig.clock.set(T0_MS + 27 * HOUR_MS)


async def test_the_record_equals_a_count_by_hand(rig: Rig) -> None:
    await fill(rig)
    columns = await rig.service.columns()
    rows = columns.evaluations
    assert [(rows.symbols[coin], int(way)) for coin, way in zip(rows.coin, rows.direction, strict=True)] == [
        ("BTC", LONG),
        ("BTC", SHORT),
        ("BTC", NEUTRAL),
        ("ETH", LONG),
    ]
    four, day = columns.at("4h"), columns.at("24h")
    # 00:02 and 01:02 are carried up to 101.5 at 01:30; 02:02 and its twin see nothing until 98 at 05:30.
    assert four.long.state.tolist() == [SCORED] * 4
    assert four.long.win.tolist() == [True, True, False, False]
    assert four.short.win.tolist() == [False, False, True, True]
    up, down = 0.01 - 0.0016, -0.01 - 0.0016
    assert four.long.net_frac.tolist() == pytest.approx([up, up, down, down])
    assert four.short.net_frac.tolist() == pytest.approx([down, down, up, up])
    assert day.long.end_ms.tolist() == [T0_MS + minute * MIN for minute in (91, 91, 331, 331)]
    quarter = columns.at("15m")
    assert quarter.long.net_frac.tolist() == pytest.approx([-0.0016] * 4)
    assert not quarter.long.win.any()
    assert not quarter.short.win.any()
    answer = await rig.service.record(None)
    record = answer.record
    assert (record.evaluations, record.long, record.short, record.neutral) == (4, 2, 1, 1)
    assert record.notes == (
        "built",
        "Of 4 coin-hours that were due, 4 were evaluated, 0 had no usable price, 0 came too late and 0 were "
        "missed.",
    )


async def test_what_lies_after_now_is_invisible(rig: Rig) -> None:
    await fill(rig)
    # Touched in the second hour and in the sixth: known by then, and counted when four hours are over.
    for hour, count, ended in ((0, 1, 0), (1, 2, 0), (2, 4, 0), (4, 4, 0), (5, 4, 1), (6, 4, 2), (8, 4, 4)):
        rig.clock.set(T0_MS + hour * HOUR_MS + LATE_MS)
        columns = await rig.reader().read()
        assert len(columns.evaluations) == count
        assert int((columns.at("4h").long.state == SCORED).sum()) == ended
        assert {*columns.at("4h").long.state.tolist()} <= {SCORED, OPEN}


async def test_a_coin_has_its_own_record_and_an_unknown_word_none(rig: Rig) -> None:
    await fill(rig)
    record = (await rig.service.record("eth-usdt")).record
    assert (record.symbol, record.evaluations, record.long) == ("ETH", 1, 1)
    assert record.notes[-1].startswith("Of 1 coin-hour that was due, 1 was evaluated")
    empty = (await rig.service.record("SOL")).record
    assert (empty.evaluations, empty.from_ms, empty.notes) == (0, None, ("built",))
    with pytest.raises(InvalidParameter):
        await rig.service.record("not a coin!")


async def test_an_hour_that_is_still_in_flight_is_neither_due_nor_missed(rig: Rig) -> None:
    await fill(rig)
    rig.clock.set(T0_MS + 30 * HOUR_MS + LATE_MS)
    await rig.store.evaluations.claim("BTC", T0_MS + 30 * HOUR_MS)
    assert "Of 4 coin-hours that were due, 4 were" in (await rig.service.record(None)).record.notes[-1]
    rig.clock.set(T0_MS + 30 * HOUR_MS + UNTIL_MS)
    (note,) = (await rig.process().record("BTC")).record.notes[1:]
    assert note.startswith("Of 31 coin-hours that were due, 3 were evaluated")
    assert note.endswith("28 were missed.")


async def test_evaluations_of_another_engine_are_neither_counted_nor_learnt_from(rig: Rig) -> None:
    for hour, version in ((0, "1.0.0"), (1, "1.0.0"), (2, ENGINE_VERSION)):
        await rig.evaluate(hour, "BTC", Direction.LONG, version)
    await rig.follow(8)
    rig.clock.set(T0_MS + 60 * HOUR_MS)
    reader = rig.reader()
    for columns in (await reader.read(), await reader.read(), await rig.service.columns()):
        assert columns.evaluations.at_ms.tolist() == [T0_MS + 2 * HOUR_MS + LATE_MS]
        assert columns.others == {("1.0.0", "BTC"): 2}
    record = (await rig.service.record("BTC")).record
    assert (record.evaluations, record.engine_versions) == (1, (ENGINE_VERSION,))
    assert "2 evaluations of engine 1.0.0 are not counted here." in record.notes
    assert record.notes[-1].startswith("Of 3 coin-hours that were due, 3 were evaluated")


async def test_what_is_not_known_of_trades_is_told_for_the_headline_horizon(rig: Rig) -> None:
    rig.paid = None
    await rig.evaluate(0, "BTC", Direction.LONG)
    await rig.evaluate(1, "BTC", Direction.SHORT)
    await rig.follow(8)
    rig.exchange.is_there = False
    await rig.evaluate(9, "BTC", Direction.SHORT)
    await rig.follow(60)
    columns = await rig.service.columns()
    engine = track_facts.trades(scored=2, wins=0)
    record = track_facts.record(engine)
    assert gap_notes(columns, record) == (
        "Funding was not known for 2 of 2 scored trades and is not charged in them.",
        "Most often trades could not be scored because no 1m or 5m candle says at what price they began: 1 "
        "of 1.",
    )


async def test_records_are_kept_for_minutes_and_made_once_for_many(rig: Rig) -> None:
    await fill(rig)
    answers = await asyncio.gather(*(rig.service.record(None) for _ in range(5)))
    assert rig.built == 1
    rig.clock.tick(100)
    again = await rig.service.record(None)
    assert (again.computed_ms, again.as_of_ms) == (answers[0].computed_ms, rig.clock.now_ms())
    rig.clock.tick(200)
    # The old one at once, the new one for whoever comes next.
    assert (await rig.service.record(None)).computed_ms == answers[0].computed_ms
    for _ in range(200):
        if (renewed := await rig.service.record(None)).computed_ms == rig.clock.now_ms():
            break
        await asyncio.sleep(0.01)
    assert renewed.computed_ms == rig.clock.now_ms()
    assert rig.built == 2
    rig.clock.tick(5_000)
    assert (await rig.service.record(None)).computed_ms == rig.clock.now_ms()


async def test_chains_are_walked_one_at_a_time_and_at_most_once_a_minute(rig: Rig) -> None:
    await fill(rig)
    reports = await asyncio.gather(*(rig.service.verify() for _ in range(4)))
    first_ms = rig.clock.now_ms()
    assert (rig.walks, reports[0].report.signals, reports[0].report.broken) == (1, 4, ())
    rig.clock.tick(59)
    # What is shown again says when it was found.
    assert (await rig.service.verify()).walked_ms == first_ms
    rig.clock.tick(1)
    assert (await rig.service.verify()).walked_ms == first_ms + 60_000
    assert rig.walks == 2


async def test_counts_say_how_many_signals_were_stored(rig: Rig) -> None:
    await fill(rig)
    rig.clock.set(T0_MS + 7 * HOUR_MS + AFTER_MS)
    signal, context = made(rig.clock.now_ms(), "BTC", direction=Direction.LONG)
    rig.store.signals.append(signal, context, Trigger.REQUEST)
    await rig.store.signals.flush()
    stats = await rig.service.stats(24)
    assert sum(one.count for one in stats.counts) == 5
    assert [one.count for one in stats.counts if one.trigger == "request"] == [1]
    assert stats.since_ms == rig.clock.now_ms() - DAY_MS
    assert sum(one.count for one in (await rig.service.stats(6)).counts) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestReading:
    async def test_reading_on_is_as_reading_all_at_once(self, rig: Rig) -> None:
        reader = rig.reader()
        rig.exchange.hits = {T0_MS + minute * MIN: (101.2, 99.9) for minute in range(40, 6_000, 170)}
        for hour in range(60):
            await rig.evaluate(hour, "BTC", Direction.LONG)
            if hour % 7 == 3:
                await rig.follow(hour)
                step, whole = await reader.read(), await rig.reader().read()
                for mine, theirs in zip(step.outcomes, whole.outcomes, strict=True):
                    np.testing.assert_array_equal(mine.long.state, theirs.long.state)
                    np.testing.assert_array_equal(mine.short.net_frac, theirs.short.net_frac)
                np.testing.assert_array_equal(step.evaluations.at_ms, whole.evaluations.at_ms)
        assert len(reader._final) > 20
        # A clock that is set back knows less.
        rig.clock.set(T0_MS + 5 * HOUR_MS)
        assert len((await reader.read()).evaluations) == 5

    async def test_only_the_newest_count_when_there_are_too_many(self, rig: Rig) -> None:
        for hour in range(6):
            await rig.evaluate(hour, "BTC", Direction.LONG)
        reader = rig.reader(4)
        assert (await reader.read()).evaluations.at_ms[0] == T0_MS + 2 * HOUR_MS + LATE_MS
        await rig.evaluate(6, "BTC", Direction.LONG)
        assert (await reader.read()).evaluations.at_ms[0] == T0_MS + 3 * HOUR_MS + LATE_MS

    async def test_what_nobody_could_follow_is_unscorable(self, rig: Rig) -> None:
        rig.exchange.is_there = False
        await rig.evaluate(0, "BTC", Direction.LONG)
        await rig.follow(40)
        columns = await rig.reader().read()
        assert [int(one.long.state[0]) for one in columns.outcomes] == [UNSCORABLE] * 4

    async def test_the_market_of_the_moment_comes_out_of_stored_candles(self, rig: Rig) -> None:
        rng = np.random.default_rng(5)
        prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 60 * 24)))
        rows = [
            CandleRow("OKX", "BTC", "1h", T0_MS + (n - len(prices) + 1) * HOUR_MS, p, p, p, p, None, "okx", 0)
            for n, p in enumerate(prices.tolist())
        ]
        await rig.store.market.put_all([*rows, rows[3]._replace(exchange="Binance", close=1.0, low=1.0)])
        await rig.store.market.flush()
        await rig.evaluate(0, "BTC", Direction.LONG)
        found = (await rig.reader().read()).evaluations
        assert UNKNOWN not in (found.volatility[0], found.trend[0])
        # The future changes nothing of what was known then.
        later = [row._replace(close_ms=row.close_ms + len(rows) * HOUR_MS, high=9e3) for row in rows[:200]]
        await rig.store.market.put_all(later)
        await rig.store.market.flush()
        rig.clock.tick(150 * 3600)
        again = (await rig.reader().read()).evaluations
        assert (again.volatility[0], again.trend[0]) == (found.volatility[0], found.trend[0])

    async def test_without_a_database_it_says_so(self, rig: Rig) -> None:
        rig.store._gate.fall_silent(StorageUnavailable("away"))
        for ask in (rig.service.record(None), rig.service.verify(), rig.service.stats(1)):
            with pytest.raises(StorageUnavailable):
                await ask
        rig.store._gate.hear()
        assert (await rig.service.record(None)).record.evaluations == 0
