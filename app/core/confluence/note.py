"""The one sentence of confluence that stands beside a signal: the best confluent zone and the plan around
it."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.confluence.setups import MIN_SCORE
from app.core.domain.derivatives import PositionSide
from app.core.domain.formatting import format_usd, format_usd_compact
from app.core.domain.liquidity import EnhancedSMCZone, LevelSource, LiquidationZone
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.signal import Confluence, Direction


def summarise(answer: LiquidityAnswer) -> Confluence | str:
    """The confluence of an answer, or why there is none, in words."""
    if answer.liquidity is None:
        return "; ".join(f"{lack.what}: {lack.why}" for lack in answer.lacking) or "no liquidation levels"
    if answer.stale:
        return answer.stale
    best = confluent_zone(answer.zones)
    if best is None or best.cluster is None or best.confluence_score is None:
        return f"no zone on {answer.timeframe} with a cluster beside it scores {MIN_SCORE:.0f} or more"
    setup = next((one for one in answer.setups if one.confluence.zone == best.zone), None)
    return Confluence(
        timeframe=answer.timeframe,
        direction=direction_of(best),
        score=best.confluence_score,
        zone=best,
        source=answer.liquidity.source,
        provider=answer.liquidity.provider,
        as_of_ms=answer.liquidity.as_of_ms,
        setup=setup,
        no_setup="" if setup is not None else _why(answer, best),
        sentence=_sentence(best, best.cluster, answer.timeframe, answer.liquidity.source),
    )


def confluent_zone(zones: Sequence[EnhancedSMCZone]) -> EnhancedSMCZone | None:
    """The best of zones in order of score that has a cluster of its side beside it and scores enough."""
    return next((zone for zone in zones if _counts(zone)), None)


def direction_of(found: EnhancedSMCZone) -> Direction:
    """Demand speaks for LONG, supply for SHORT."""
    return Direction.LONG if found.zone.is_bullish else Direction.SHORT


def _counts(zone: EnhancedSMCZone) -> bool:
    return zone.liquidation_confluence and (zone.confluence_score or 0.0) >= MIN_SCORE


def _why(answer: LiquidityAnswer, best: EnhancedSMCZone) -> str:
    lacks = (*answer.refused, *answer.lacking)
    told = next((lack.why for lack in lacks if lack.what in (best.zone.label, "setups")), None)
    return told or "another zone at the same place has the plan"


# Modelled money is not counted money.
_MONEY = {
    LevelSource.ESTIMATE: "an estimated",
    LevelSource.COINGLASS_MAP: "a modelled",
    LevelSource.COINGLASS_HEATMAP: "a modelled",
    LevelSource.STREAMED: "a recorded",
}


def _sentence(best: EnhancedSMCZone, cluster: LiquidationZone, timeframe: str, source: LevelSource) -> str:
    forced = "forced sells" if cluster.side is PositionSide.LONG else "forced buys"
    zone = best.zone
    where = f"{format_usd(zone.bottom_usd)} to {format_usd(zone.top_usd)}"
    if zone.bottom_usd == zone.top_usd:
        where = f"at {format_usd(zone.top_usd)}"
    return (
        f"{zone.label} on {timeframe} {where} with {_MONEY[source]} {format_usd_compact(cluster.volume_usd)} "
        f"of {forced} near {format_usd(cluster.near_usd)}, confluence {best.confluence_score:.0f} of 100"
    )
