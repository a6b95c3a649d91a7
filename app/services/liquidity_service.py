"""The use case behind the liquidity routes: structure, zones, clusters and plans of one coin and timeframe.

Gathers the engine's context, candles of the timeframe and what the plan has of liquidation levels, at once;
the arithmetic runs in a thread. Without CoinGlass's models the levels are estimated from open interest, on
every plan and without a key. Keeps the analysis of closed candles until the next bar. No HTTP, no provider
names.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from app.core.chart_ports import ZonePainter
from app.core.clock import Clock
from app.core.confluence.levels import (
    LOOKBACK_MS,
    MAX_ESTIMATE_AGE_MS,
    estimate_levels,
    interest_bars,
    levels_of_heatmap,
    levels_of_map,
    levels_of_record,
    maintenance_frac,
)
from app.core.confluence.liquidity_map import LevelSet, Scale, build_map, find_zones, plan_setups
from app.core.confluence.volatility import ewma_sigma
from app.core.confluence.zones import MAX_CANDLE_BARS
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.derivatives import LiquidationHeatmap, LiquidationLevels
from app.core.domain.engine_config import EngineConfig
from app.core.domain.heatmap import AbsentPart, HeatmapPart
from app.core.domain.liquidity import DEFAULT_TIMEFRAME, TIMEFRAMES, EnhancedSMCZone, LevelSource, Setup
from app.core.domain.liquidity_answer import Lack, LiquidityAnswer, LiquidityMap
from app.core.domain.market import HOUR_MS, Candles, Price
from app.core.domain.quality import Missing, MissingReason, Reading
from app.core.domain.sentiment import SentimentAnswer
from app.core.domain.structure import StructureState
from app.core.domain.symbol import Symbol
from app.core.domain.views import Part, Parts, View, ViewQuery
from app.core.errors import InvalidParameter, NoPriceAvailable
from app.core.heatmap.composite import Swings
from app.core.market_sentiment import measure_sentiment
from app.core.smc.bars import NEVER, Bars, build_bars
from app.core.smc.records import SmcRun
from app.core.smc.run import run_smc
from app.core.smc.state import read_structure
from app.services.context_service import ContextService
from app.services.derivatives_service import DerivativesService

FAST_HALF_LIFE_H, SLOW_HALF_LIFE_H = 6.0, 72.0
MAX_PRICE_AGE_S = 120.0
MAX_MAP_AGE_MS = 15 * 60_000
_MAX_ANALYSES = 256
SWING_TIMEFRAME = "15m"
SWING_DEADLINE_S = 2.0
_VIEWS = (View.LIQUIDATION_MAP, View.LIQUIDATION_HEATMAP)


@dataclass(frozen=True, slots=True)
class Analysis:
    """Closed candles with everything found in them."""

    bars: Bars
    run: SmcRun
    structure: StructureState | None


class LiquidityService:
    """Answers about one coin and timeframe."""

    def __init__(
        self,
        *,
        contexts: ContextService,
        derivatives: DerivativesService,
        resolve: Callable[[str], Symbol],
        engine: EngineConfig,
        painter: ZonePainter,
        clock: Clock,
        on_answer: Callable[[LiquidityAnswer], None],
    ) -> None:
        """on_answer: called once with every computed answer that is shown: the log of probabilities."""
        self._contexts = contexts
        self._derivatives = derivatives
        self._resolve = resolve
        self._engine = engine
        self._clock = clock
        self._on_answer = on_answer
        self._painter = painter
        self._analyses: OrderedDict[tuple[str, str, int, int, int], Analysis] = OrderedDict()
        self._lock = threading.Lock()  # answers are computed in threads

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    async def analyse(self, symbol: Symbol, timeframe: str) -> LiquidityAnswer:
        """Everything about one timeframe.

        Raises:
            InvalidParameter: a timeframe that is not offered.
            NoPriceAvailable: no provider has a price.
        """
        if timeframe not in TIMEFRAMES:
            raise InvalidParameter("timeframe", f"one of {' '.join(TIMEFRAMES)}")
        hourly = timeframe == DEFAULT_TIMEFRAME
        views = _VIEWS if hourly else (*_VIEWS, View.CANDLES)
        query = ViewQuery(symbol=symbol, interval=timeframe)
        context, parts = await asyncio.gather(
            self._contexts.gather(symbol), self._derivatives.parts(views, query)
        )
        candles = context.candles if hourly else _candles_of(parts)
        answer = await asyncio.to_thread(self._answer, context, timeframe, candles, parts)
        self._on_answer(answer)
        return answer

    async def sentiment(self, symbol: Symbol, timeframe: str) -> SentimentAnswer:
        """The engine's sub-scores of five inputs as one. Raises: InvalidParameter, NoPriceAvailable."""
        answer = await self.analyse(symbol, timeframe)
        return SentimentAnswer(measure_sentiment(answer.context, self._engine), answer)

    async def picture(self, symbol: Symbol, timeframe: str) -> bytes:
        """Candles, zones and clusters as PNG. Raises: InvalidParameter, NoPriceAvailable."""
        return await self._painter.paint(await self.analyse(symbol, timeframe))

    async def closed_candles(self, symbol: Symbol, interval: str) -> Reading[Candles] | Missing:
        """Closed candles of any offered size with their source, or why there are none."""
        return _candles_of(
            await self._derivatives.parts([View.CANDLES], ViewQuery(symbol=symbol, interval=interval))
        )

    async def candles(self, symbol: Symbol, interval: str) -> Candles | None:
        """The same, None when they are not to be had now."""
        found = await self.closed_candles(symbol, interval)
        return None if isinstance(found, Missing) else found.value

    async def swings(self, symbol: Symbol) -> Swings | AbsentPart:
        """Swing levels of 15m candles that price has not traded through, for the composite heatmap."""
        query = ViewQuery(symbol=symbol, interval=SWING_TIMEFRAME)
        try:
            async with asyncio.timeout(SWING_DEADLINE_S):
                candles = _candles_of(await self._derivatives.parts([View.CANDLES], query))
        except TimeoutError:
            return AbsentPart(
                HeatmapPart.SWING_PROXIMITY,
                MissingReason.TIMEOUT,
                f"no candles within {SWING_DEADLINE_S:g} s",
            )
        if isinstance(candles, Missing):
            return AbsentPart(HeatmapPart.SWING_PROXIMITY, candles.reason, candles.detail)
        lacking: list[Lack] = []
        now_ms = self._clock.now_ms()
        found = await asyncio.to_thread(self._analysis, symbol, candles, now_ms, lacking, "candles")
        if found is None:
            return AbsentPart(HeatmapPart.SWING_PROXIMITY, MissingReason.NO_DATA, lacking[0].why)
        table = found.run.swings
        levels = table.level[table.taken_at == NEVER]
        return Swings(tuple(levels.tolist()), float(found.bars.atr[-1]))

    async def of_context(self, context: EnhancedSignalContext, *, is_told: bool = True) -> LiquidityAnswer:
        """The same for the hour, out of what a signal has gathered anyway: no further call is made.

        is_told: False for an answer whose probabilities nobody is shown, so that they are not kept.

        Raises:
            NoPriceAvailable: the context has no price.
        """
        answer = await asyncio.to_thread(self._answer, context, DEFAULT_TIMEFRAME, context.candles, {})
        if is_told:
            self._on_answer(answer)
        return answer

    def _answer(
        self,
        context: EnhancedSignalContext,
        timeframe: str,
        candles: Reading[Candles] | Missing,
        parts: Parts,
    ) -> LiquidityAnswer:
        price = _price_of(context)
        now_ms = context.as_of_ms
        lacking: list[Lack] = []
        frame = self._analysis(context.symbol, candles, now_ms, lacking, "candles")
        hour = frame
        if timeframe != DEFAULT_TIMEFRAME:
            hour = self._analysis(context.symbol, context.candles, now_ms, lacking, "candles of 1h")
        scale = _scale(frame, hour, lacking)
        liquidity: LiquidityMap | None = None
        zones: tuple[EnhancedSMCZone, ...] = ()
        setups: tuple[Setup, ...] = ()
        refused: tuple[Lack, ...] = ()
        stale = ""
        if frame is not None and scale is not None:
            usd = price.value.price_usd
            plain = find_zones(frame.bars, frame.run, (), usd, scale.atr_usd)
            found = self._levels(context, parts, usd, scale, lacking)
            if found is not None:
                liquidity = build_map(found, [one.zone for one in plain], usd, scale)
                if liquidity is None:
                    lacking.append(Lack("liquidity", "no liquidation level within 10 ATR of the price"))
            clusters = liquidity.clusters if liquidity is not None else ()
            zones = find_zones(frame.bars, frame.run, clusters, usd, scale.atr_usd) if clusters else plain
            stale = _stale(price, frame, liquidity, now_ms) or ""
            if stale:
                lacking.append(Lack("setups", stale))
            elif liquidity is not None:
                setups, refused = plan_setups(zones, clusters, frame.bars, usd, scale)
        return LiquidityAnswer(
            symbol=context.symbol,
            timeframe=timeframe,
            as_of_ms=now_ms,
            data_mode=context.data_mode,
            price=price,
            candles=candles,
            context=context,
            structure=frame.structure if frame is not None else None,
            atr_usd=scale.atr_usd if scale is not None else None,
            atr_1h_usd=scale.atr_1h_usd if scale is not None else None,
            zones=zones,
            liquidity=liquidity,
            setups=setups,
            refused=refused,
            lacking=tuple(lacking),
            stale=stale,
        )

    def _analysis(
        self,
        symbol: Symbol,
        candles: Reading[Candles] | Missing,
        now_ms: int,
        lacking: list[Lack],
        name: str,
    ) -> Analysis | None:
        """The analysis of closed candles, kept until there is a new one."""
        if isinstance(candles, Missing):
            lacking.append(Lack(name, f"{candles.reason.value}: {candles.detail}"))
            return None
        value = candles.value
        ends = [close_ms for close_ms in value.close_ms[-3:] if close_ms <= now_ms]
        newest_ms = ends[-1] if ends else 0
        key = (symbol.base, value.exchange, value.interval_ms, newest_ms, len(value.close_ms))
        known = self._analyses.get(key)
        if known is None:
            bars = build_bars(value, now_ms)
            run = run_smc(bars)
            known = Analysis(bars, run, read_structure(bars, run))
            with self._lock:
                self._analyses[key] = known
                while len(self._analyses) > _MAX_ANALYSES:
                    self._analyses.popitem(last=False)
        if not len(known.bars):
            lacking.append(Lack(name, "no closed candle"))
            return None
        return known

    def _levels(
        self,
        context: EnhancedSignalContext,
        parts: Parts,
        price_usd: float,
        scale: Scale,
        lacking: list[Lack],
    ) -> LevelSet | None:
        """The best source of liquidation levels that has any: models, the estimate, what happened."""
        mapped = _found(parts.get(View.LIQUIDATION_MAP))
        if mapped is not None and isinstance(mapped.value, LiquidationLevels):
            levels = levels_of_map(mapped.value, price_usd)
            return LevelSet(LevelSource.COINGLASS_MAP, mapped.provider, mapped.ts_event_ms, levels)
        heat = _found(parts.get(View.LIQUIDATION_HEATMAP))
        if heat is not None and isinstance(heat.value, LiquidationHeatmap) and heat.value.is_estimate:
            levels = levels_of_heatmap(heat.value.cells, price_usd)
            return LevelSet(LevelSource.COINGLASS_HEATMAP, heat.provider, heat.ts_event_ms, levels)
        estimate = _estimate(context, price_usd, scale)
        if isinstance(estimate, LevelSet):
            return estimate
        if heat is not None and isinstance(heat.value, LiquidationHeatmap):
            levels = levels_of_record(heat.value.cells, price_usd)
            return LevelSet(LevelSource.STREAMED, heat.provider, heat.ts_event_ms, levels)
        lacking.append(Lack("liquidity", estimate))
        return None


