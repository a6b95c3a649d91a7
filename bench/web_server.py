"""The service of BENCH web, as a process of its own: the real application, and a market that never rests.

Every sixtieth of a second the live board gets new quotes, through the same board and hub as ever; the rest is
the demo's. Prints `ready` when it serves. Environment as of the service, `WEB_QUOTES` coins change each time.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from contextlib import ExitStack

from app.api.live_hub import LiveHub
from app.api.numbers import iso_utc
from app.bootstrap import build
from app.bootstrap_base import settle_memory
from app.core.clock import SystemClock
from app.data_modes import prepare
from app.settings import load_settings
from app.web_server import web_server

UPDATES_PER_S = 60


async def _never_rest(hub: LiveHub, coins: tuple[str, ...], each_time: int) -> None:
    """New quotes sixty times a second, each coin in its turn."""
    loop, clock = asyncio.get_running_loop(), SystemClock()
    turns = itertools.cycle(coins)
    due_s = loop.time()
    for number in itertools.count():
        for coin in itertools.islice(turns, each_time):
            hub.board.put_coin("quotes", coin, _quote(coin, number, clock.now_ms()))
        due_s += 1 / UPDATES_PER_S
        await asyncio.sleep(max(0.0, due_s - loop.time()))


def _quote(coin: str, number: int, now_ms: int) -> str:
    """A quote as the feed spells it; the price is another one every time."""
    at = iso_utc(now_ms)
    window = {"longUsd": 1e6 + number * 10, "shortUsd": 2e6 + number * 7, "whole": True}
    flow: dict[str, object] = {
        "buyUsd": 1e5 + number,
        "sellUsd": 9e4 + number,
        "buyShareFrac": 0.52,
        "trades": 40,
    }
    flow |= {"largeBuys": 2, "largeSells": 1, "verdict": None, "whyNone": "no side has 65 %"}
    quote = {
        "symbol": coin,
        "priceUsd": 100 + number % 1000 / 10,
        "priceAsOf": at,
        "priceSource": "coinglass",
    }
    quote |= {"exchange": "Binance", "liq1h": window, "liq24h": window, "flow5m": flow, "cascade": None}
    return json.dumps(quote | {"asOf": at})


async def _serve(stack: ExitStack) -> None:
    clock, settings = prepare(load_settings(), stack)
    application = build(settings, clock=clock)
    settle_memory()
    server = web_server(
        application.api,
        close_listeners=application.live.close,
        admission=application.admission,
        refusals=application.refusals,
    )
    server.config.host, server.config.port = settings.host, settings.port
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    await application.providers_started.wait()
    busy = asyncio.create_task(
        _never_rest(application.live, settings.symbols, int(os.environ.get("WEB_QUOTES", "5")))
    )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await serving
    busy.cancel()


if __name__ == "__main__":
    with ExitStack() as opened:
        asyncio.run(_serve(opened))
