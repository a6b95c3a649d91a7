"""Zones, clusters and plans of one coin, whatever the plan has: models, the estimate, or what happened."""

from __future__ import annotations

import math
from typing import Any

import pytest

from app.core.confluence.note import summarise
from app.core.domain.derivatives import (
    HeatmapCell,
    LiquidationHeatmap,
    LiquidationLevel,
    LiquidationLevels,
    PositionSide,
)
from app.core.domain.heatmap import AbsentPart
from app.core.domain.liquidity import TIMEFRAMES, LevelSource, ProbabilitySource
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.market import HOUR_MS, Candles, Price, PriceKind
from app.core.domain.quality import Missing, MissingReason
from app.core.domain.signal import Confluence
from app.core.domain.symbol import Symbol
from app.core.domain.views import View
from app.core.errors import InvalidParameter, NoPriceAvailable
from app.core.heatmap.composite import Swings
from tests.liquidity_rig import LiquidityRig, reading, wavy_candles

BTC = Symbol("BTC")


async def analyse(rig: LiquidityRig, timeframe: str = "1h") -> LiquidityAnswer:
    return await rig.service.analyse(BTC, timeframe)


def why(answer: LiquidityAnswer, what: str) -> str:
    return next(lack.why for lack in answer.lacking if lack.what == what)


def pending(rig: LiquidityRig, *, estimate: bool) -> LiquidationHeatmap:
    """A cluster on each side, and an older column that must not count where levels are pending."""
    price = rig.candles.close[-1]
    cells = (
        HeatmapCell(rig.now_ms - HOUR_MS, price * 0.97, 9e6),
        HeatmapCell(rig.now_ms, price * 0.97, 1e6),
        HeatmapCell(rig.now_ms, price * 1.03, 2e6),
    )
    return LiquidationHeatmap("model", price, cells, is_estimate=estimate)


async def test_without_a_key_levels_are_estimated_from_open_interest() -> None:
    answer = await analyse(LiquidityRig())
    assert answer.liquidity is not None
    assert (answer.liquidity.source, answer.liquidity.provider) == (LevelSource.ESTIMATE, "okx")
    assert answer.liquidity.clusters
    assert {one.side for one in answer.liquidity.clusters} == set(PositionSide)
    assert answer.lacking == ()
    assert answer.structure is not None


async def test_the_models_of_a_higher_plan_come_first() -> None:
    rig = LiquidityRig()
    price = rig.candles.close[-1]
    levels = (
        LiquidationLevel(price * 0.98, 5e6, PositionSide.LONG),
        LiquidationLevel(price * 1.02, 5e6, PositionSide.SHORT),
    )
    rig.views[View.LIQUIDATION_HEATMAP] = reading(pending(rig, estimate=True), rig.now_ms, "coinglass")
    assert (await analyse(rig)).liquidity.source is LevelSource.COINGLASS_HEATMAP  # type: ignore[union-attr]
    rig.views[View.LIQUIDATION_MAP] = reading(
        LiquidationLevels("map", price, levels), rig.now_ms, "coinglass"
    )
    found = (await analyse(rig)).liquidity
    assert found is not None
    assert (found.source, found.provider) == (LevelSource.COINGLASS_MAP, "coinglass")
    assert [round(one.price_usd / price, 3) for one in found.clusters] == [0.98, 1.02]


async def test_what_happened_stands_in_last_and_says_so() -> None:
    rig = LiquidityRig()
    rig.views[View.LIQUIDATION_HEATMAP] = reading(pending(rig, estimate=False), rig.now_ms, "store")
    assert (await analyse(rig)).liquidity.source is LevelSource.ESTIMATE  # type: ignore[union-attr]
    gone = Missing(MissingReason.TIMEOUT, "okx: no answer")
    rig.changes = {"open_interest_base": gone, "open_interest_usd": gone}
    found = (await analyse(rig)).liquidity
    assert found is not None
    assert found.source is LevelSource.STREAMED
    assert sorted(round(one.volume_usd / 1e6) for one in found.clusters) == [2, 10]