def _price_of(context: EnhancedSignalContext) -> Reading[Price]:
    """Raises: NoPriceAvailable."""
    price = context.price
    if isinstance(price, Missing):
        tried = tuple(f"{one.provider} {one.endpoint}: {one.detail or one.outcome}" for one in price.attempts)
        raise NoPriceAvailable(context.symbol.base, tried or (f"{price.reason.value}: {price.detail}",))
    return price


def _candles_of(parts: Parts) -> Reading[Candles] | Missing:
    found = parts[View.CANDLES].found
    if isinstance(found, Missing):
        return found
    if not isinstance(found.value, Candles):
        return Missing(MissingReason.BAD_PAYLOAD, "the source of candles answered something else")
    return Reading(
        value=found.value,
        provider=found.provider,
        endpoint=found.endpoint,
        ts_event_ms=found.ts_event_ms,
        ts_init_ms=found.ts_init_ms,
        cache=found.cache,
        attempts=found.attempts,
    )


def _found(part: Part | None) -> Reading[object] | None:
    return part.found if part is not None and isinstance(part.found, Reading) else None


def _scale(frame: Analysis | None, hour: Analysis | None, lacking: list[Lack]) -> Scale | None:
    if frame is None:
        return None
    atr = float(frame.bars.atr[-1])
    if not atr > 0:
        few = len(frame.bars) < 14
        lacking.append(
            Lack("atr", f"{len(frame.bars)} candles, 14 are needed" if few else "prices do not move")
        )
        return None
    hourly = float(hour.bars.atr[-1]) if hour is not None else 0.0
    close = hour.bars.close.tolist() if hour is not None else []
    return Scale(
        atr_usd=atr,
        atr_1h_usd=hourly if hourly > 0 else None,
        fast_sigma=ewma_sigma(close, HOUR_MS, FAST_HALF_LIFE_H),
        slow_sigma=ewma_sigma(close, HOUR_MS, SLOW_HALF_LIFE_H),
    )


