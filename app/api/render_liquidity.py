"""Pieces of liquidity answers as they are shown: clusters, zones, odds, plans, structure. Pure; rounds
once."""

from __future__ import annotations

from collections.abc import Sequence

from app.api.numbers import age_s, clip, iso_utc, places, significant
from app.api.schemas import liquidity as items
from app.api.schemas import structure as shapes
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS
from app.core.domain.derivatives import PositionSide
from app.core.domain.liquidity import (
    LEVEL_MEANINGS,
    EnhancedSMCZone,
    LiquidationZone,
    Setup,
    SweepProbability,
)
from app.core.domain.liquidity_answer import Lack, LiquidityMap
from app.core.domain.structure import DealingRange, StructureState, SweepEvent

_SHORT_HORIZON_H = 4.0


def maybe(value: float | None) -> float | None:
    return None if value is None else significant(value)


def share(value: float | None) -> float | None:
    """A probability, to four decimals: more would be made up."""
    return None if value is None else places(value, 4)


def bias_word(is_bullish: bool) -> items.Bias:  # one thing in, one word out
    return "bullish" if is_bullish else "bearish"


def levels_item(found: LiquidityMap, as_of_ms: int) -> items.LevelsItem:
    return items.LevelsItem(
        source=found.source,
        provider=clip(found.provider, NAME_CHARS),
        meaning=LEVEL_MEANINGS[found.source],
        age_s=age_s(as_of_ms, found.as_of_ms),
    )


def lack_items(lacks: Sequence[Lack]) -> list[items.LackItem]:
    return [items.LackItem(what=clip(one.what, NAME_CHARS), why=clip(one.why, DETAIL_CHARS)) for one in lacks]


def cluster_item(zone: LiquidationZone) -> items.LiquidationZoneItem:
    return items.LiquidationZoneItem(
        price=significant(zone.price_usd),
        low=significant(zone.low_usd),
        high=significant(zone.high_usd),
        near=significant(zone.near_usd),
        volume=significant(zone.volume_usd, 6),
        side=zone.side,
        strength=places(zone.strength, 2),
        magnet=places(zone.magnet, 2),
        distance_atr=places(zone.distance_atr, 3),
    )


def zone_item(found: EnhancedSMCZone) -> items.EnhancedSMCZoneItem:
    zone, cluster = found.zone, found.cluster
    return items.EnhancedSMCZoneItem(
        kind=zone.kind,
        direction=bias_word(zone.is_bullish),
        label=clip(zone.label, NAME_CHARS),
        top=significant(zone.top_usd),
        bottom=significant(zone.bottom_usd),
        state=zone.state,
        formed_at=iso_utc(zone.formed_ms),
        known_at=iso_utc(zone.known_ms),
        liquidation_confluence=found.liquidation_confluence,
        liquidation_volume=None if cluster is None else significant(cluster.volume_usd, 6),
        liquidation_price=None if cluster is None else significant(cluster.price_usd),
        confluence_score=None if found.confluence_score is None else places(found.confluence_score, 2),
        parts=_parts(found),
    )


def _parts(found: EnhancedSMCZone) -> items.ConfluencePartsItem | None:
    parts = found.parts
    if parts is None:
        return None
    return items.ConfluencePartsItem(
        overlap=places(parts.overlap, 4),
        volume=places(parts.volume, 4),
        quality=places(parts.quality, 4),
        proximity=places(parts.proximity, 4),
        agreement=places(parts.agreement, 4),
        gap_atr=places(parts.gap_atr, 4),
    )


def probability_items(found: Sequence[SweepProbability]) -> list[items.SweepProbabilityItem]:
    """Both horizons of a level in one item, levels in the order given."""
    by_level: dict[tuple[float, PositionSide], dict[bool, SweepProbability]] = {}
    for one in found:
        by_level.setdefault((one.level_usd, one.side), {})[one.horizon_h <= _SHORT_HORIZON_H] = one
    return [_probability(pair[True], pair[False]) for pair in by_level.values()]


