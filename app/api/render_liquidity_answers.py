"""A `LiquidityAnswer` as each of the liquidity routes shows it. Pure; pieces are in `render_liquidity`."""

from __future__ import annotations

import math
from typing import Any

from app.api.numbers import age_s, clip, iso_utc, places, significant
from app.api.render_liquidity import (
    cluster_item,
    lack_items,
    levels_item,
    maybe,
    probability_items,
    setup_item,
    structure_item,
    zone_item,
)
from app.api.schemas import liquidity_answers as answers
from app.api.schemas.base import NAME_CHARS, REASON_CHARS, SENTENCE_CHARS
from app.api.schemas.liquidity import MAX_CLUSTERS, MAX_LEVELS, MAX_ZONES
from app.core.domain.derivatives import PositionSide
from app.core.domain.formatting import format_usd
from app.core.domain.liquidity import LiquidationZone
from app.core.domain.liquidity_answer import LiquidityAnswer, LiquidityMap
from app.core.domain.quality import Reading
from app.core.domain.sentiment import SentimentAnswer

NOTE = (
    "Fill chances are measured hit rates (closedForm: a driftless walk's); target and stop chances are that "
    "walk's. No edge has been measured: before fees a plan is worth about 0, whatever its reward over risk."
)
_MAX_LACKS = 12


def _common(answer: LiquidityAnswer, now_ms: int) -> dict[str, Any]:
    """The fields of every answer."""
    candles = answer.candles if isinstance(answer.candles, Reading) else None
    return {
        "symbol": answer.symbol.base,
        "timeframe": answer.timeframe,
        "timestamp": iso_utc(now_ms),
        "as_of": iso_utc(answer.as_of_ms),
        "data_mode": answer.data_mode,
        "price": significant(answer.price.value.price_usd),
        "price_kind": answer.price.value.kind,
        "price_source": clip(answer.price.provider, NAME_CHARS),
        "price_age_s": age_s(answer.as_of_ms, answer.price.ts_event_ms),
        "candles_source": None if candles is None else clip(candles.provider, NAME_CHARS),
        "candle_close": None if answer.structure is None else iso_utc(answer.structure.as_of_ms),
        "atr": maybe(answer.atr_usd),
        "missing": lack_items(answer.lacking[:_MAX_LACKS]),
    }


def _levels(answer: LiquidityAnswer) -> dict[str, Any]:
    found = answer.liquidity
    return {
        "levels": None if found is None else levels_item(found, answer.as_of_ms),
        "bias": None if found is None else places(found.bias, 4),
    }


def liquidity_map(answer: LiquidityAnswer, *, now_ms: int) -> answers.LiquidityMapResponse:
    found = answer.liquidity
    confluent = [zone for zone in answer.zones if zone.liquidation_confluence]
    odds = probability_items(found.probabilities) if found is not None else []
    return answers.LiquidityMapResponse(
        **_common(answer, now_ms),
        **_levels(answer),
        confluent_levels=[zone_item(zone) for zone in confluent[:MAX_ZONES]],
        liquidity_magnets=[cluster_item(zone) for zone in _strongest(found)],
        sweep_probabilities=odds[:MAX_LEVELS],
    )


def _strongest(found: LiquidityMap | None) -> list[LiquidationZone]:
    """The strongest magnets first, as many as an answer holds."""
    if found is None:
        return []
    return sorted(found.clusters, key=lambda one: -one.magnet)[:MAX_CLUSTERS]


def clusters(answer: LiquidityAnswer, *, now_ms: int) -> answers.LiquidationClustersResponse:
    found = answer.liquidity
    every = found.clusters if found is not None else ()
    ordered = sorted(_strongest(found), key=lambda one: -one.price_usd)
    return answers.LiquidationClustersResponse(
        **_common(answer, now_ms),
        levels=_levels(answer)["levels"],
        long_volume=_volume(every, PositionSide.LONG) if found is not None else None,
        short_volume=_volume(every, PositionSide.SHORT) if found is not None else None,
        clusters=[cluster_item(zone) for zone in ordered],
    )


def _volume(zones: tuple[LiquidationZone, ...], side: PositionSide) -> float:
    return significant(math.fsum(zone.volume_usd for zone in zones if zone.side is side), 6)


def confluence_analysis(answer: LiquidityAnswer, *, now_ms: int) -> answers.ConfluenceAnalysisResponse:
    return answers.ConfluenceAnalysisResponse(
        **_common(answer, now_ms),
        **_levels(answer),
        sentence=clip(_sentence(answer), REASON_CHARS),
        structure=None if answer.structure is None else structure_item(answer.structure),
        zones=[zone_item(zone) for zone in answer.zones[:MAX_ZONES]],
    )


def _sentence(answer: LiquidityAnswer) -> str:
    """Structure, place in the range and the best zone, as far as they are known."""
    told = []
    state = answer.structure
    if state is not None and state.last_break is not None:
        way = "up" if state.last_break.is_up else "down"
        told.append(f"{state.last_break.kind} {way} at {format_usd(state.last_break.level_usd)}")
    if state is not None and state.range is not None:
        told.append(f"price in {state.range.part} of its range")
    best = next((zone for zone in answer.zones if zone.liquidation_confluence), None)
    if best is not None and best.confluence_score is not None:
        told.append(f"best confluence {best.confluence_score:.0f} of 100: {best.zone.label}")
    elif answer.liquidity is not None:
        told.append("no zone with liquidations beside it")
    return f"{answer.symbol} {answer.timeframe}: " + ("; ".join(told) or "too little is known")


def opportunities(answer: LiquidityAnswer, *, now_ms: int) -> answers.TradingOpportunitiesResponse:
    return answers.TradingOpportunitiesResponse(
        **_common(answer, now_ms),
        levels=_levels(answer)["levels"],
        opportunities=[setup_item(setup) for setup in answer.setups],
        refused=lack_items(answer.refused),
        note=NOTE,
    )


def smart_money(answer: LiquidityAnswer, *, now_ms: int) -> answers.SmartMoneyResponse:
    return answers.SmartMoneyResponse(
        **_common(answer, now_ms),
        structure=None if answer.structure is None else structure_item(answer.structure),
        zones=[zone_item(zone) for zone in answer.zones[:MAX_ZONES]],
    )


def sentiment(found: SentimentAnswer, *, now_ms: int) -> answers.MarketSentimentResponse:
    return answers.MarketSentimentResponse(
        **_common(found.liquidity, now_ms),
        score=places(found.sentiment.score, 2),
        label=found.sentiment.label,
        coverage=places(found.sentiment.coverage, 4),
        parts=[
            answers.SentimentPartItem(
                name=factor.name,
                score=places(factor.score, 2),
                weight=places(weight, 2),
                status=factor.status,
                sentence=clip(factor.sentence or factor.detail, SENTENCE_CHARS),
            )
            for factor, weight in found.sentiment.parts
        ],
    )
