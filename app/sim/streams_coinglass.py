"""CoinGlass WebSocket, simulated: liquidations of every coin and exchange, large trades and prices of a pair.

Both spellings of channel and fields; `ping` and `pong` are bare words; no acknowledgements. Needs a key in
the query and the standard plan. Side codes: liquidations 1 long, 2 short; trades 1 sell, 2 buy.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from app.sim.coinglass_plans import Gate, is_in_plan
from app.sim.listings import Listing, find_pair, list_on
from app.sim.market import Coin, LiquidationEvent, MarketSource, TradeEvent
from app.sim.state import SimState
from app.sim.streams import Connection, run_both
from app.sim.wire import BAD_KEY

_LIQUIDATIONS = frozenset({"liquidationOrders", "liquidation_orders"})
_TRADES = "futures_trades@"
_TICKER = "futures_ticker@"
_TICKER_EVERY_MS = 1000
_FRAME_EVENTS = 500
_LIQUIDATED_CODE = {"long": 1, "short": 2}
_TAKER_CODE = {"sell": 1, "buy": 2}


@dataclass(frozen=True, slots=True)
class _Spelling:
    """Field names of one generation of the stream."""

    base: str
    exchange: str
    usd: str


_OLD = _Spelling("baseAsset", "exName", "volUsd")
_NEW = _Spelling("base_asset", "exchange", "volume_usd")


class CoinglassStream:
    """`/coinglass/ws-api?cg-api-key=KEY`."""

    def __init__(self, state: SimState) -> None:
        self._state = state

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        params = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        key = params.get("cg-api-key", "")
        is_allowed = key not in ("", BAD_KEY) and is_in_plan(Gate.STANDARD, self._state.plan)
        connection = Connection(receive, send, state=self._state, provider="coinglass", endpoint="ws")
        entry = self._state.log_call(provider="coinglass", endpoint="ws", path="/ws-api", params={})
        if not await connection.open(is_allowed=is_allowed):
            entry["status"] = 403
            return
        entry["status"] = 101
        # Channel -> market time of its last ticker.
        channels: dict[str, int] = {}
        await run_both(
            asyncio.create_task(self._read(connection, channels)),
            asyncio.create_task(self._pump(connection, channels)),
        )

    async def _read(self, connection: Connection, channels: dict[str, int]) -> None:
        while (text := await connection.read()) is not None:
            if text == "ping":
                await connection.reply("pong")
                continue
            # Anything that is not a well-formed request is ignored, as the real stream does.
            for method, channel in _requests(text):
                if method == "subscribe":
                    channels[channel] = 0
                elif method == "unsubscribe":
                    channels.pop(channel, None)

    async def _pump(self, connection: Connection, channels: dict[str, int]) -> None:
        while True:
            market = connection.market()
            start_ms, end_ms = connection.advance(market.now_ms(), is_subscribed=bool(channels))
            if channels and start_ms < end_ms:
                for channel in tuple(channels):
                    await self._push(connection, market, channel, start_ms, end_ms)
                    if channel.startswith(_TICKER) and end_ms - channels.get(channel, 0) >= _TICKER_EVERY_MS:
                        channels[channel] = end_ms
                        await self._push_ticker(connection, market, channel)
            await connection.tick()

    async def _push(
        self, connection: Connection, market: MarketSource, channel: str, start_ms: int, end_ms: int
    ) -> None:
        if channel in _LIQUIDATIONS:
            rows = self._liquidations(market, channel, market.liquidation_events(start_ms, end_ms))
        elif channel.startswith(_TRADES):
            rows = self._trades(market, channel, start_ms, end_ms)
        else:
            return
        for at in range(0, len(rows), _FRAME_EVENTS):
            frame = {"channel": channel, "data": rows[at : at + _FRAME_EVENTS]}
            await connection.push(json.dumps(frame, separators=(",", ":")))

    async def _push_ticker(self, connection: Connection, market: MarketSource, channel: str) -> None:
        exchange, _, pair = channel.removeprefix(_TICKER).partition("_")
        listing = find_pair(market, exchange, pair)
        known = None if listing is None else market.last_price(listing.coin.base)
        if listing is not None and known is not None:
            row = _ticker_row(listing, *known)
            await connection.push(json.dumps({"channel": channel, "data": [row]}, separators=(",", ":")))

    def _liquidations(
        self, market: MarketSource, channel: str, events: Iterable[LiquidationEvent]
    ) -> list[dict[str, Any]]:
        spelling = _NEW if channel == "liquidation_orders" else _OLD
        coins = {coin.base: coin for coin in market.coins()}
        return [
            self._row(
                spelling,
                list_on(event.exchange, coins.get(event.base) or _unlisted(event.base)),
                event,
                _LIQUIDATED_CODE[event.liquidated],
            )
            for event in events
        ]

    def _trades(self, market: MarketSource, channel: str, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
        wanted = _parse_trades(market, channel)
        if wanted is None:
            return []
        listing, least_usd = wanted
        return [
            self._row(_OLD, listing, event, _TAKER_CODE[event.taker])
            for event in market.trade_events(listing.coin.base, start_ms, end_ms)
            if event.exchange == listing.exchange and event.usd >= least_usd
        ]

    def _row(
        self, spelling: _Spelling, listing: Listing, event: LiquidationEvent | TradeEvent, side: int
    ) -> dict[str, Any]:
        # A pair that counts coins by the thousand is priced per thousand.
        price, usd = float(f"{event.price_usd * listing.multiplier:.10g}"), round(event.usd, 4)
        is_text = self._state.config.ws_text_numbers
        return {
            spelling.base: listing.base_asset,
            spelling.exchange: event.exchange,
            "price": str(price) if is_text else price,
            "side": side,
            "symbol": listing.pair,
            "time": event.ts_ms,
            spelling.usd: str(usd) if is_text else usd,
        }


def _unlisted(base: str) -> Coin:
    """A coin that only a script knows: a stream carries every coin there is, this market a few dozen."""
    return Coin(base, base, 0, 1.0, 1, 8, 1e-8, 0.0)


def _ticker_row(listing: Listing, price: float, made_ms: int) -> dict[str, Any]:
    """The price part of a ticker; its date has no zone."""
    return {
        "exchange": listing.exchange,
        "symbol": listing.pair,
        "base_asset": listing.base_asset,
        "price": float(f"{price * listing.multiplier:.10g}"),
        "update_time": datetime.fromtimestamp(made_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }


def _requests(text: str) -> list[tuple[str, str]]:
    """(method, channel) pairs of one client frame; [] for anything malformed."""
    try:
        sent = json.loads(text)
    except ValueError:
        return []
    if not isinstance(sent, dict) or not isinstance(sent.get("channels"), list):
        return []
    return [(str(sent.get("method")), str(channel)) for channel in sent["channels"]]


def _parse_trades(market: MarketSource, channel: str) -> tuple[Listing, float] | None:
    """`futures_trades@Binance_BTCUSDT@10000` -> (listing, 10000)."""
    _, _, rest = channel.partition("@")
    pair, _, least = rest.rpartition("@")
    exchange, _, symbol = pair.partition("_")
    listing = find_pair(market, exchange, symbol)
    return (listing, float(least)) if listing and least.isdigit() else None
