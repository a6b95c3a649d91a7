"""Questions about liquidations: what was closed by force, where more waits, and the picture of it.

Longs closed by force are sells. Put together of three sources that fail alone: totals of the provider, the
stream's own windows, and the clusters around the price. Called by `chat_service`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from app.core.chat_ports import Inquiries
from app.core.domain.derivatives import LiquidatedUsd, LiquidationTotals, PositionSide
from app.core.domain.flow import FlowSnapshot, LiquidationWindow
from app.core.domain.formatting import format_percent, format_signed_percent, format_usd, format_usd_compact
from app.core.domain.heatmap import HeatmapAnswer, HeatmapGrid, HeatmapQuery, HeatmapState, StrongLevel
from app.core.domain.liquidity import DEFAULT_TIMEFRAME, LiquidationZone
from app.core.domain.liquidity_answer import LiquidityAnswer
from app.core.domain.quality import Missing
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part, View, ViewQuery
from app.core.errors import NoPriceAvailable
from app.core.stream_ports import Message
from app.services.chat_market import reading_of
from app.services.chat_text import Markup, Voice, clean, fault_text, joined, message

HEATMAP_QUERY = HeatmapQuery(minutes=1_440)
CLUSTERS_PER_SIDE = 3
_WINDOWS_S = (60, 300, 3_600)


@dataclass(frozen=True, slots=True)
class LiquidationAnswers:
    """Answers out of the use cases of the service."""

    on: Inquiries

    async def liquidations(self, voice: Voice, symbol: Symbol) -> Message:
        """Totals by window, the stream's last minutes, and the nearest clusters."""
        totals, snapshot, clusters = await asyncio.gather(
            self._totals(symbol), self._snapshot(symbol), self._clusters(voice, symbol)
        )
        lines = [voice.title("liq.title", coin=symbol), *_totals_text(voice, totals)]
        if snapshot is not None:
            lines += _stream_text(voice, snapshot)
        lines += [clusters] if isinstance(clusters, Markup) else _clusters_text(voice, clusters)
        buttons = [[(voice.say("button.heatmap"), f"/heatmap {symbol}")]]
        return message(lines, footer=voice.footer(), buttons=buttons)

    async def heatmap(self, voice: Voice, symbol: Symbol) -> Message:
        """The picture of 24 h with its sums as caption; in words where nothing is stored.

        Raises:
            StorageUnavailable: there is no record to draw from.
        """
        answer = await self.on.heatmap.heatmap(symbol, HEATMAP_QUERY)
        lines = [voice.title("heatmap.title", coin=symbol), *_heatmap_text(voice, answer)]
        png = None
        if answer.state is HeatmapState.FILLED:
            png = await self.on.heatmap.picture(symbol, HEATMAP_QUERY)
        return message(lines, footer=voice.footer(), png=png)

    async def _totals(self, symbol: Symbol) -> Part:
        view = View.LIQUIDATION_TOTALS
        return (await self.on.derivatives.parts([view], ViewQuery(symbol=symbol)))[view]

    async def _snapshot(self, symbol: Symbol) -> FlowSnapshot | None:
        return None if self.on.snapshots is None else await self.on.snapshots.read(symbol.base)

    async def _clusters(self, voice: Voice, symbol: Symbol) -> LiquidityAnswer | Markup:
        try:
            return await self.on.liquidity.analyse(symbol, DEFAULT_TIMEFRAME)
        except NoPriceAvailable as error:
            return fault_text(voice, error) or Markup()


def _totals_text(voice: Voice, part: Part) -> list[Markup]:
    found = reading_of(part, LiquidationTotals)
    if isinstance(found, Missing):
        return [voice.lacks("liq.totals", found, part.plan_needed)]
    totals = found.value
    scope = voice.say("all_exchanges") if totals.scope == "all exchanges" else clean(totals.scope, 80)
    head = voice.say("liq.totals_of", scope=scope, source=voice.source(found))
    lines = [joined(head, voice.part_note(part))]
    return [*lines, *(_sides(voice, window, usd) for window, usd in totals.by_window.items())]


