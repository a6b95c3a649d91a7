"""The use case behind `/flow` and `/api/orderflow`: what the worker's rolling windows say, with their age.

Reads the warm cache and nothing else: no call, no database. Tells apart a quiet coin, a stale worker and no
worker at all; judges nothing that is stale. No HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.core.clock import Clock
from app.core.domain.flow import CascadeNow, FlowSnapshot, LiquidationWindow
from app.core.domain.flow_answer import (
    FlowAnswer,
    FlowState,
    FlowTopAnswer,
    Imbalance,
    OrderFlowAnswer,
    StreamReport,
    StreamStatusAnswer,
    TradeShare,
    WindowShare,
    is_snapshot_fresh,
)
from app.core.domain.flow_config import FlowConfig
from app.core.domain.symbol import Symbol
from app.core.errors import InvalidParameter
from app.core.flow.judged import is_whole, judge_liquidations, judge_trades
from app.core.stream_ports import WarmCache
from app.services.streaming.status_board import StatusBoard

WINDOWS_S = (10, 30, 60, 300, 3_600, 86_400)
ORDER_FLOW_WINDOWS_S = (60, 300)
MAX_TOP = 50
NO_WORKER = "no worker publishes: the stream is not running, or its cache cannot be read"
_NO_EVENTS = "the stream runs; no event of this coin in a day"


class FlowService:
    """Answers from the warm cache."""

    def __init__(
        self,
        warm: WarmCache,
        *,
        resolve: Callable[[str], Symbol],
        config: FlowConfig,
        clock: Clock,
        no_worker: str = NO_WORKER,
        speed: float = 1.0,
    ) -> None:
        """no_worker: what to say, and to do, where no worker can be seen. speed: of a replay, market seconds
        per second."""
        self._warm = warm
        self._speed = speed
        self._board = StatusBoard(warm, now_ms=clock.now_ms, speed=speed)
        self._resolve = resolve
        self._config = config
        self._clock = clock
        self._no_worker = no_worker

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    async def order_flow(self, symbol: Symbol) -> OrderFlowAnswer:
        """Taker volume of the last minute and the last five, with the verdict of the detector's rule."""
        now_ms, snapshot = self._clock.now_ms(), await self._warm.read(symbol.base)
        state, reason = await self._state(snapshot, now_ms)
        windows: tuple[TradeShare, ...] = ()
        if snapshot is not None:
            since_ms = snapshot.trades_covered_since_ms
            if since_ms is None and state is FlowState.LIVE:
                reason = "trades of this coin are not streamed: only those of watched coins are"
            windows = tuple(
                judge_trades(window, self._config, whole=is_whole(snapshot, since_ms, window.window_s))
                for window in snapshot.trades
                if window.window_s in ORDER_FLOW_WINDOWS_S and since_ms is not None
            )
        return OrderFlowAnswer(symbol, now_ms, state, reason, snapshot, windows)

    async def flow(self, symbol: Symbol) -> FlowAnswer:
        """Liquidations in every window, and a cascade if one is under way."""
        now_ms, snapshot = self._clock.now_ms(), await self._warm.read(symbol.base)
        state, reason = await self._state(snapshot, now_ms)
        return FlowAnswer(
            symbol=symbol,
            as_of_ms=now_ms,
            state=state,
            reason=reason,
            tier=self._config.tier_of(symbol.base),
            thresholds=self._config.tier(symbol.base),
            snapshot=snapshot,
            windows=()
            if snapshot is None
            else tuple(_judged(snapshot, one) for one in snapshot.liquidations),
        )

    async def top(self, window_s: int, limit: int) -> FlowTopAnswer:
        """Coins by the size of longs less shorts liquidated in a window, largest first; fresh ones only.

        Raises: InvalidParameter: a window that is not kept.
        """
        if window_s not in WINDOWS_S:
            raise InvalidParameter("window", f"seconds, one of {', '.join(map(str, WINDOWS_S))}")
        now_ms, known = self._clock.now_ms(), await self._warm.read_all()
        fresh = [one for one in known if is_snapshot_fresh(one, now_ms, speed=self._speed)]
        state, reason = await self._state_of_all(known, fresh)
        items = [item for item in (self._imbalance(one, window_s) for one in fresh) if item is not None]
        items.sort(key=lambda item: (-abs(item.net_usd), item.symbol))
        return FlowTopAnswer(
            as_of_ms=now_ms,
            state=state,
            reason=reason,
            window_s=window_s,
            items=tuple(items[: min(limit, MAX_TOP)]),
            cascades=_cascades(fresh)[: min(limit, MAX_TOP)],
            coins=len(fresh),
            stale=len(known) - len(fresh),
        )

    async def status(self) -> StreamStatusAnswer:
        """What every worker says of itself, with the age of what it said."""
        now_ms, reports = self._clock.now_ms(), await self._board.read()
        known = await self._warm.read_all()
        events = [one.newest_event_ms for one in known if one.newest_event_ms is not None]
        state, reason = await self._reported(reports)
        return StreamStatusAnswer(now_ms, state, reason, reports, len(known), max(events, default=None))

    async def _state(self, snapshot: FlowSnapshot | None, now_ms: int) -> tuple[FlowState, str]:
        if snapshot is None:
            alive = await self._board.is_alive()
            return (FlowState.NO_EVENTS, _NO_EVENTS) if alive else (FlowState.NO_WORKER, self._no_worker)
        if not is_snapshot_fresh(snapshot, now_ms, speed=self._speed):
            age_s = (now_ms - snapshot.as_of_ms) / 1000
            return FlowState.STALE, f"the worker has not published this coin for {age_s:.0f} s"
        return FlowState.LIVE, ""

    async def _state_of_all(
        self, known: Sequence[FlowSnapshot], fresh: Sequence[FlowSnapshot]
    ) -> tuple[FlowState, str]:
        if fresh:
            return FlowState.LIVE, ""
        if known:
            return FlowState.STALE, "the worker has stopped publishing"
        alive = await self._board.is_alive()
        return (FlowState.NO_EVENTS, "no event in a day") if alive else (FlowState.NO_WORKER, self._no_worker)

    async def _reported(self, reports: Sequence[StreamReport]) -> tuple[FlowState, str]:
        if not reports:
            return FlowState.NO_WORKER, self._no_worker
        if not await self._board.is_alive():
            return FlowState.STALE, "no worker has spoken lately"
        return FlowState.LIVE, ""

    def _imbalance(self, snapshot: FlowSnapshot, window_s: int) -> Imbalance | None:
        """None for a coin with nothing in the window."""
        window = next((one for one in snapshot.liquidations if one.window_s == window_s), None)
        if window is None or window.long_usd + window.short_usd <= 0:
            return None
        tier = self._config.tier(snapshot.symbol)
        return Imbalance(
            symbol=snapshot.symbol,
            tier=snapshot.tier,
            window=_judged(snapshot, window),
            ratio=(window.long_usd + window.short_usd) / tier.cascade_usd,
            price=snapshot.price,
            as_of_ms=snapshot.as_of_ms,
        )


def _judged(snapshot: FlowSnapshot, window: LiquidationWindow) -> WindowShare:
    whole = is_whole(snapshot, snapshot.covered_since_ms, window.window_s)
    return judge_liquidations(window, whole=whole)


def _cascades(fresh: Sequence[FlowSnapshot]) -> tuple[tuple[str, CascadeNow], ...]:
    found = [(one.symbol, one.cascade) for one in fresh if one.cascade is not None]
    return tuple(sorted(found, key=lambda item: (-item[1].usd, item[0])))
