"""The store as a source of backtests: what was stored of a simulated coin evaluates as the coin itself."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from app.backtest_history import load_history
from app.backtest_stored import StoredSource, read_store
from app.core.backtest.evaluating import evaluate_history
from app.core.domain.context import DataMode
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.quality import Missing, Reading
from app.core.domain.signal import FactorName
from app.core.domain.stored import (
    ALL_EXCHANGES,
    CandleRow,
    FundingRow,
    LiquidationRow,
    MarketRow,
    OpenInterestRow,
    RatioRow,
    RatioScope,
)
from app.core.record.columns import FACTOR_ORDER
from app.services.storage.store import SqlStore
from app.sim.market import ValueColumns
from app.sim.world import SyntheticWorld
from app.sim.world_tide import EPOCH_MS

END_MS = EPOCH_MS + 200 * DAY_MS
FROM_MS = END_MS - 36 * DAY_MS
CONFIG = EngineConfig()
WORLD = SyntheticWorld(5, lambda: END_MS)


def bars() -> dict[type, list[MarketRow]]:
    """What a backfill and the stream would have stored of BTC."""
    candles = WORLD.candles("BTC", "OKX", HOUR_MS, FROM_MS, END_MS)
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume_base)
    prices = zip(candles.open_ms.tolist(), *(one.tolist() for one in columns), strict=True)
    usd = WORLD.open_interest("BTC", "All", "usd", HOUR_MS, FROM_MS, END_MS)
    base = WORLD.open_interest("BTC", "All", "base", HOUR_MS, FROM_MS, END_MS)
    weighted = WORLD.funding_weighted("BTC", HOUR_MS, FROM_MS, END_MS)
    settled = WORLD.funding_settled("BTC", "OKX", FROM_MS, END_MS)
    shares = WORLD.account_long_share("BTC", "Binance", HOUR_MS, FROM_MS, END_MS)
    top = WORLD.top_position_long_share("BTC", "Binance", HOUR_MS, FROM_MS, END_MS)
    none = (None, None, None)
    return {
        CandleRow: [
            CandleRow("OKX", "BTC", "1h", at + HOUR_MS, *ohlcv, source="okx", ts_init_ms=at)
            for at, *ohlcv in prices
        ],
        OpenInterestRow: [
            OpenInterestRow(ALL_EXCHANGES, "BTC", "1h", at + HOUR_MS, *none, u, *none, b, "coinglass", at)
            for (at, u), (_, b) in zip(pairs(usd), pairs(base), strict=True)
        ],
        FundingRow: [
            *(
                FundingRow(ALL_EXCHANGES, "BTC", "1h", at + HOUR_MS, None, rate, None, "coinglass", at)
                for at, rate in pairs(weighted)
            ),
            *(FundingRow("OKX", "BTC", "8h", at, rate, None, None, "okx", at) for at, rate in pairs(settled)),
        ],
        RatioRow: [
            RatioRow(scope.value, "Binance", "BTC", "1h", at + HOUR_MS, share, "coinglass", at)
            for scope, column in ((RatioScope.GLOBAL_ACCOUNT, shares), (RatioScope.TOP_POSITION, top))
            for at, share in pairs(column)
        ],
        LiquidationRow: hourly_liquidations(),
    }


def hourly_liquidations() -> list[MarketRow]:
    """One event per side and hour: what counts here is the hour's sum."""
    found = WORLD.liquidations("BTC", ("All",), HOUR_MS, FROM_MS, END_MS)
    rows: list[MarketRow] = []
    for index, at in enumerate(found.open_ms.tolist()):
        for side, usd in (("LONG", found.long_usd[index]), ("SHORT", found.short_usd[index])):
            number = 2 * index + (side == "SHORT")
            rows.append(
                LiquidationRow(
                    *("BTC", at + 1_000, number, "coinglass", "Binance", "BTCUSDT", side),
                    *(100_000.0, float(usd), None, 7, at + 1_000),
                )
            )
    return rows


def pairs(column: ValueColumns) -> list[tuple[int, float]]:
    return list(zip(column.open_ms.tolist(), column.values.tolist(), strict=True))


def stored(tmp_path: Path, *, until_ms: int = END_MS) -> StoredSource:
    async def fill_and_read() -> StoredSource:
        store = SqlStore(
            f"sqlite:///{tmp_path / 'history.db'}",
            data_mode="demo",
            now_ms=lambda: END_MS,
            monotonic=time.monotonic,
        )
        store.start()
        await store.opened()
        for rows in bars().values():
            await store.market.put_all(rows)
        await store.market.flush()
        found = await read_store(
            store.bars, store.liquidations, store.alerts, ["BTC"], from_ms=0, to_ms=until_ms
        )
        await store.close()
        return found

    return asyncio.run(fill_and_read())


@pytest.mark.parametrize("until_ms", [END_MS, END_MS - 100 * HOUR_MS])
def test_stored_history_evaluates_as_the_market_it_was_stored_from(tmp_path: Path, until_ms: int) -> None:
    source = stored(tmp_path, until_ms=until_ms)
    assert source.last_close_ms("BTC") == until_ms
    coins = [
        load_history(one, "BTC", from_ms=FROM_MS, to_ms=until_ms, tier=1, data_mode=DataMode.DEMO)
        for one in (source, WORLD)
    ]
    assert dict(coins[0].inputs)["price path"] == "OKX, 60 min"
    at_ms = np.arange(until_ms - 24 * HOUR_MS, until_ms + 1, HOUR_MS, dtype=np.int64)
    mine, market = (evaluate_history(coin.history, CONFIG, at_ms).evaluations for coin in coins)
    assert len(mine) == len(market) == 25
    for name in (FactorName.MOMENTUM, FactorName.FUNDING, FactorName.LONG_SHORT, FactorName.LIQUIDATIONS):
        column = FACTOR_ORDER.index(name)
        assert np.isfinite(mine.v[:, column]).all(), name
        # The market's own past reaches further back than what was stored of it.
        assert mine.v[:, column] == pytest.approx(market.v[:, column], abs=0.02), name
    assert np.isnan(mine.v[:, FACTOR_ORDER.index(FactorName.SOCIAL)]).all()
    assert coins[0].history.settlements is not None
    rates = coins[0].history.settlements.rate_frac
    assert rates == pytest.approx(WORLD.funding_settled("BTC", "OKX", FROM_MS, until_ms).values)


def test_of_a_coin_that_is_not_stored_there_is_nothing(tmp_path: Path) -> None:
    source = stored(tmp_path)
    assert source.last_close_ms("ETH") is None
    assert source.exchanges() == ("Binance", "OKX")
    with pytest.raises(ValueError, match="no hourly candles of ETH"):
        load_history(source, "ETH", from_ms=FROM_MS, to_ms=END_MS, tier=1, data_mode=DataMode.DEMO)


def test_sentiment_is_missing_and_everything_else_is_there(tmp_path: Path) -> None:
    context = load_history(
        stored(tmp_path), "BTC", from_ms=FROM_MS, to_ms=END_MS, tier=1, data_mode=DataMode.DEMO
    ).history.context
    there = {name.value for name, found in context.inputs() if isinstance(found, Reading)}
    missing = {name.value for name, found in context.inputs() if isinstance(found, Missing)}
    assert missing == {"social", "fear_greed"}
    assert len(there) == 8
