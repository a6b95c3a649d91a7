"""The list of single trades over real stores: it agrees with the record, and knows nothing of later."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest

from app.core.backtest.engine_record import engine_record
from app.core.clock import ManualClock
from app.core.domain.engine_config import EngineConfig
from app.core.domain.outcomes import HORIZONS_MS
from app.core.domain.signal import Direction
from app.core.domain.stored import Trigger
from app.core.domain.symbol import resolve_symbol
from app.core.domain.trades import FirstTouch, Trade, TradeState
from app.core.errors import InvalidParameter, StorageUnavailable, UnknownSymbol
from app.core.signal_engine import ENGINE_VERSION
from app.services.evaluation_outcomes import AFTER_MS, EvaluationOutcomes
from app.services.record_reading import RecordReader
from app.services.storage.store import SqlStore
from app.services.track_record_service import TrackRecordService
from tests.outcome_facts import HOUR_MS, T0_MS
from tests.record_rig import Exchange, made, store_of
from tests.services.storage.conftest import database_url, postgres, postgres_template

__all__ = ["database_url", "postgres", "postgres_template"]

MIN = 60_000
LATE_MS = 75_000
LONG, NEUTRAL, SHORT = Direction.LONG, Direction.NEUTRAL, Direction.SHORT


class Rig:
    """A record over a real store. paid: funding of every trade, None not known."""

    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        # Short-sighted, so that what is followed late is not known any more.
        self.exchange = Exchange(clock, reach=110)
        self.paid: Sequence[tuple[int, float]] | None = ()
        self.follower = EvaluationOutcomes(
            evaluations=store.evaluations,
            outcomes=store.signal_outcomes,
            claims=store.state,
            candles=self.exchange,
            funding=self._funding,
            tier_of=lambda symbol: 1 if symbol == "BTC" else 3,
            clock=clock,
        )
        self.service = TrackRecordService(
            reader=RecordReader(
                evaluations=store.evaluations,
                outcomes=store.signal_outcomes,
                bars=store.bars,
                tier_of=lambda symbol: 1 if symbol == "BTC" else 3,
                clock=clock,
                engine_version=ENGINE_VERSION,
            ),
            evaluations=store.evaluations,
            trades=store.trades,
            hours=store.evaluations,
            engine_version=ENGINE_VERSION,
            verify=store.verify,
            build=partial(engine_record, config=EngineConfig()),
            why_no_probability=lambda: "not fitted",
            resolve=lambda text: resolve_symbol(text, frozenset({"BTC", "ETH", "SOL"})),
            clock=clock,
            keep_s=0.0,
        )

    async def _funding(self, _symbol: str, _from_ms: int, _to_ms: int) -> Sequence[tuple[int, float]] | None:
        return self.paid

    async def evaluate(self, hour: int, symbol: str, direction: Direction) -> None:
        self.clock.set(T0_MS + hour * HOUR_MS + LATE_MS)
        signal, context = made(self.clock.now_ms(), symbol, direction=direction)
        self.store.signals.append(signal, context, Trigger.SCHEDULE)
        await self.store.signals.flush()

    async def follow(self, hour: int) -> None:
        self.clock.set(T0_MS + hour * HOUR_MS + AFTER_MS)
        await self.follower.resolve()

    async def all(self, symbol: str | None = None, horizon: str = "4h", limit: int = 7) -> list[Trade]:
        """Every page of the list."""
        found: list[Trade] = []
        cursor = None
        while True:
            answer = await self.service.trades(symbol, horizon=horizon, limit=limit, cursor=cursor)
            assert answer.as_of_ms == self.clock.now_ms()
            found += answer.page.rows
            cursor = answer.page.cursor
            if cursor is None:
                return found


@pytest.fixture
async def rig(database_url: str) -> AsyncIterator[Rig]:
    clock = ManualClock(T0_MS)
    store = store_of(database_url, clock)
    await store.opened()
    yield Rig(store, clock)
    await store.close()


async def live(rig: Rig, hours: int) -> None:
    """Evaluations of three coins in changing directions, prices that touch now the one, now the other side,
    and hours in which nobody follows."""
    ways = (LONG, SHORT, NEUTRAL, SHORT, LONG)
    rig.exchange.hits = {
        T0_MS + hour * HOUR_MS + 20 * MIN: (101.5, 100.0) if hour % 3 else (100.0, 98.0)
        for hour in range(0, hours, 2)
    }
    rig.exchange.hits |= {T0_MS + hour * HOUR_MS + 40 * MIN: (102.0, 98.0) for hour in range(1, hours, 7)}
    for hour in range(hours):
        for place, coin in enumerate(("BTC", "ETH", "SOL")):
            await rig.evaluate(hour, coin, ways[(hour + place) % len(ways)])
        rig.paid = None if hour % 9 == 0 else ((T0_MS + hour // 8 * 8 * HOUR_MS, 0.0003),)
        if not 12 <= hour < 24:
            await rig.follow(hour)


@pytest.mark.parametrize("symbol", [None, "ETH"])
async def test_the_record_and_its_list_agree(rig: Rig, symbol: str | None) -> None:
    await live(rig, 40)
    answer = await rig.service.record(symbol)
    assert {one.horizon for one in answer.record.horizons} == set(HORIZONS_MS)
    states: Counter[TradeState] = Counter()
    for one in answer.record.horizons:
        trades = await rig.all(symbol, one.horizon)
        found = Counter(trade.state for trade in trades)
        states += found
        stats = one.engine
        assert len(trades) == stats.emitted == answer.record.long + answer.record.short
        assert found == Counter(
            {
                TradeState.SCORED: stats.scored,
                TradeState.UNSCORABLE: stats.unscorable,
                TradeState.OPEN: stats.open,
            }
        )
        scored = [trade for trade in trades if trade.state is TradeState.SCORED]
        wins = sum(bool(trade.is_win) for trade in scored)
        nets = [trade.net_frac for trade in scored if trade.net_frac is not None]
        assert len(nets) == len(scored)
        assert wins == stats.wins
        assert stats.hit_rate is not None
        assert wins / len(scored) == stats.hit_rate.share
        assert sum(nets) == pytest.approx(stats.total_net_frac)
        if stats.mean_net is not None:
            assert sum(nets) / len(nets) == pytest.approx(stats.mean_net.mean)
    assert min(states.values()) > 0
    assert len(states) == len(TradeState)
    headline = answer.record.at_headline
    assert headline is not None
    assert headline.engine.mean_net is not None
    assert 0 < headline.engine.wins < headline.engine.scored


async def test_what_was_earned_is_the_move_less_what_it_cost(rig: Rig) -> None:
    rig.paid = ((T0_MS + HOUR_MS, 0.0003),)
    rig.exchange.hits = {T0_MS + 90 * MIN: (101.5, 100.0)}
    await rig.evaluate(0, "BTC", LONG)
    await rig.evaluate(0, "ETH", SHORT)
    await rig.follow(1)
    await rig.follow(5)
    short, long = sorted(await rig.all(), key=lambda trade: trade.direction, reverse=True)
    assert (long.symbol, long.state, long.touch, long.is_win) == ("BTC", "scored", FirstTouch.TARGET, True)
    assert (long.entry_price, long.target_price, long.stop_price, long.exit_price) == (100, 101, 99, 101)
    assert (long.entered_ms, long.exit_ms) == (T0_MS + 2 * MIN, T0_MS + 95 * MIN)  # of 5m
    assert long.ends_ms == T0_MS + 2 * MIN + 4 * HOUR_MS
    assert long.gross_frac == pytest.approx(0.01)
    assert (long.cost_frac, long.funding_frac) == (pytest.approx(0.0016), 0.0003)
    assert long.net_frac == pytest.approx(0.01 - 0.0016 - 0.0003)
    assert (short.symbol, short.state, short.touch, short.is_win) == ("ETH", "scored", FirstTouch.STOP, False)
    assert (short.target_price, short.stop_price, short.exit_price) == (99, 101, 101)
    assert short.gross_frac == pytest.approx(-0.01)
    assert (short.cost_frac, short.funding_frac) == (pytest.approx(0.0028), -0.0003)
    assert short.net_frac == pytest.approx(-0.01 - 0.0028 + 0.0003)
    assert (long.mfe_frac, short.mae_frac) == (pytest.approx(0.01), pytest.approx(-0.01))
    assert (long.why, short.why) == ("", "")


async def test_nothing_of_an_open_trade_is_told_before_its_time(rig: Rig) -> None:
    rig.exchange.hits = {T0_MS + 90 * MIN: (101.5, 100.0)}
    await rig.evaluate(0, "BTC", LONG)
    (fresh,) = await rig.all()
    assert (fresh.state, fresh.entered_ms, fresh.entry_price) == (TradeState.OPEN, None, None)
    assert fresh.why.startswith("no entry is known yet")
    assert fresh.ends_ms == T0_MS + LATE_MS + 4 * HOUR_MS
    await rig.follow(1)
    await rig.follow(2)
    (touched,) = await rig.all()
    assert (touched.state, touched.entry_price, touched.target_price) == (TradeState.OPEN, 100.0, 101.0)
    assert touched.why.startswith("a barrier was touched early")
    unknown = ("touch", "exit_price", "exit_ms", "gross_frac", "net_frac", "mfe_frac", "mae_frac", "is_win")
    assert {getattr(touched, name) for name in unknown} == {None}
    rig.clock.set(T0_MS + HOUR_MS + AFTER_MS)  # a replay that has not come so far
    (earlier,) = await rig.all()
    assert (earlier.state, earlier.why[:11]) == (TradeState.OPEN, "its horizon")
    rig.clock.set(T0_MS + LATE_MS)
    (before,) = await rig.all()
    assert before == fresh


@pytest.mark.parametrize(
    ("is_given_up", "why"),
    [
        (True, "no 1m or 5m candle says at what price it began"),
        (False, "nobody followed it while its prices were known"),
    ],
)
async def test_what_nobody_can_score_says_why_and_has_no_figure(
    rig: Rig, is_given_up: bool, why: str
) -> None:
    await rig.evaluate(0, "BTC", SHORT)
    rig.exchange.is_there = False
    rig.clock.set(T0_MS + 30 * HOUR_MS)
    if is_given_up:
        await rig.follow(30)
    (trade,) = await rig.all()
    assert (trade.state, trade.why) == (TradeState.UNSCORABLE, why)
    assert (trade.net_frac, trade.is_win, trade.touch, trade.entry_price) == (None, None, None, None)


async def test_a_coin_is_read_in_any_spelling_and_what_is_none_is_refused(rig: Rig) -> None:
    await rig.evaluate(0, "BTC", LONG)
    await rig.evaluate(0, "ETH", LONG)
    assert [trade.symbol for trade in await rig.all("eth-usdt")] == ["ETH"]
    assert len(await rig.all()) == 2
    with pytest.raises(UnknownSymbol):
        await rig.all("NOPE")
    with pytest.raises(InvalidParameter):
        await rig.service.trades(None, horizon="4h", limit=5, cursor="nonsense")
    rig.store._gate.fall_silent(StorageUnavailable("away"))
    with pytest.raises(StorageUnavailable):
        await rig.all()