def _probability(near: SweepProbability, far: SweepProbability) -> items.SweepProbabilityItem:
    reason = near.reason or far.reason
    return items.SweepProbabilityItem(
        level=significant(near.level_usd),
        side=near.side,
        distance_atr_1h=None if near.distance_atr_1h is None else places(near.distance_atr_1h, 3),
        within_4h=share(near.probability),
        within_24h=share(far.probability),
        source=near.source,
        n_4h=near.n,
        n_24h=far.n,
        closed_form_4h=share(near.closed_form),
        closed_form_24h=share(far.closed_form),
        reason=clip(reason, DETAIL_CHARS) if reason else None,
    )


def setup_item(setup: Setup) -> items.SetupItem:
    volume = setup.volume
    return items.SetupItem(
        side=PositionSide.LONG if setup.is_long else PositionSide.SHORT,
        entry_kind=setup.entry_kind,
        entry=significant(setup.entry_usd),
        stop=significant(setup.stop_usd),
        targets=[
            items.TargetItem(price=significant(one.price_usd), reward_risk=places(one.reward_risk, 3))
            for one in setup.targets
        ],
        risk_atr=places(setup.risk_atr, 4),
        confluence_score=places(setup.confluence.confluence_score or 0.0, 2),
        zone=clip(setup.confluence.zone.label, NAME_CHARS),
        horizon_h=setup.horizon_h,
        fill_probability=places(setup.p_fill, 4),
        fill_source=setup.fill_source,
        target_probability=places(setup.p_target, 4),
        stop_probability=places(setup.p_stop, 4),
        expectancy_r=places(setup.expectancy_r, 4),
        risk_score=places(setup.risk_score, 2),
        probability=share(setup.probability),
        probability_reason=clip(setup.no_probability, DETAIL_CHARS) or None,
        volume_confirmation=None
        if volume is None
        else items.VolumeConfirmationItem(
            usd_share=places(volume.usd_frac, 4), confirmed=volume.is_confirmed, candles=volume.bars
        ),
        invalidation=[clip(text, DETAIL_CHARS) for text in setup.invalidation],
    )


def structure_item(state: StructureState) -> shapes.StructureItem:
    found, back = state.last_break, state.retracement
    return shapes.StructureItem(
        as_of=iso_utc(state.as_of_ms),
        candles=state.bars,
        missing_candles=state.missing_bars,
        trend=None if state.trend is None else bias_word(state.trend > 0),
        last_break=None
        if found is None
        else shapes.BreakItem(
            kind=found.kind,
            direction=bias_word(found.is_up),
            level=significant(found.level_usd),
            at=iso_utc(found.at_ms),
            margin_atr=None if found.margin_atr is None else places(found.margin_atr, 3),
        ),
        swing_high=maybe(state.swing_high_usd),
        swing_low=maybe(state.swing_low_usd),
        range=None if state.range is None else _range(state.range),
        retracement=None
        if back is None
        else shapes.RetracementItem(
            leg=bias_word(back.is_up_leg),
            current_pct=places(back.current_pct, 1),
            deepest_pct=places(back.deepest_pct, 1),
        ),
        sweeps=[_sweep(one) for one in state.sweeps],
        previous=[
            shapes.PreviousItem(
                period="1d" if one.period == "1d" else "1w",
                high=significant(one.high_usd),
                low=significant(one.low_usd),
                partial=one.is_partial,
                high_broken=one.high_broken,
                low_broken=one.low_broken,
            )
            for one in state.previous
        ],
        sessions=[
            shapes.SessionItem(
                name=one.name,
                kill_zone=one.is_kill_zone,
                since=iso_utc(one.start_ms),
                high=significant(one.high_usd),
                low=significant(one.low_usd),
            )
            for one in state.sessions
        ],
    )


def _range(found: DealingRange) -> shapes.RangeItem:
    return shapes.RangeItem(
        high=significant(found.high_usd),
        low=significant(found.low_usd),
        position=places(found.pos_frac, 4),
        zone=found.part,
        deep=found.is_deep,
        optimal_entry=None if found.ote == 0 else "long" if found.ote > 0 else "short",
    )


def _sweep(one: SweepEvent) -> shapes.SweepItem:
    return shapes.SweepItem.model_validate(
        {
            "kind": one.kind,
            "what": one.what,
            "side": "highs" if one.is_high else "lows",
            "level": significant(one.level_usd),
            "at": iso_utc(one.at_ms),
            "stop_hunt": one.is_stop_hunt,
        }
    )