def _sides(voice: Voice, window: str, usd: LiquidatedUsd) -> Markup:
    if not usd.total_usd > 0:
        return voice.say("liq.quiet", window=window)
    return voice.say(
        "liq.sides",
        window=window,
        longs=format_usd_compact(usd.long_usd),
        shorts=format_usd_compact(usd.short_usd),
        share=format_percent(usd.long_usd / usd.total_usd, 0),
    )


def _stream_text(voice: Voice, snapshot: FlowSnapshot) -> list[Markup]:
    """The stream's own windows; one that reaches back before the last gap says that it is not whole."""
    age_s = (voice.now_ms - snapshot.as_of_ms) / 1000
    lines = [voice.say("liq.stream", source=clean(snapshot.source, 40), ago=voice.ago(snapshot.as_of_ms))]
    for window in snapshot.liquidations:
        if window.window_s in _WINDOWS_S:
            is_whole = snapshot.covered_since_ms <= snapshot.as_of_ms - window.window_s * 1000
            note = Markup() if is_whole else voice.say("liq.not_whole")
            lines.append(joined(_window(voice, window), note))
    cascade = snapshot.cascade
    if cascade is not None and age_s < 60:
        side = voice.say(f"liq.cascade_{cascade.side.value.lower()}")
        phase = voice.say(f"phase.{cascade.phase.value}")
        lines.append(voice.say("liq.cascade", side=side, usd=format_usd_compact(cascade.usd), phase=phase))
    return lines


def _window(voice: Voice, window: LiquidationWindow) -> Markup:
    return _sides(voice, voice.span(window.window_s), LiquidatedUsd(window.long_usd, window.short_usd))


def _clusters_text(voice: Voice, answer: LiquidityAnswer) -> list[Markup]:
    """Where orders wait: longs below the price, shorts above it, the nearest first."""
    found = answer.liquidity
    if found is None:
        return [voice.say("liq.no_clusters", why="; ".join(lack.why for lack in answer.lacking) or "-")]
    price_usd = answer.price.value.price_usd
    source = voice.say("source", provider=found.provider, ago=voice.ago(found.as_of_ms))
    lines = [voice.say("liq.clusters", meaning=voice.say(f"levels.{found.source.value}"), source=source)]
    for side, key in ((PositionSide.SHORT, "liq.above"), (PositionSide.LONG, "liq.below")):
        near = sorted(
            (zone for zone in found.clusters if zone.side is side), key=lambda zone: abs(zone.distance_atr)
        )
        lines += [_cluster(voice, key, zone, price_usd) for zone in near[:CLUSTERS_PER_SIDE]]
    return lines


def _cluster(voice: Voice, key: str, zone: LiquidationZone, price_usd: float) -> Markup:
    return voice.say(
        key,
        price=format_usd(zone.price_usd),
        move=format_signed_percent(zone.price_usd / price_usd - 1, 2),
        strength=f"{zone.strength:.0f}",
    )


def _heatmap_text(voice: Voice, answer: HeatmapAnswer) -> list[Markup]:
    if answer.state is not HeatmapState.FILLED or answer.grid is None:
        return [voice.say(f"heatmap.{answer.state.value}")]
    lines = [_grid_text(voice, answer.grid)]
    if answer.began_ms is not None:
        lines.append(voice.say("heatmap.since", ago=voice.ago(answer.began_ms)))
    if answer.levels is not None:
        lines += [_level(voice, "heatmap.above", level) for level in answer.levels.above[:1]]
        lines += [_level(voice, "heatmap.below", level) for level in answer.levels.below[:1]]
    if isinstance(answer.price, Missing):
        lines.append(voice.lacks("price", answer.price))
    return [*lines, voice.say("heatmap.model")]


def _grid_text(voice: Voice, grid: HeatmapGrid) -> Markup:
    return voice.say(
        "heatmap.sums",
        longs=format_usd_compact(grid.long_usd),
        shorts=format_usd_compact(grid.short_usd),
        n=grid.events,
    )


def _level(voice: Voice, key: str, level: StrongLevel) -> Markup:
    return voice.say(
        key,
        low=format_usd(level.low_usd),
        high=format_usd(level.high_usd),
        usd=format_usd_compact(level.long_usd + level.short_usd),
        move=format_signed_percent(level.distance_frac, 2),
    )
