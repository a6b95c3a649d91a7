"""BENCH stream: full analysis of every liquidation, from the bytes of the frame to the gate, on one core.

Measures throughput by number of coins, against decoding alone, and what windows and ids cost in time and
memory. Times are CPU seconds of this one thread: other work on a shared machine does not count. How long an
alert takes to its sender is measured elsewhere, with the pipeline around it.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from app.core.alerting.desk import AlertDesk
from app.core.domain.alerts import ChatSettings
from app.core.domain.flow import StreamFrame
from app.core.domain.flow_config import FlowConfig
from app.core.domain.stored import LiquidationRow
from app.core.flow.engine import FlowEngine
from app.core.flow.identify import MAX_IDS, Identifier
from app.services.coinglass import stream_wire
from app.services.coinglass.stream_parse import parse_frame
from bench import alert_latency
from bench.liquidation_frames import PER_FRAME, START_MS, Frame, frames, hours_before
from bench.report import Figure

COIN_COUNTS = (1, 50, 500)
RATIO_COINS = 50
WARM_UP, MEASURED, RUNS = 60, 200, 5
DAY_MS = 86_400_000


def run() -> list[Figure]:
    """Throughput first: it wants the machine quiet and the heap small."""
    spent: dict[int, list[Spent]] = {coins: [] for coins in COIN_COUNTS}
    for _ in range(RUNS):
        for coins, runs in spent.items():
            runs.append(throughput(coins, frames(coins, WARM_UP + MEASURED)))
    figures = [_rate_figure(coins, min(runs, key=_analysis_s)) for coins, runs in spent.items()]
    rates = [figure.value for figure in figures]
    spread = Figure(
        "stream", "events_spread", max(rates) / min(rates), "x", "most / least of these; aim <= 2"
    )
    return [
        *figures,
        spread,
        _ratio_figure(spent),
        window_growth(),
        sparse(),
        bytes_per_event(),
        bytes_per_id(),
        *alert_latency.run(),
    ]


def _ratio_figure(spent: dict[int, list[Spent]]) -> Figure:
    """Median of the runs; the value is that of the middle number of coins, the context has all."""
    ratios = {coins: median(run.decode_s / run.analysis_s for run in runs) for coins, runs in spent.items()}
    rate = max(run.decode_rate for run in spent[RATIO_COINS])
    each = ", ".join(f"{ratio:.4f} at {coins}" for coins, ratio in ratios.items())
    context = f"{RATIO_COINS} coins ({each}); decoding alone {rate:,.0f}/s; aim >= 0.06"
    return Figure("stream", "vs_decode", ratios[RATIO_COINS], "x", context)


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds for the same events: whole analysis, and decoding alone, taken in turns."""

    events: int
    findings: int
    alerts: int
    analysis_s: float
    decode_s: float

    @property
    def decode_rate(self) -> float:
        return self.events / self.decode_s


def _analysis_s(spent: Spent) -> float:
    return spent.analysis_s


def throughput(coins: int, made: Sequence[Frame]) -> Spent:
    """Analyse every frame; after each also decode it once more, alone, for comparison."""
    analyse, engine, desk = _pipeline(coins)
    for frame in made[:WARM_UP]:
        analyse(frame)
    before = engine.counters()["findings"]
    decode, clock = stream_wire.FRAME.decode, time.process_time
    analysis_s = decode_s = 0.0
    # The frames and the past made up for this bench are not the service's: the collector is not to walk them.
    gc.collect()
    gc.freeze()
    for frame in made[WARM_UP:]:
        begin = clock()
        analyse(frame)
        middle = clock()
        decode(frame.raw)
        decode_s += clock() - middle
        analysis_s += middle - begin
    gc.unfreeze()
    events = (len(made) - WARM_UP) * PER_FRAME
    found = engine.counters()["findings"] - before
    return Spent(events, found, desk.counters().get("kept", 0), analysis_s, decode_s)


def _pipeline(coins: int) -> tuple[Callable[[Frame], None], FlowEngine, AlertDesk]:
    config = FlowConfig()
    identifier, engine = Identifier(), FlowEngine(config)
    chats = (ChatSettings("telegram:1"),)
    engine.restore(hours_before(coins), START_MS)
    desk = AlertDesk(tier_of=config.tier_of, data_mode="live", chats=lambda: chats)

    def analyse(frame: Frame) -> None:
        rows = identifier.identify(parse_frame(frame.raw, frame.ts_init_ms))
        found = engine.on_liquidations(rows, frame.ts_init_ms)
        desk.consider(found, now_ms=frame.ts_init_ms)
        desk.consider(engine.advance(frame.ts_init_ms), now_ms=frame.ts_init_ms)

    return analyse, engine, desk


