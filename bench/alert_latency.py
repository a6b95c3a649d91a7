"""How long an alert takes: from the frame that crosses a threshold to the sender, under a steady load.

Real time, real SQLite, the real pipeline and delivery; only the socket is missing: frames come as bytes on a
schedule, and a frame counts from when it was due, so that whatever holds up the loop counts too.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import msgspec

from app.core.alerting.desk import AlertDesk
from app.core.clock import SystemClock
from app.core.domain.alerts import ChatSettings, Delivery
from app.core.domain.flow import StreamFrame
from app.core.domain.flow_config import FlowConfig
from app.core.flow.engine import FlowEngine
from app.core.flow.identify import Identifier
from app.core.stream_ports import Message
from app.services.chat_book import ChatBook
from app.services.coinglass.stream_parse import parse_frame
from app.services.storage.store import SqlStore
from app.services.streaming.chat_addresses import ChatAddresses
from app.services.streaming.delivery import DeliveryOptions, DeliveryService
from app.services.streaming.keeper import AlertKeeper
from app.services.streaming.outcome_tracker import OutcomeTracker
from app.services.streaming.pipeline import Pipeline, PipelineParts
from app.services.watchlist import Watchlist
from bench.report import Figure

EVENTS_PER_S = 5_000
FRAME_S = 0.02
COINS = 500
SECONDS = 20.0
# A cascade every so many frames, each in a coin that had none: 10 alerts a second.
CASCADE_EVERY = 5
ONE_COIN_PER_S = 20_000
STORM_COINS = 100
HOOK, PERSON = "webhook", "telegram:-1"


def run() -> list[Figure]:
    """p99 under steady load, under a storm of one coin, and the storm over a hundred coins."""
    steady = asyncio.run(_measure(events_per_s=EVENTS_PER_S, is_one_coin=False))
    one_coin = asyncio.run(_measure(events_per_s=ONE_COIN_PER_S, is_one_coin=True))
    digest = asyncio.run(_storm_ms())
    load = f"{EVENTS_PER_S:,} events/s of {COINS} coins, SQLite, {len(steady)} alerts"
    storm = f"other coins while one has {ONE_COIN_PER_S:,} events/s, {len(one_coin)} alerts"
    return [
        Figure("stream", "alert_p50_ms", _share(steady, 0.5), "ms", load),
        Figure("stream", "alert_p99_ms", _share(steady, 0.99), "ms", f"{load}; aim <= 20"),
        Figure("stream", "alert_one_coin_p99_ms", _share(one_coin, 0.99), "ms", storm),
        Figure(
            "stream",
            "alert_digest_ms",
            digest,
            "ms",
            f"{STORM_COINS} coins cross in one frame: until the one digest of a chat is handed over",
        ),
    ]


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


@dataclass
class RecordingSender:
    """Notes when it was given the first message about each coin, and of each chat."""

    scheme: str
    at_s: dict[str, float] = field(default_factory=dict)
    is_called: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, chat: str, delivery: Delivery, message: Message) -> str:
        self.at_s.setdefault(_symbol(delivery), time.perf_counter())
        self.is_called.set()
        return "1"

    async def edit(self, chat: str, delivery: Delivery, message: Message) -> None:
        return None


class _Named(msgspec.Struct):
    symbol: str


_symbol_of = msgspec.json.Decoder(_Named)


def _symbol(delivery: Delivery) -> str:
    return _symbol_of.decode(delivery.body).symbol


@dataclass
class Worker:
    """Pipeline and delivery over one store, with two destinations."""

    pipeline: Pipeline
    hook: RecordingSender
    person: RecordingSender


@asynccontextmanager
async def worker(folder: str) -> AsyncIterator[Worker]:
    clock, config = SystemClock(), FlowConfig()
    url = f"sqlite:///{Path(folder) / 'bench.db'}"
    store = SqlStore(url, data_mode="demo", now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    store.start()
    await store.opened()
    chats = [ChatSettings(HOOK, hourly_cap=None), ChatSettings(PERSON, hourly_cap=None)]
    hook, person = RecordingSender(HOOK), RecordingSender("telegram")
    delivery = DeliveryService(
        store.alerts,
        {HOOK: hook, "telegram": person},
        chats=ChatBook(
            defaults=chats, watchlist=Watchlist(configured=(), store=store.state), store=store.state
        ),
        addresses=ChatAddresses(store.state),
        clock=clock,
        options=DeliveryOptions(owner="bench", data_mode="demo"),
    )
    keeper = AlertKeeper(store.alerts, on_stored=delivery.wake, clock=clock)
    parts = PipelineParts(
        engine=FlowEngine(config),
        identifier=Identifier(),
        desk=AlertDesk(tier_of=config.tier_of, data_mode="demo", chats=lambda: chats),
        keeper=keeper,
        market=store.market,
        gaps=store.alerts,
        outcomes=OutcomeTracker(
            store=store.outcomes, candles=_no_candles, clock=clock, tier_of=config.tier_of, atr_of=_no_atr
        ),
    )
    loops = [asyncio.create_task(delivery.run()), asyncio.create_task(keeper.run())]
    try:
        yield Worker(Pipeline(parts, clock=clock), hook, person)
    finally:
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await store.close()


async def _no_candles(_symbol: object, _interval: str) -> None:
    return None


def _no_atr(_symbol: str) -> None:
    return None


async def _measure(*, events_per_s: int, is_one_coin: bool) -> list[float]:
    """Milliseconds of each alert's way."""
    with TemporaryDirectory(prefix="bench-alerts-") as folder:
        async with worker(folder) as at:
            gc.collect()
            gc.freeze()
            ticking = asyncio.create_task(_tick(at.pipeline))
            due_s = await _load(at.pipeline, events_per_s=events_per_s, is_one_coin=is_one_coin)
            await asyncio.sleep(1.5)
            ticking.cancel()
            gc.unfreeze()
    missing = [coin for coin in due_s if coin not in at.hook.at_s]
    if missing:
        raise RuntimeError(f"{len(missing)} alerts never reached the sender")
    return [1000 * (at.hook.at_s[coin] - due_s[coin]) for coin in due_s]


