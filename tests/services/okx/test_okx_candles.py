"""Candles of any bar size: two pages on the grid, closed bars only, and how long they stay fresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.domain.market import INTERVAL_MS, Candles
from app.core.domain.quality import CacheState
from app.core.domain.symbol import Symbol
from app.core.domain.views import View, ViewQuery
from app.core.errors import ProviderNoData
from app.core.ports import Fetched
from app.services.okx.provider import OkxProvider

SPELLED = {"1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "4h": "4H", "1d": "1Dutc"}
LENGTH_MS = {spelled: INTERVAL_MS[name] for name, spelled in SPELLED.items()}


def answer_bars(okx: Any, clock: ManualClock, *, newest_back: int = 0) -> None:
    """OKX answers bars of the size asked for; `newest_back` leaves out the newest closed ones."""

    def respond(params: dict[str, str]) -> Any:
        length = LENGTH_MS[params["bar"]]
        until = min(int(params["after"]) - 1, clock.now_ms() - newest_back * length)
        newest = until // length * length
        rows = []
        for ts in range(newest, newest - int(params["limit"]) * length, -length):
            price = 100 + ts // length % 50
            confirm = "1" if ts + length <= clock.now_ms() else "0"
            rows.append(
                [
                    str(ts),
                    f"{price}",
                    f"{price + 2}",
                    f"{price - 1}",
                    f"{price + 1}",
                    "500",
                    "5",
                    "55",
                    confirm,
                ]
            )
        return okx_ok(rows)

    okx.override["candles"] = respond


def okx_ok(rows: list[object]) -> Any:
    import httpx2

    return httpx2.Response(200, json={"code": "0", "msg": "", "data": rows})


async def fetch(provider: OkxProvider, interval: str) -> Fetched[Any]:
    source = next(one for one in provider.views() if one.view is View.CANDLES)
    return await source.fetch(ViewQuery(symbol=Symbol("BTC"), interval=interval))


@pytest.mark.parametrize("interval", SPELLED)
async def test_bars_are_closed_in_order_and_without_holes(
    interval: str, build: Callable[..., OkxProvider], okx: Any, clock: ManualClock
) -> None:
    answer_bars(okx, clock)
    found = await fetch(build(), interval)
    candles, length = found.value, INTERVAL_MS[interval]
    assert isinstance(candles, Candles)
    assert candles.interval_ms == length
    assert candles.close_ms[-1] == clock.now_ms() // length * length
    steps = {b - a for a, b in zip(candles.close_ms, candles.close_ms[1:], strict=False)}
    assert steps == {length}
    assert len(candles.close_ms) == 500
    assert all(
        low <= close <= high
        for low, close, high in zip(candles.low, candles.close, candles.high, strict=True)
    )
    assert {params["bar"] for name, params in okx.params if name == "candles"} == {SPELLED[interval]}


async def test_the_hour_is_the_engines_own_history(
    build: Callable[..., OkxProvider], okx: Any, clock: ManualClock
) -> None:
    provider = build()
    first = await fetch(provider, "1h")
    asked = okx.calls["candles"]
    again = await provider.fetch_candles(Symbol("BTC"))
    assert first.value == again.value
    assert okx.calls["candles"] == asked


async def test_a_page_that_is_over_is_kept_and_the_newest_lives_until_its_next_bar(
    build: Callable[..., OkxProvider], okx: Any, clock: ManualClock
) -> None:
    answer_bars(okx, clock)
    provider = build()
    await fetch(provider, "5m")
    asked = okx.calls["candles"]
    assert (await fetch(provider, "5m")).cache is CacheState.HIT
    clock.set(clock.now_ms() + 300_000)
    later = await fetch(provider, "5m")
    assert okx.calls["candles"] == asked + 1
    assert later.value.close_ms[-1] == clock.now_ms() // 300_000 * 300_000


async def test_a_market_that_has_stopped_is_no_data(
    build: Callable[..., OkxProvider], okx: Any, clock: ManualClock
) -> None:
    answer_bars(okx, clock, newest_back=8)
    with pytest.raises(ProviderNoData, match="frozen"):
        await fetch(build(), "15m")


async def test_a_bar_size_okx_does_not_have_is_no_data(build: Callable[..., OkxProvider]) -> None:
    with pytest.raises(ProviderNoData, match="no candles of 8h"):
        await fetch(build(), "8h")