async def test_without_levels_the_zones_still_stand_and_the_reason_is_named() -> None:
    rig = LiquidityRig()
    gone = Missing(MissingReason.TIMEOUT, "okx: no answer")
    rig.changes = {"open_interest_base": gone, "open_interest_usd": gone}
    answer = await analyse(rig)
    assert answer.liquidity is None
    assert "no open interest" in why(answer, "liquidity")
    assert answer.zones
    assert {zone.confluence_score for zone in answer.zones} == {None}
    assert answer.setups == ()


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
async def test_every_timeframe_has_its_own_candles_and_one_scale_for_odds(timeframe: str) -> None:
    rig = LiquidityRig()
    answer = await analyse(rig, timeframe)
    assert answer.timeframe == timeframe
    assert answer.zones
    assert (View.CANDLES in rig.asked) == (timeframe != "1h")  # the hour's are the engine's
    hour = await analyse(rig, "1h")
    assert answer.atr_1h_usd == hour.atr_1h_usd
    assert answer.liquidity is not None
    for one in answer.liquidity.probabilities:
        assert one.source is ProbabilitySource.HIT_RATE_TABLE
        assert (one.probability is None) == (one.reason != "")
        away = abs(one.level_usd - answer.price.value.price_usd) / (answer.atr_1h_usd or math.nan)
        assert one.distance_atr_1h == pytest.approx(away)


async def test_a_timeframe_outside_of_the_list_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="timeframe"):
        await analyse(LiquidityRig(), "2h")


async def test_no_price_is_no_answer() -> None:
    rig = LiquidityRig()
    rig.changes = {"price": Missing(MissingReason.UNAVAILABLE, "okx down")}
    with pytest.raises(NoPriceAvailable):
        await analyse(rig)


def old_candles(rig: LiquidityRig) -> dict[str, Any]:
    candles = wavy_candles(rig.now_ms - 4 * HOUR_MS, HOUR_MS)
    return {"candles": reading(candles, candles.close_ms[-1])}


def old_price(rig: LiquidityRig) -> dict[str, Any]:
    return {"price": reading(Price(60_000.0, PriceKind.LAST_TRADE), rig.now_ms - 300_000)}


@pytest.mark.parametrize(
    ("change", "told"), [(old_candles, "newest candle closed more than 2 bars ago"), (old_price, "300 s old")]
)
async def test_of_old_inputs_no_plan_is_made(change: Any, told: str) -> None:
    rig = LiquidityRig()
    rig.changes = change(rig)
    answer = await analyse(rig)
    assert answer.setups == ()
    assert told in why(answer, "setups")


async def test_an_old_map_makes_no_plan() -> None:
    rig = LiquidityRig()
    rig.views[View.LIQUIDATION_HEATMAP] = reading(
        pending(rig, estimate=True), rig.now_ms - 16 * 60_000, "coinglass"
    )
    assert "15 min old" in why(await analyse(rig), "setups")


async def test_without_candles_the_answer_says_why() -> None:
    rig = LiquidityRig()
    rig.changes = {"candles": Missing(MissingReason.TIMEOUT, "okx: no answer in 8 s")}
    answer = await analyse(rig)
    assert (answer.structure, answer.zones, answer.liquidity) == (None, (), None)
    assert why(answer, "candles") == "timeout: okx: no answer in 8 s"


@pytest.mark.parametrize(("size", "told"), [(1, "1 candles, 14 are needed"), (13, "13 candles")])
async def test_too_few_candles_are_told(size: int, told: str) -> None:
    rig = LiquidityRig()
    few = wavy_candles(rig.now_ms, HOUR_MS, size=size)
    rig.changes = {"candles": reading(few, few.close_ms[-1])}
    answer = await analyse(rig)
    assert told in why(answer, "atr")
    assert answer.zones == ()


async def test_flat_prices_are_told() -> None:
    rig = LiquidityRig()
    flat = (60_000.0,) * len(rig.candles.close)
    candles = Candles("OKX", HOUR_MS, rig.candles.close_ms, flat, flat, flat, flat)
    rig.changes = {"candles": reading(candles, candles.close_ms[-1])}
    assert why(await analyse(rig), "atr") == "prices do not move"


