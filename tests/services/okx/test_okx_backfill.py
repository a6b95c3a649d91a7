"""OKX pages of the past against the simulator: every series, the window asked for, closed bars only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.stored import (
    BarRow,
    CandleRow,
    FundingRow,
    OpenInterestRow,
    RatioRow,
    RatioScope,
    SeriesName,
    TakerRow,
)
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderBadPayload, ProviderNoData
from app.core.history_ports import HistorySource
from app.services.okx.backfill import settled_rows
from tests.history_rig import HistoryRig, history_rig
from tests.live_rig import NOW_MS, WORLD

BTC = Symbol("BTC")
CLOSED_MS = NOW_MS // HOUR_MS * HOUR_MS  # 10:00, twenty minutes ago
SCOPES = list(RatioScope)


@pytest.fixture
async def rig() -> AsyncIterator[HistoryRig]:
    async with history_rig() as found:
        yield found


def closes(rows: tuple[BarRow, ...]) -> list[int]:
    return [row.close_ms for row in rows]


async def day(source: HistorySource, interval: str = "1h") -> tuple[Any, ...]:
    """The last 24 hours, to a moment that no bar has reached."""
    return await source.fetch(BTC, interval, NOW_MS - DAY_MS, NOW_MS + 5 * HOUR_MS)


class TestBars:
    async def test_candles_are_those_of_the_market_and_none_is_forming(self, rig: HistoryRig) -> None:
        rows = await day(rig.source("okx", SeriesName.CANDLES))
        assert closes(rows) == list(range(CLOSED_MS - 23 * HOUR_MS, CLOSED_MS + 1, HOUR_MS))
        bars = WORLD.candles("BTC", "OKX", HOUR_MS, NOW_MS - 2 * DAY_MS, NOW_MS)
        by_close = dict(zip(bars.open_ms + HOUR_MS, bars.close, strict=True))
        row = rows[-1]
        assert isinstance(row, CandleRow)
        assert (row.exchange, row.symbol, row.interval, row.source) == ("OKX", "BTC", "1h", "okx")
        assert row.close == pytest.approx(by_close[row.close_ms], rel=1e-4)
        assert row.low <= row.open <= row.high
        assert row.volume_base is not None
        assert row.ts_init_ms == NOW_MS

    async def test_open_interest_comes_in_dollars_and_coins(self, rig: HistoryRig) -> None:
        rows = await day(rig.source("okx", SeriesName.OPEN_INTEREST))
        assert closes(rows) == list(range(CLOSED_MS - 23 * HOUR_MS, CLOSED_MS + 1, HOUR_MS))
        row = rows[-1]
        assert isinstance(row, OpenInterestRow)
        assert row.close_usd is not None
        assert row.close_base is not None
        assert row.close_usd / row.close_base == pytest.approx(WORLD.last_price("BTC")[0], rel=0.05)  # type: ignore[index]
        assert (row.open_usd, row.high_base) == (None, None)

    @pytest.mark.parametrize("scope", SCOPES)
    async def test_ratios_are_shares_of_their_own_scope(self, rig: HistoryRig, scope: RatioScope) -> None:
        rows = await day(rig.source("okx", SeriesName.LONG_SHORT, scope))
        assert len(rows) == 24
        assert all(isinstance(row, RatioRow) and row.scope == scope.value for row in rows)
        read = {
            RatioScope.GLOBAL_ACCOUNT: WORLD.account_long_share,
            RatioScope.TOP_ACCOUNT: WORLD.top_account_long_share,
            RatioScope.TOP_POSITION: WORLD.top_position_long_share,
        }[scope]
        shares = read("BTC", "OKX", HOUR_MS, CLOSED_MS - HOUR_MS, CLOSED_MS)
        assert rows[-1].long_share_frac == pytest.approx(shares.values[-1], abs=1e-4)

    async def test_taker_volume_is_buy_and_sell_in_dollars(self, rig: HistoryRig) -> None:
        rows = await day(rig.source("okx", SeriesName.TAKER_VOLUME))
        buys, sells = WORLD.taker_volume("BTC", "OKX", HOUR_MS, CLOSED_MS - HOUR_MS, CLOSED_MS)
        row = rows[-1]
        assert isinstance(row, TakerRow)
        assert (row.buy_usd, row.sell_usd) == pytest.approx((buys.values[-1], sells.values[-1]), rel=1e-6)

    @pytest.mark.parametrize("series", [s for s in SeriesName if s is not SeriesName.FUNDING])
    async def test_two_pages_join_without_a_gap_or_an_overlap(
        self, rig: HistoryRig, series: SeriesName
    ) -> None:
        source = rig.source("okx", series, RatioScope.TOP_POSITION)
        middle = CLOSED_MS - 100 * HOUR_MS + 1
        one = await source.fetch(BTC, "1h", middle - source.page_ms("1h"), middle)
        two = await source.fetch(BTC, "1h", middle, CLOSED_MS + 1)
        assert closes(one + two) == list(range(CLOSED_MS - 199 * HOUR_MS, CLOSED_MS + 1, HOUR_MS))

    @pytest.mark.parametrize("series", [s for s in SeriesName if s is not SeriesName.FUNDING])
    async def test_every_bar_size_it_offers_is_answered(self, rig: HistoryRig, series: SeriesName) -> None:
        source = rig.source("okx", series, RatioScope.GLOBAL_ACCOUNT)
        for interval in sorted(source.intervals):
            rows = await source.fetch(BTC, interval, NOW_MS - 3 * DAY_MS, NOW_MS)
            assert rows, interval
            assert {row.interval for row in rows} == {interval}

    async def test_statistics_keep_sixty_days_of_hours_and_candles_everything(self, rig: HistoryRig) -> None:
        assert rig.source("okx", SeriesName.OPEN_INTEREST).max_days("1h") == 60
        assert rig.source("okx", SeriesName.CANDLES).max_days("1h") is None
        assert rig.source("okx", SeriesName.FUNDING).max_days("1h") == 90

    async def test_a_coin_that_is_not_listed_is_no_data(self, rig: HistoryRig) -> None:
        with pytest.raises(ProviderNoData, match="not listed"):
            await rig.source("okx", SeriesName.CANDLES).fetch(Symbol("NOPE"), "1h", 0, NOW_MS)


class TestFunding:
    async def test_settlements_carry_their_own_period(self, rig: HistoryRig) -> None:
        source = rig.source("okx", SeriesName.FUNDING)
        rows = await source.fetch(BTC, "1h", NOW_MS - 20 * DAY_MS, NOW_MS + 1)
        settled = WORLD.funding_settled("BTC", "OKX", NOW_MS - 20 * DAY_MS, NOW_MS + 1)
        assert closes(rows) == list(settled.open_ms)
        row = rows[-1]
        assert isinstance(row, FundingRow)
        assert row.interval == "8h"
        assert row.rate_8h_frac == pytest.approx(settled.values[-1], abs=1e-9)
        assert (row.oi_weighted_8h_frac, row.volume_weighted_8h_frac) == (None, None)

    async def test_a_page_of_hourly_settlements_takes_several_calls(self, rig: HistoryRig) -> None:
        hourly = next(
            coin.base
            for coin in WORLD.coins()
            if WORLD.funding_settled(coin.base, "OKX", NOW_MS - DAY_MS, NOW_MS).open_ms.size > 3
        )
        source = rig.source("okx", SeriesName.FUNDING)
        span = source.page_ms("1h")
        rows = await source.fetch(Symbol(hourly), "1h", NOW_MS - span, NOW_MS)
        settled = WORLD.funding_settled(hourly, "OKX", NOW_MS - span, NOW_MS)
        assert closes(rows) == list(settled.open_ms)

    def test_a_rate_per_four_hours_is_stored_per_eight(self) -> None:
        settled = {CLOSED_MS + k * 4 * HOUR_MS: (0.00005,) for k in range(5)}
        rows = settled_rows("BTC", settled, CLOSED_MS, CLOSED_MS + DAY_MS, NOW_MS)
        assert {(row.interval, row.rate_8h_frac) for row in rows} == {("4h", 0.0001)}

    def test_one_settlement_alone_counts_as_one_of_eight_hours(self) -> None:
        (row,) = settled_rows("BTC", {CLOSED_MS: (0.0002,)}, 0, CLOSED_MS + 1, NOW_MS)
        assert (row.interval, row.rate_8h_frac) == ("8h", 0.0002)


async def test_bars_of_the_future_are_refused(build: Any, okx: Any) -> None:
    provider = build()
    future = str(okx.clock.now_ms() + DAY_MS)
    rows = [[future, "10", "12", "9", "11", "500", "5", "55", "1"]]
    okx.override["history-candles"] = lambda _params: httpx2.Response(
        200, json={"code": "0", "msg": "", "data": rows}
    )
    candles = next(source for source in provider.histories() if source.series is SeriesName.CANDLES)
    now_ms = okx.clock.now_ms()
    with pytest.raises(ProviderBadPayload, match="future"):
        await candles.fetch(BTC, "1h", now_ms - DAY_MS, now_ms)
