"""OKX public and business WebSockets, simulated: subscribe with acknowledgement, channel rows, error codes.

Public: tickers, trades, liquidation-orders, funding-rate, open-interest. Business: candles. `ping` and `pong`
are bare words; a connection without any frame for 30 s is closed with 4004.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from app.sim.market import Coin, LiquidationEvent, MarketSource
from app.sim.okx_market import candle_bars, candle_columns, candle_template, ticker_row
from app.sim.okx_public import funding_row, open_interest_row
from app.sim.okx_wire import BARS, EXCHANGE, base_of, contracts, inst_id_of, liquidation_detail
from app.sim.state import SimState
from app.sim.streams import Connection, run_both
from app.sim.wire import format_rows, plain

_PUBLIC = frozenset({"tickers", "trades", "liquidation-orders", "funding-rate", "open-interest"})
_BUSINESS = frozenset(f"candle{bar}" for bar in BARS)
_IDLE_S = 30.0
# Market time between two pushes of a channel that repeats its state.
_EVERY_MS = {"tickers": 100, "funding-rate": 60_000, "open-interest": 3000}
_CANDLE_EVERY_MS = 1000

_Error = tuple[str, str]


@dataclass(slots=True)
class _Session:
    """Subscriptions of one connection: canonical argument text -> argument."""

    conn_id: str = field(default_factory=lambda: secrets.token_hex(4))
    args: dict[str, dict[str, str]] = field(default_factory=dict)
    pushed_ms: dict[str, int] = field(default_factory=dict)
    last_rows: dict[str, str] = field(default_factory=dict)
    last_frame_s: float = field(default_factory=time.monotonic)


class OkxStream:
    """`/okx/ws/v5/public` or `/okx/ws/v5/business`."""

    def __init__(self, state: SimState, *, kind: str) -> None:
        self._state = state
        self._kind = kind

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = f"ws_{self._kind}"
        connection = Connection(receive, send, state=self._state, provider="okx", endpoint=name)
        entry = self._state.log_call(provider="okx", endpoint=name, path=f"/ws/v5/{self._kind}", params={})
        if not await connection.open(is_allowed=True):
            entry["status"] = 403
            return
        entry["status"] = 101
        session = _Session()
        await run_both(
            asyncio.create_task(self._read(connection, session)),
            asyncio.create_task(self._pump(connection, session)),
        )

    async def _read(self, connection: Connection, session: _Session) -> None:
        while (text := await connection.read()) is not None:
            session.last_frame_s = time.monotonic()
            if text == "ping":
                await connection.reply("pong")
                continue
            for answer in self._answer(text, session):
                await connection.reply(json.dumps(answer, separators=(",", ":")))

    def _answer(self, text: str, session: _Session) -> list[dict[str, Any]]:
        try:
            sent = json.loads(text)
        except ValueError:
            return [_error("60012", f"Invalid request: {text[:100]}", session)]
        if not isinstance(sent, dict) or sent.get("op") not in ("subscribe", "unsubscribe"):
            return [_error("60012", "Invalid request", session)]
        args = sent.get("args")
        if not isinstance(args, list) or not args or not all(isinstance(a, dict) for a in args):
            return [_error("60013", "Invalid args", session, sent.get("id"))]
        return [self._apply(sent, arg, session) for arg in args]

    def _apply(self, sent: dict[str, Any], arg: dict[str, str], session: _Session) -> dict[str, Any]:
        failed = self._check(arg)
        if failed is not None:
            return _error(*failed, session, sent.get("id"))
        key = json.dumps(arg, sort_keys=True)
        if sent["op"] == "subscribe":
            session.args[key] = arg
        else:
            for known in (session.args, session.pushed_ms, session.last_rows):
                known.pop(key, None)
        answer = {"event": sent["op"], "arg": arg, "connId": session.conn_id}
        return answer | {"id": sent["id"]} if "id" in sent else answer

    def _check(self, arg: dict[str, str]) -> _Error | None:
        channel = str(arg.get("channel"))
        if self._kind == "public" and channel in _BUSINESS:
            return "64001", "This channel has been migrated to the '/business' URL."
        if self._kind == "business" and channel in _PUBLIC:
            return "64002", "This channel is not supported by the '/business' URL."
        if channel not in _PUBLIC | _BUSINESS:
            return "60018", "Wrong URL or channel doesn't exist"
        if channel == "liquidation-orders":
            return None if arg.get("instType") == "SWAP" else ("60018", "Wrong instType")
        if base_of(self._state.market, str(arg.get("instId"))) is None:
            return "60018", "Wrong URL or instId doesn't exist"
        return None

    async def _pump(self, connection: Connection, session: _Session) -> None:
        while time.monotonic() - session.last_frame_s < _IDLE_S:
            market = connection.market()
            start_ms, end_ms = connection.advance(market.now_ms(), is_subscribed=bool(session.args))
            for key, arg in tuple(session.args.items()):
                rows = self._rows(market, session, key, arg, start_ms, end_ms)
                if rows is not None and rows != "[]":
                    frame = f'{{"arg":{json.dumps(arg, separators=(",", ":"))},"data":{rows}}}'
                    await connection.push(frame)
                    session.last_frame_s = time.monotonic()
            await connection.tick()
        await connection.close(4004)

    def _rows(
        self,
        market: MarketSource,
        session: _Session,
        key: str,
        arg: dict[str, str],
        start_ms: int,
        end_ms: int,
    ) -> str | None:
        """The encoded `data` list to push now, or None."""
        channel = arg["channel"]
        if channel == "liquidation-orders":
            return _dumps(_groups(market, market.liquidation_events(start_ms, end_ms)))
        coin = base_of(market, arg["instId"])
        if coin is None:
            return None
        if channel == "trades":
            return _dumps(_trades(market, coin, start_ms, end_ms))
        every_ms = _EVERY_MS.get(channel, _CANDLE_EVERY_MS)
        if 0 <= end_ms - session.pushed_ms.get(key, end_ms - every_ms) < every_ms:
            return None
        session.pushed_ms[key] = end_ms
        if channel in _BUSINESS:
            return _candle(market, coin, channel.removeprefix("candle"), end_ms)
        row = _STATE_ROWS[channel](market, coin, end_ms)
        rows = _dumps([row] if row else [])
        # Tickers are pushed on change only.
        if channel == "tickers" and session.last_rows.get(key) == rows:
            return None
        session.last_rows[key] = rows
        return rows


_STATE_ROWS: dict[str, Callable[[MarketSource, Coin, int], dict[str, Any] | None]] = {
    "tickers": ticker_row,
    "funding-rate": funding_row,
    "open-interest": open_interest_row,
}


def _dumps(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, separators=(",", ":"))


def _error(code: str, message: str, session: _Session, request_id: object = None) -> dict[str, Any]:
    answer: dict[str, Any] = {"event": "error", "code": code, "msg": message, "connId": session.conn_id}
    return answer if request_id is None else {"id": request_id, **answer}


def _groups(market: MarketSource, events: list[LiquidationEvent]) -> list[dict[str, Any]]:
    """One group per instrument, orders in `details`."""
    coins = {coin.base: coin for coin in market.coins()}
    details: dict[str, list[dict[str, str]]] = {}
    for event in events:
        if event.exchange == EXCHANGE and event.base in coins:
            row = liquidation_detail(event, coins[event.base])
            details.setdefault(event.base, []).append(row)
    return [_group(coins[base], rows) for base, rows in details.items()]


def _group(coin: Coin, rows: list[dict[str, str]]) -> dict[str, Any]:
    family = f"{coin.base}-USDT"
    return {
        "instId": inst_id_of(coin),
        "instFamily": family,
        "instType": "SWAP",
        "uly": family,
        "details": rows,
    }


def _trades(market: MarketSource, coin: Coin, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "instId": inst_id_of(coin),
            "tradeId": str(event.ts_ms * 1000 + at),
            "px": plain(event.price_usd),
            "sz": plain(contracts(coin, event.usd / event.price_usd), 8),
            "side": event.taker,
            "ts": str(event.ts_ms),
        }
        for at, event in enumerate(market.trade_events(coin.base, start_ms, end_ms))
        if event.exchange == EXCHANGE
    ]


def _candle(market: MarketSource, coin: Coin, bar: str, now_ms: int) -> str:
    """The forming bar; the bar before it once more when it has just closed (confirm "1")."""
    interval_ms = BARS[bar][0]
    bars = candle_bars(market, coin, bar, now_ms - 2 * interval_ms, now_ms + 1)
    is_new = now_ms % interval_ms < 2 * _CANDLE_EVERY_MS
    newest = slice(-2 if is_new else -1, None)
    columns = [column[newest] for column in candle_columns(coin, bars)]
    return format_rows(candle_template(coin), *columns).decode()