def _estimate(context: EnhancedSignalContext, price_usd: float, scale: Scale) -> LevelSet | str:
    """Levels out of open interest, or why not. Coins before USD: their change is no move of the price."""
    candles = context.candles
    if isinstance(candles, Missing):
        return "no hourly candles to estimate liquidation levels from"
    interest = context.open_interest_base
    if isinstance(interest, Missing):
        interest = context.open_interest_usd
    if isinstance(interest, Missing):
        return f"no open interest to estimate liquidation levels from ({interest.reason.value})"
    now_ms = context.as_of_ms
    bars = interest_bars(candles.value, interest.value, from_ms=now_ms - LOOKBACK_MS, until_ms=now_ms)
    if not bars:
        return "open interest and candles have no hour in common in the last 7 days"
    margin = maintenance_frac(context.symbol.base)
    levels = estimate_levels(bars, price_usd, margin, atr_usd=scale.atr_usd)
    newest_ms = min(candles.ts_event_ms, interest.ts_event_ms)
    return LevelSet(LevelSource.ESTIMATE, interest.provider, newest_ms, levels)


def _stale(price: Reading[Price], frame: Analysis, liquidity: LiquidityMap | None, now_ms: int) -> str | None:
    """Why no plan may be made of these inputs, None when they are young enough."""
    if price.age_s(now_ms) > MAX_PRICE_AGE_S:
        return f"the price is {price.age_s(now_ms):.0f} s old"
    behind_ms = now_ms - int(frame.bars.close_ms[-1])
    if behind_ms > MAX_CANDLE_BARS * frame.bars.interval_ms:
        return f"the newest candle closed more than {MAX_CANDLE_BARS} bars ago"
    if liquidity is not None:
        is_estimate = liquidity.source is LevelSource.ESTIMATE
        allowed_ms = MAX_ESTIMATE_AGE_MS if is_estimate else MAX_MAP_AGE_MS
        if liquidity.source is not LevelSource.STREAMED and now_ms - liquidity.as_of_ms > allowed_ms:
            return f"the liquidation levels are more than {allowed_ms // 60_000} min old"
    return None
