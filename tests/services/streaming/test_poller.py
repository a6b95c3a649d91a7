"""One round of polling after another: what is found, kept, remembered and named missing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.domain.alerts import ContextVerdict
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.derivatives import PositionSide, WhaleAction, WhaleAlert
from app.core.domain.flow import AlertKind, Finding
from app.core.domain.flow_config import FlowConfig
from app.core.domain.heatmap import MINUTE_MS, SETTLING_MS, CompositeScore
from app.core.domain.market import HOUR_MS, Series, Unit
from app.core.domain.market_figures import LevelFigures
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.signal import Direction
from app.core.domain.stored import CompositeRow, OpenInterestRow, TileRow
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part, Parts, View, ViewQuery
from app.core.errors import StorageUnavailable
from app.core.heatmap.buckets import bucket_of
from app.services.streaming.poller import MAX_CONTEXTS_A_ROUND, Poller
from app.services.streaming.tile_shelf import TileShelf
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.streaming.whale_shelf import WhaleShelf
from tests.derivatives_facts import coin_market
from tests.flow_facts import snapshot
from tests.liquidity_rig import LiquidityRig
from tests.memory_store import MemoryStore

T0_MS = 1_772_000_100_000  # on a five-minute edge
BTC, ETH = Symbol("BTC"), Symbol("ETH")
PRICE = 96_000.0


def whale(at_ms: int, *, base: str = "BTC", usd: float = 3e6) -> WhaleAlert:
    return WhaleAlert("0xabc", base, PositionSide.LONG, WhaleAction.OPENED, 30.0, usd, PRICE, None, at_ms)


class Rig:
    """A poller over a market that a test moves by hand."""

    def __init__(self, *watched: Symbol, interval_s: float = 20.0) -> None:
        self.clock = ManualClock(T0_MS)
        self.warm = MemoryWarmCache(now_ms=self.clock.now_ms, monotonic=self.clock.monotonic_s)
        self.store = MemoryStore()
        self.liquidity = LiquidityRig(now_ms=T0_MS)
        self.watched: tuple[Symbol, ...] = watched or (BTC,)
        self.coins, self.price = 95_000.0, PRICE
        self.provider = "coinglass"
        self.alerts: list[WhaleAlert] = []
        self.whales_missing: Missing | None = None
        self.asked: list[View] = []
        self.gathered: list[str] = []
        self.changes: dict[str, Any] = {}
        self.score = CompositeScore(0, (), (), False, "missing: swing_proximity")
        self.tiles: list[TileRow] = []
        self.composites_down = False
        self.found: list[Finding] = []
        self.levels: list[LevelFigures] = []
        self.slept: list[float] = []
        self.rested = asyncio.Event()
        self.poller = Poller(
            upstream=self,
            contexts=self,
            liquidity=self.liquidity.service,
            composites=self,
            warm=self.warm,
            writer=self.store,
            bars=self.store,
            config=FlowConfig(),
            watched=lambda: self.watched,
            on_findings=self._hear,
            on_levels=self.levels.append,
            clock=self.clock,
            interval_s=interval_s,
            sleep=self._sleep,
        )

    async def _hear(self, findings: Sequence[Finding], _now_ms: int) -> None:
        self.found += findings

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 3:
            self.rested.set()
            await asyncio.Event().wait()
        self.clock.tick(seconds)

    async def parts(self, views: Sequence[View], query: ViewQuery) -> Parts:
        self.asked += views
        return {view: Part(view, self._view(view, query), None) for view in views}

    def _view(self, view: View, query: ViewQuery) -> Reading[object] | Missing:
        now_ms = self.clock.now_ms()
        if view in (View.WHALE_ALERTS, View.WHALE_POSITIONS) and self.whales_missing is not None:
            return self.whales_missing
        values: dict[View, object] = {
            View.WHALE_ALERTS: tuple(self.alerts),
            View.WHALE_POSITIONS: (),
            View.ALL_MARKETS: (coin_market("PEPE", price_usd=0.00001),),
        }
        if view is View.COIN_MARKET:
            assert query.symbol is not None
            market = coin_market(
                query.symbol.base, price_usd=self.price, interest_usd=self.coins * self.price
            )
            values[view] = replace(market, open_interest_base=self.coins)
        return Reading(values[view], self.provider, "endpoint", now_ms, now_ms, CacheState.HIT)

    async def gather(self, symbol: Symbol) -> EnhancedSignalContext:
        self.gathered.append(symbol.base)
        now_ms = self.clock.now_ms()
        return replace(self.liquidity.context(symbol), as_of_ms=now_ms, **self.changes)

    async def composite(self, symbol: Symbol) -> tuple[CompositeScore, Sequence[TileRow]]:
        if self.composites_down:
            raise StorageUnavailable("the database does not answer")
        return self.score, self.tiles

    async def rounds(self, count: int, *, step_s: float = 20.0) -> None:
        for _ in range(count):
            await self.poller.poll()
            self.clock.tick(step_s)

    def kinds(self) -> list[AlertKind]:
        return [finding.kind for finding in self.found]


def past(rig: Rig, count: int = 400) -> None:
    """Stored five-minute bars that waver by one part in a thousand."""
    for n in range(count, 0, -1):
        close_ms = T0_MS - 300_000 * n
        coins = 95_000.0 * (1 + 0.001 * (n % 2))
        none = (None, None, None)
        row = OpenInterestRow(
            "ALL", "BTC", "5m", close_ms, *none, coins * PRICE, *none, coins, "coinglass", close_ms
        )
        rig.store.rows[OpenInterestRow, "BTC", "5m", close_ms] = row


class TestOpenInterest:
    async def test_minutes_and_five_minutes_are_kept_as_bars(self) -> None:
        rig = Rig()
        await rig.rounds(17)  # five minutes and a little
        await rig.store.flush()
        rows = rig.store.of(OpenInterestRow)
        assert [row.close_ms - T0_MS for row in rows if row.interval == "1m"] == [
            60_000 * n for n in range(1, 6)
        ]
        assert [row.close_ms - T0_MS for row in rows if row.interval == "5m"] == [300_000]
        assert {(row.exchange, row.close_base, row.source) for row in rows} == {
            ("ALL", 95_000.0, "coinglass")
        }

    async def test_a_jump_against_the_coins_own_past_is_a_finding_with_price_and_direction(self) -> None:
        rig = Rig()
        past(rig)
        await rig.rounds(15)
        assert rig.found == []
        rig.coins, rig.price = 99_000.0, PRICE * 1.01
        await rig.rounds(1)
        (found,) = rig.found
        assert (found.kind, found.direction) == (AlertKind.OI_SPIKE, Direction.LONG)
        assert dict(found.evidence)["oi_change_5m_frac"] == pytest.approx(4 / 95)
        assert found.price == PRICE * 1.01

    async def test_one_jump_is_one_episode_however_often_it_is_seen(self) -> None:
        rig = Rig()
        past(rig)
        await rig.rounds(15)
        rig.coins, rig.price = 99_000.0, PRICE * 1.01
        await rig.rounds(4)
        assert len(rig.found) > 1
        assert len({finding.episode for finding in rig.found}) == 1

    async def test_without_a_past_it_is_named_and_nothing_is_found(self) -> None:
        rig = Rig()
        await rig.rounds(15)
        rig.coins = 99_000.0
        await rig.rounds(1)
        assert rig.found == []
        assert "BTC: open interest: 0 five-minute changes known, 288 are needed" in rig.poller.notes()

    async def test_a_store_that_was_down_is_read_when_it_is_back(self) -> None:
        rig = Rig()
        past(rig)
        rig.store.is_down = True
        await rig.rounds(8)
        rig.store.is_down = False
        await rig.rounds(8)
        rig.coins, rig.price = 90_000.0, PRICE * 0.99
        await rig.rounds(1)
        assert rig.kinds() == [AlertKind.OI_SPIKE]

    async def test_a_source_whose_exchanges_nobody_knows_is_not_kept(self) -> None:
        rig = Rig()
        rig.provider = "coinglass, okx"
        await rig.rounds(4)
        await rig.store.flush()
        assert rig.store.of(OpenInterestRow) == []
        assert any("does not say of which exchanges" in note for note in rig.poller.notes())


def funding(rig: Rig, newest: float) -> None:
    closes = tuple(T0_MS // HOUR_MS * HOUR_MS - HOUR_MS * n for n in range(300, -1, -1))
    values = (*(0.0001 * (1 + n % 7) for n in range(300)), newest)
    series = Series(Unit.FRAC_PER_8H, HOUR_MS, closes, values, "OI-weighted")
    rig.changes["funding"] = Reading(series, "okx", "funding", closes[-1], T0_MS, CacheState.HIT)


class TestFundingAndContext:
    async def test_funding_beyond_its_own_past_is_found(self) -> None:
        rig = Rig()
        funding(rig, 0.01)
        await rig.rounds(1)
        assert rig.kinds() == [AlertKind.FUNDING_EXTREME]
        assert rig.found[0].percentile == 1.0

    async def test_ordinary_funding_is_not(self) -> None:
        rig = Rig()
        funding(rig, 0.0004)
        await rig.rounds(1)
        assert rig.found == []

    async def test_the_gate_is_told_what_the_market_says_of_a_direction(self) -> None:
        rig = Rig()
        funding(rig, 0.01)
        await rig.rounds(1)
        figures = rig.poller.market_figures("BTC")
        assert figures is not None
        assert (figures.funding_8h_frac, figures.funding_percentile) == (0.01, 1.0)
        crowded = rig.poller.alert_context("BTC", Direction.LONG)
        assert (crowded.verdict, crowded.funding_percentile) == (ContextVerdict.UNFAVORABLE, 1.0)
        assert rig.poller.alert_context("BTC", Direction.SHORT).verdict is not ContextVerdict.UNFAVORABLE

    async def test_a_coin_that_is_not_polled_is_unknown_and_neutral(self) -> None:
        rig = Rig()
        assert rig.poller.market_figures("DOGE") is None
        found = rig.poller.alert_context("DOGE", Direction.LONG)
        assert (found.verdict, found.unknown) == (ContextVerdict.NEUTRAL, ("funding", "open_interest"))

    async def test_figures_that_have_grown_old_are_unknown_again(self) -> None:
        rig = Rig()
        await rig.rounds(1)
        rig.clock.tick(1_781)
        assert rig.poller.market_figures("BTC") is None

    async def test_the_flow_engine_is_told_the_levels_with_every_look(self) -> None:
        rig = Rig()
        await rig.rounds(16)
        assert len(rig.levels) == 2  # every five minutes
        assert rig.levels[0].symbol == "BTC"
        assert rig.levels[0].atr_1h_usd is not None
        assert rig.liquidity.answers  # the rig counts what the wiring must not

    async def test_a_context_without_a_price_has_no_levels(self) -> None:
        rig = Rig()
        rig.changes["price"] = Missing(MissingReason.TIMEOUT, "no answer")
        await rig.rounds(1)
        assert rig.levels == []

    async def test_a_long_watchlist_is_looked_at_little_by_little(self) -> None:
        rig = Rig(*(Symbol(f"C{n}") for n in range(12)))
        await rig.rounds(1)
        assert len(rig.gathered) == MAX_CONTEXTS_A_ROUND
        await rig.rounds(2)
        assert sorted(rig.gathered) == sorted(f"C{n}" for n in range(12))


class TestWhales:
    async def test_a_new_position_is_told_once_and_the_book_has_it(self) -> None:
        rig = Rig()
        rig.alerts = [whale(T0_MS - 30_000)]
        await rig.rounds(3)
        assert rig.kinds() == [AlertKind.WHALE_POSITION]
        assert rig.found[0].price == PRICE  # polled in the same round
        book = await WhaleShelf(rig.warm).read()
        assert book is not None
        assert (book.alerts, book.provider) == (tuple(rig.alerts), "coinglass")

    async def test_what_was_opened_before_the_start_is_no_news(self) -> None:
        rig = Rig()
        rig.alerts = [whale(T0_MS - 600_001)]
        await rig.rounds(1)
        assert rig.found == []

    async def test_the_price_is_the_streamed_one_else_the_listed_one(self) -> None:
        rig = Rig()
        now = snapshot("SOL", as_of_ms=T0_MS, price=150.25, price_ms=T0_MS - 3_000)
        await rig.warm.publish([now])
        rig.alerts = [whale(T0_MS - 1_000, base="SOL"), whale(T0_MS - 2_000, base="PEPE")]
        await rig.rounds(1)
        assert {finding.symbol: finding.price for finding in rig.found} == {"SOL": 150.25, "PEPE": 0.00001}

    async def test_an_unanswered_poll_keeps_the_book_and_says_why(self) -> None:
        rig = Rig()
        rig.alerts = [whale(T0_MS - 30_000)]
        await rig.rounds(1)
        rig.whales_missing = Missing(MissingReason.NOT_IN_PLAN, "coinglass: not in plan hobbyist")
        await rig.rounds(1)
        book = await WhaleShelf(rig.warm).read()
        assert book is not None
        assert (book.alerts_ms, book.alerts_why) == (T0_MS, "coinglass: not in plan hobbyist")
        assert "whales: coinglass: not in plan hobbyist" in rig.poller.notes()


def strong(rig: Rig, offset: int) -> None:
    bucket = bucket_of(PRICE) + offset
    rig.score = CompositeScore(1, (CompositeRow("BTC", 1, bucket, 0.9, 0.9, 0.9, 0.9),), (), True, "")
    rig.tiles = [TileRow("BTC", 1, bucket, 3e6, 0.0, 4)]


class TestTiles:
    async def test_a_strong_tile_is_found_and_kept_once_a_minute(self) -> None:
        rig = Rig()
        strong(rig, -4)
        await rig.rounds(4)
        assert rig.kinds() == [AlertKind.HEATMAP] * 2
        assert rig.found[0].direction is Direction.LONG
        assert [row for row in rig.store.lost if isinstance(row, CompositeRow)] == [*rig.score.tiles] * 2

    async def test_they_are_published_for_every_process(self) -> None:
        rig = Rig()
        strong(rig, -4)
        assert await TileShelf(rig.warm).read("BTC") is None
        await rig.rounds(1)
        assert await TileShelf(rig.warm).read("BTC") == rig.score
        assert await TileShelf(rig.warm).read("ETH") is None

    async def test_a_minute_is_asked_for_once_it_is_settled_and_not_a_minute_later(self) -> None:
        rig = Rig()
        rig.clock.tick((SETTLING_MS - rig.clock.now_ms() % MINUTE_MS) / 1000 - 1)
        strong(rig, -4)
        await rig.rounds(1, step_s=1.0)
        assert rig.kinds() == [AlertKind.HEATMAP]
        await rig.rounds(1)
        assert rig.kinds() == [AlertKind.HEATMAP] * 2

    async def test_a_missing_part_is_named(self) -> None:
        rig = Rig()
        await rig.rounds(1)
        assert "BTC: heatmap: missing: swing_proximity" in rig.poller.notes()

    async def test_a_store_that_is_down_is_asked_again_in_the_same_minute(self) -> None:
        rig = Rig()
        strong(rig, 4)
        rig.composites_down = True
        await rig.rounds(1)
        rig.composites_down = False
        await rig.rounds(1)
        assert [finding.direction for finding in rig.found] == [Direction.SHORT]


class TestRhythm:
    async def test_rounds_follow_the_interval_until_it_is_cancelled(self) -> None:
        rig = Rig(interval_s=20.0)
        running = asyncio.create_task(rig.poller.run())
        await rig.rested.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (set(rig.slept), rig.poller.rounds) == ({20.0}, 3)

    async def test_coins_that_are_not_watched_any_more_are_forgotten(self) -> None:
        rig = Rig(BTC, ETH)
        await rig.rounds(1)
        rig.watched = (ETH,)
        await rig.rounds(1)
        assert rig.poller.market_figures("BTC") is None
        assert rig.poller.market_figures("ETH") is not None
