"""The engine against the reference figures of its specification, on recorded BTC hours.

Skipped where the recorded data (`../shared/data` beside the project) is absent. Window 2025-12-05 to
2026-03-05, hourly; account ratio, top traders and social are not recorded, so they are missing.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.domain.context import DataMode, EnhancedSignalContext
from app.core.domain.engine_config import EngineConfig
from app.core.domain.market import (
    DAY_MS,
    HOUR_MS,
    Candles,
    LiquidationHistory,
    Price,
    PriceKind,
    Series,
    Unit,
)
from app.core.domain.quality import CacheState, Missing, MissingReason, Reading
from app.core.domain.signal import Mode
from app.core.domain.symbol import Symbol
from app.core.signal_engine import ScoreColumns, evaluate, score_columns

DATA = Path(__file__).parents[3] / "shared" / "data"
START_MS = int(datetime(2025, 12, 5, tzinfo=UTC).timestamp() * 1000)
END_MS = int(datetime(2026, 3, 5, 11, tzinfo=UTC).timestamp() * 1000)
SKIPPED_HOURS = 100

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="recorded data ../shared/data is not here")


def rows(name: str) -> Iterator[dict[str, str]]:
    path = DATA / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        yield from csv.DictReader(file)


def reading(columns: dict[int, float], unit: Unit, interval_ms: int = HOUR_MS) -> Reading[Series]:
    times = tuple(sorted(columns))
    series = Series(unit, interval_ms, times, tuple(columns[time] for time in times))
    return Reading(series, "recorded", "csv", times[-1], times[-1], CacheState.MISS)


@pytest.fixture(scope="module")
def recorded() -> EnhancedSignalContext:
    closes = {
        int(row["open_time_ms"]) + HOUR_MS: float(row["close"])
        for row in rows("candles/btcusdt_perp_binance_1h.csv.gz")
    }
    oi_usd, funding, long_usd, short_usd = {}, {}, {}, {}
    for row in rows("liquidations/coinglass_btc_1h_liq_funding_oi_to_2026-03.csv.gz"):
        close_ms = int(row["time_ms"]) + HOUR_MS
        oi_usd[close_ms] = float(row["oi_close"])
        funding[close_ms] = float(row["oi_weight_close"]) / 100
        sides = float(row["liquidation_long_usd"]), float(row["liquidation_short_usd"])
        if any(sides):  # an hour without any liquidation of BTC anywhere means: not recorded
            long_usd[close_ms], short_usd[close_ms] = sides
    oi_base = {
        int(row["time_ms"]): float(row["oi_base"])
        for row in rows("open_interest/oi_binance_5m_btcusdt_to_2026-03.csv.gz")
        if int(row["time_ms"]) % HOUR_MS == 0
    }
    index = {int(row["time_ms"]): float(row["value"]) for row in rows("sentiment/fear_greed_daily.csv")}
    times = tuple(sorted(closes))
    prices = tuple(closes[time] for time in times)
    candles = Candles("Binance", HOUR_MS, times, prices, prices, prices, prices)
    bars = tuple(sorted(long_usd))
    history = LiquidationHistory(
        HOUR_MS,
        bars,
        tuple(long_usd[bar] for bar in bars),
        tuple(short_usd[bar] for bar in bars),
        "Binance,Bybit,OKX",
    )
    missing = Missing(MissingReason.NO_DATA, "not recorded")
    price = Price(closes[END_MS], PriceKind.LAST_TRADE, "Binance")
    return EnhancedSignalContext(
        symbol=Symbol("BTC"),
        as_of_ms=END_MS,
        data_mode=DataMode.REPLAY,
        price=Reading(price, "recorded", "csv", END_MS, END_MS, CacheState.MISS),
        candles=Reading(candles, "recorded", "csv", times[-1], times[-1], CacheState.MISS),
        liquidations=Reading(history, "recorded", "csv", bars[-1], bars[-1], CacheState.MISS),
        open_interest_usd=reading(oi_usd, Unit.USD),
        open_interest_base=reading(oi_base, Unit.BASE),
        funding=reading(funding, Unit.FRAC_PER_8H),
        account_ratio=missing,
        top_position_ratio=missing,
        social=missing,
        fear_greed=reading(index, Unit.SCORE, DAY_MS),
    )


@pytest.fixture(scope="module")
def columns(recorded: EnhancedSignalContext) -> ScoreColumns:
    at_ms = np.arange(START_MS + SKIPPED_HOURS * HOUR_MS, END_MS + 1, HOUR_MS, dtype=np.int64)
    return score_columns(recorded, EngineConfig(), at_ms)


def test_the_score_distribution_is_the_reference(columns: ScoreColumns) -> None:
    assert columns.score.std() == pytest.approx(7.6, abs=0.4)
    percentiles = np.percentile(columns.score, [1, 5, 50, 95, 99])
    assert percentiles == pytest.approx([36, 41, 52, 66, 72], abs=1.0)


@pytest.mark.parametrize(
    ("mode", "long_share", "short_share"),
    [(Mode.BALANCED, 0.056, 0.006), (Mode.CONSERVATIVE, 0.018, 0.0), (Mode.AGGRESSIVE, 0.23, 0.07)],
)
def test_the_signal_shares_are_the_reference(
    columns: ScoreColumns, mode: Mode, long_share: float, short_share: float
) -> None:
    pair = EngineConfig().thresholds[mode]
    assert np.mean(columns.score >= pair.long) == pytest.approx(long_share, abs=0.015)
    assert np.mean(columns.score <= pair.short) == pytest.approx(short_share, abs=0.015)


def test_coverage_drops_when_the_recorded_index_ends(columns: ScoreColumns) -> None:
    assert sorted(set(columns.coverage.round(3).tolist())) == [0.6, 0.65]
    ended = int(datetime(2026, 2, 14, 12, tzinfo=UTC).timestamp() * 1000)
    assert columns.coverage[columns.at_ms <= ended] == pytest.approx(0.65)
    assert columns.coverage[columns.at_ms > ended] == pytest.approx(0.60)


def rank(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.argsort(np.argsort(values)).astype(np.float64)


@pytest.mark.parametrize(("hours", "expected"), [(1, 0.005), (4, 0.009), (24, -0.005)])
def test_the_score_does_not_predict_the_next_return_on_this_window(
    recorded: EnhancedSignalContext, columns: ScoreColumns, hours: int, expected: float
) -> None:
    candles = recorded.candles
    assert isinstance(candles, Reading)
    close = dict(zip(candles.value.close_ms, candles.value.close, strict=True))
    pairs = np.array(
        [
            (score, close[at + hours * HOUR_MS] / close[at])
            for at, score in zip(columns.at_ms.tolist(), columns.score.tolist(), strict=True)
            if at + hours * HOUR_MS in close
        ]
    )
    rho = np.corrcoef(rank(pairs[:, 0]), rank(pairs[:, 1]))[0, 1]
    assert rho == pytest.approx(expected, abs=0.015)


def test_the_live_answer_is_the_last_recorded_column(
    recorded: EnhancedSignalContext, columns: ScoreColumns
) -> None:
    signal = evaluate(recorded, EngineConfig(), Mode.BALANCED)
    assert signal.score == pytest.approx(columns.score[-1], abs=1e-9)
    assert [name for name, _ in signal.missing] == ["long_short", "smart_money", "social", "fear_greed"]