async def test_a_candle_of_the_future_is_not_looked_at() -> None:
    rig = LiquidityRig()
    plain = await analyse(rig)
    ahead = rig.candles
    more = Candles(
        "OKX",
        HOUR_MS,
        (*ahead.close_ms, ahead.close_ms[-1] + HOUR_MS),
        *((*column, 1e9) for column in (ahead.open, ahead.high, ahead.low, ahead.close)),
        (*(ahead.volume_base or ()), 1.0),
    )
    rig.changes = {"candles": reading(more, ahead.close_ms[-1])}
    again = await analyse(rig)
    assert again.structure == plain.structure
    assert again.zones == plain.zones


async def test_the_hour_of_a_signal_asks_nobody_and_its_chances_are_logged_too() -> None:
    rig = LiquidityRig()
    answer = await rig.service.of_context(rig.context())
    assert rig.asked == []
    assert answer.liquidity is not None
    shown = await analyse(rig)
    assert rig.answers == [answer, shown]


@pytest.mark.parametrize("change", [old_candles, old_price])
async def test_of_old_inputs_no_confluence_is_told(change: Any) -> None:
    rig = LiquidityRig()
    assert isinstance(summarise(await analyse(rig)), Confluence)
    rig.changes = change(rig)
    answer = await analyse(rig)
    assert answer.stale == why(answer, "setups")
    assert summarise(answer) == answer.stale


async def test_a_pool_that_price_has_passed_since_the_close_lies_on_its_other_side() -> None:
    rig = LiquidityRig()
    for factor in (0.97, 1.0, 1.03):
        price = rig.candles.close[-1] * factor
        rig.changes = {"price": reading(Price(price, PriceKind.LAST_TRADE), rig.now_ms)}
        found = (await analyse(rig)).liquidity
        assert found is not None
        for one in found.probabilities:
            assert (one.side is PositionSide.LONG) == (one.level_usd < price)


async def test_setups_are_in_order_and_lie_apart() -> None:
    found = 0
    for seed in range(12):
        rig = LiquidityRig()
        rig.candles = wavy_candles(rig.now_ms, HOUR_MS, seed=seed)
        answer = await analyse(rig)
        for setup in answer.setups:
            found += 1
            side = 1 if setup.is_long else -1
            assert setup.stop_usd * side < setup.entry_usd * side < setup.targets[0].price_usd * side
            assert setup.confluence.liquidation_confluence
            assert setup.volume is not None
    assert found > 3


async def test_swings_of_a_quarter_of_an_hour_for_the_heatmap() -> None:
    rig = LiquidityRig()
    found = await rig.service.swings(BTC)
    assert isinstance(found, Swings)
    candles = wavy_candles(rig.now_ms, 900_000)
    # Untaken highs lie above every later high, untaken lows below.
    assert max(candles.high) in found.levels_usd or max(found.levels_usd) <= max(candles.high)
    assert found.atr_15m_usd > 0
    rig.views[View.CANDLES] = Missing(MissingReason.TIMEOUT, "okx: no answer")
    lost = await rig.service.swings(BTC)
    assert isinstance(lost, AbsentPart)
    assert (lost.reason, lost.detail) == (MissingReason.TIMEOUT, "okx: no answer")


async def test_sentiment_is_the_engines_sub_scores_brought_to_a_hundred() -> None:
    rig = LiquidityRig()
    found = (await rig.service.sentiment(BTC, "1h")).sentiment
    weights = {factor.name.value: weight for factor, weight in found.parts}
    assert sum(weights.values()) == pytest.approx(100)
    assert weights["liquidations"] == pytest.approx(100 * 20 / 65)
    assert found.score == pytest.approx(sum(f.score * w for f, w in found.parts) / 100)
    rig.changes = {"funding": Missing(MissingReason.TIMEOUT, "okx: no answer")}
    less = (await rig.service.sentiment(BTC, "1h")).sentiment
    funding = next(factor for factor, _ in less.parts if factor.name == "funding")
    assert funding.score == 50
    assert less.coverage == pytest.approx(1 - 15 / 65)