def _rate_figure(coins: int, spent: Spent) -> Figure:
    context = (
        f"{spent.events:,} events of {coins} coins in frames of {PER_FRAME}, bytes to gate, every event;"
        f" {spent.findings} findings, {spent.alerts} alerts; aim >= 120,000"
    )
    return Figure("stream", f"events_per_s_{coins}", spent.events / spent.analysis_s, "1/s", context)


def window_growth() -> Figure:
    """One coin with 1,000 or 100,000 events of the last day behind it; then the same events for both."""
    costs = {size: float("inf") for size in (1_000, 100_000)}
    for _ in range(5):
        for size in costs:
            costs[size] = min(costs[size], _probe_s(size, probes=4_000, every_ms=864))
    small_us, large_us = costs[1_000] * 1e6, costs[100_000] * 1e6
    context = f"{small_us:.2f} us with 1,000 events behind, {large_us:.2f} with 100,000; aim <= 1.2"
    return Figure("stream", "window_growth", costs[100_000] / costs[1_000], "x", context)


def _probe_s(behind: int, *, probes: int, every_ms: int) -> float:
    """Seconds per event of windows and detectors with `behind` events of the last 24 h there already."""
    engine = FlowEngine(FlowConfig())
    engine.restore(_rows("BTC", behind, START_MS - DAY_MS, DAY_MS // behind), START_MS)
    coming = _rows("BTC", probes, START_MS, every_ms)
    gc.collect()
    begin = time.process_time()
    for row in coming:
        engine.on_liquidations((row,), row.ts_init_ms)
    return (time.process_time() - begin) / probes


def sparse() -> Figure:
    """500 coins with 100 events each in the last day; every new event opens a new second and a new minute."""
    best = float("inf")
    coins = [f"C{k}" for k in range(500)]
    for _ in range(5):
        engine = FlowEngine(FlowConfig())
        engine.restore(
            [row for coin in coins for row in _rows(coin, 100, START_MS - DAY_MS, DAY_MS // 100)], START_MS
        )
        rounds = [[_rows(coin, 1, START_MS + k * 100_000, 1)[0] for coin in coins] for k in range(1, 6)]
        begin = time.process_time()
        for rows in rounds:
            engine.on_liquidations(rows, rows[0].ts_init_ms)
        best = min(best, (time.process_time() - begin) / (len(coins) * len(rounds)))
    return Figure(
        "stream", "sparse_us", best * 1e6, "us", "windows and detectors, 100 events behind; aim <= 10"
    )


def bytes_per_event() -> Figure:
    """Memory of everything an engine holds over its events: one a minute for a day, one a second."""
    even = _engine_bytes(coins=50, per_coin=1_400, every_ms=61_000)
    dense = _engine_bytes(coins=50, per_coin=1_400, every_ms=1_000)
    context = f"1,400 events of a coin: one a minute {even:.1f}, one a second {dense:.1f}; aim <= 60"
    return Figure("stream", "bytes_per_event", max(even, dense), "B", context)


def _engine_bytes(*, coins: int, per_coin: int, every_ms: int) -> float:
    rows = [row for k in range(coins) for row in _rows(f"C{k}", per_coin, START_MS, every_ms)]
    rows.sort(key=lambda row: row.ts_event_ms)
    tracemalloc.start()
    engine = FlowEngine(FlowConfig())
    for row in rows:
        engine.on_liquidations((row,), row.ts_init_ms)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / (coins * per_coin)


def bytes_per_id() -> Figure:
    """Memory of an identifier with both generations full, over the ids it remembers."""
    made = [parse_frame(frame.raw, frame.ts_init_ms) for frame in frames(50, 2 * MAX_IDS // PER_FRAME)]
    tracemalloc.start()
    identifier = Identifier()
    for frame in made:
        identifier.identify(_within_minutes(frame))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    remembered = identifier.remembered
    context = f"{remembered:,} ids remembered, two generations full; aim <= 80"
    return Figure("stream", "bytes_per_id", size / remembered, "B", context)


def _within_minutes(frame: StreamFrame) -> StreamFrame:
    """The frame with its times a tenth apart, so that generations end because they are full."""
    events = tuple(
        event._replace(ts_event_ms=START_MS + (event.ts_event_ms - START_MS) // 10)
        for event in frame.liquidations
    )
    return StreamFrame(frame.source, frame.ts_init_ms, liquidations=events)


def _rows(coin: str, count: int, from_ms: int, every_ms: int) -> list[LiquidationRow]:
    """Evenly spread small events, sides in turn."""
    return [
        LiquidationRow(
            coin,
            from_ms + k * every_ms,
            k,
            "coinglass",
            "Binance",
            f"{coin}USDT",
            "LONG" if k % 2 else "SHORT",
            100.0 + k % 7,
            50.0 + k % 11,
            None,
            1844,
            from_ms + k * every_ms + 200,
        )
        for k in range(count)
    ]
