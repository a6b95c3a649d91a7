"""Puts what the live use case gathers on the board: renders it, and leaves out what has not changed.

The `LiveSink` of `services.live_service`. Compares values before it renders: an age in a rendered row is
another one every time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from pydantic import BaseModel

from app.api import render_alerts, render_live
from app.api.deps import LiveUseCase
from app.api.live_board import LiveBoard
from app.api.live_hub import LiveHub
from app.api.options import ApiOptions
from app.core.domain.alerts import StoredAlert
from app.core.domain.context import DataMode
from app.core.domain.flow_answer import FlowTopAnswer, StreamStatusAnswer
from app.core.domain.live import LiveCard, LiveFault, LiveMarket, LiveQuote
from app.core.domain.stored import StoredSignal


class BoardSink:
    """Everything that is gathered, on one board."""

    def __init__(self, board: LiveBoard, *, data_mode: DataMode, now_ms: Callable[[], int]) -> None:
        """now_ms: market time."""
        self._board = board
        self._now_ms = now_ms
        self._data_mode = data_mode
        self._listed: frozenset[str] = frozenset()
        self._quotes: dict[str, LiveQuote | None] = {}
        self._top: tuple[object, ...] = ()
        self._alerts: dict[str, tuple[object, ...]] = {}
        self._signals: frozenset[str] = frozenset()
        self._faults: dict[str, LiveFault] = {}

    def coins(self, coins: Sequence[tuple[str, bool]]) -> None:
        listed = [{"symbol": coin, "on": is_on} for coin, is_on in coins]
        self._board.put("coins", json.dumps(listed, separators=(",", ":")))
        self._listed = frozenset(coin for coin, is_on in coins if is_on)
        for coin in self._board.coins("cards") - self._listed:
            self._board.drop_coin("cards", coin)

    def quotes(self, quotes: Mapping[str, LiveQuote | None]) -> None:
        for coin, found in quotes.items():
            if coin not in self._quotes or self._quotes[coin] != found:
                text = "null" if found is None else _json(render_live.quote(found))
                self._board.put_coin("quotes", coin, text)
        for coin in self._board.coins("quotes") - quotes.keys():
            self._board.drop_coin("quotes", coin)
        self._quotes = dict(quotes)

    def card(self, card: LiveCard) -> None:
        if card.symbol in self._listed:
            self._board.put_coin("cards", card.symbol, _json(render_live.card(card)))

    def market(self, market: LiveMarket) -> None:
        self._board.put("market", _json(render_live.market(market)))

    def top(self, answer: FlowTopAnswer) -> None:
        found = (answer.items, answer.cascades)
        if found != self._top:
            self._top = found
            self._board.put("top", _list(render_live.imbalances(answer, data_mode=self._data_mode)))
            self._board.put("cascades", _list(render_live.cascades(answer)))

    def alerts(self, rows: Sequence[StoredAlert]) -> None:
        known, self._alerts = self._alerts, {row.alert.id: _state(row) for row in rows}
        for row in reversed(rows):
            alert = row.alert
            if known.get(alert.id) != self._alerts[alert.id]:
                text = _json(render_alerts.item(row, self._now_ms()))
                self._board.put_newest("alerts", alert.id, (alert.ts_event_ms, alert.id), text)

    def signals(self, rows: Sequence[StoredSignal]) -> None:
        known, self._signals = self._signals, frozenset(row.id for row in rows)
        for row in reversed(rows):
            if row.id not in known:
                text = _json(render_live.stored_signal(row))
                self._board.put_newest("signals", row.id, (row.as_of_ms, row.id), text)

    def stream(self, answer: StreamStatusAnswer) -> None:
        self._board.put("stream", _json(render_live.stream(answer)))

    def fault(self, what: str, fault: LiveFault | None) -> None:
        if fault is None:
            self._faults.pop(what, None)
        else:
            self._faults[what] = fault
        told = (f"{json.dumps(name)}:{_json(render_live.error(one))}" for name, one in self._faults.items())
        self._board.put("errors", f"{{{','.join(told)}}}")


@asynccontextmanager
async def feeding(
    hub: LiveHub, use_case: LiveUseCase, options: ApiOptions, now_ms: Callable[[], int]
) -> AsyncIterator[None]:
    """Gather and let out while entered; at the end every client is ended."""
    sink = BoardSink(hub.board, data_mode=options.data_mode, now_ms=now_ms)
    tasks = [asyncio.create_task(hub.run()), asyncio.create_task(use_case.run(sink))]
    try:
        yield
    finally:
        hub.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _state(row: StoredAlert) -> tuple[object, ...]:
    return row.alert.revision, row.alert.is_final, row.drop_reason


def _json(model: BaseModel) -> str:
    """Without its age: on the board it would stand still. Readers count from `asOf`."""
    return model.model_dump_json(by_alias=True, exclude={"age_s"})


def _list(models: Iterable[BaseModel]) -> str:
    return f"[{','.join(map(_json, models))}]"