async def _storm_ms() -> float:
    """Of the digest that tells a chat of a hundred coins at once; median of five storms."""
    took_ms = []
    for _ in range(5):
        with TemporaryDirectory(prefix="bench-alerts-") as folder:
            async with worker(folder) as at:
                begin_s = time.perf_counter()
                await at.pipeline.handle(_frame(_storm()))
                await at.person.is_called.wait()
                took_ms.append(1000 * (min(at.person.at_s.values()) - begin_s))
    return median(took_ms)


async def _tick(pipeline: Pipeline) -> None:
    while True:
        await asyncio.sleep(0.25)
        await pipeline.tick()


async def _load(pipeline: Pipeline, *, events_per_s: int, is_one_coin: bool) -> dict[str, float]:
    """Frames on a schedule; by coin when the frame was due that took it over its threshold."""
    due_s: dict[str, float] = {}
    quiet = _one_coin() if is_one_coin else _quiet()
    per_frame = round(events_per_s * FRAME_S)
    begin_s = time.perf_counter() + 0.5
    for number in range(round(SECONDS / FRAME_S)):
        events = list(itertools.islice(quiet, per_frame))
        if number % CASCADE_EVERY == 0:
            events += _cascade(f"A{number}")
            due_s[f"A{number}"] = begin_s + number * FRAME_S
        frame_s = begin_s + number * FRAME_S
        await asyncio.sleep(max(0.0, frame_s - time.perf_counter()))
        await pipeline.handle(_frame(events))
    return due_s


Event = dict[str, object]


def _event(coin: str, usd: float, side: int, number: int) -> Event:
    return {
        "baseAsset": coin,
        "exName": "Binance",
        "price": 100.0 + number % 997 / 10,
        "side": side,
        "symbol": f"{coin}USDT",
        "volUsd": usd,
    }


def _quiet() -> Iterator[Event]:
    """Small events of many coins, both sides in turn, well below every threshold."""
    for number in itertools.count():
        yield _event(f"C{number % COINS}", 5.0 + number % 13, 1 + number % 2, number)


def _one_coin() -> Iterator[Event]:
    """One coin of the first tier in a cascade that never ends."""
    for number in itertools.count():
        yield _event("BTC", 900.0 + number % 13, 1, number)


def _cascade(coin: str) -> list[Event]:
    return [_event(coin, 60_000.0, 1, number) for number in range(3)]


def _storm() -> list[Event]:
    return [_event(f"S{k}", 3_000_000.0, 2, n) for k in range(STORM_COINS) for n in range(3)]


def _frame(events: Sequence[Event]) -> StreamFrame:
    """As the socket's reader does it: bytes in, a decoded frame out."""
    now_ms = time.time_ns() // 1_000_000
    rows = [event | {"time": now_ms - 200} for event in events]
    raw = msgspec.json.encode({"channel": "liquidationOrders", "data": rows})
    return parse_frame(raw, now_ms)


if __name__ == "__main__":
    for figure in run():
        print(figure.line())
