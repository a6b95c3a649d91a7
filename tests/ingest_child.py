"""A process that ingests until it is killed, telling its parent what has been acknowledged."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from multiprocessing.connection import Connection

from app.core.domain.engine_config import EngineConfig
from app.core.domain.signal import Mode
from app.core.domain.stored import Trigger
from app.core.signal_engine import evaluate
from app.services.storage.store import SqlStore
from tests.core.conftest import random_world
from tests.services.storage.rows import NOW_MS, T0_MS, liquidations

# Small, so that kills fall on every part of a batch's way.
BUFFER_ROWS = 3_000
BATCH = 300
TOTAL = 400_000


def ingest(url: str, first: int, parent: Connection) -> None:
    """Put events from number `first` on, a signal now and then; sends ("flushed", events, signals)."""
    asyncio.run(_ingest(url, first, parent))


async def _ingest(url: str, first: int, parent: Connection) -> None:
    store = SqlStore(
        url,
        data_mode="live",
        now_ms=lambda: NOW_MS,
        monotonic=time.monotonic,
        max_buffered_rows=BUFFER_ROWS,
    )
    store.start()
    await store.opened()
    parent.send(("open", first, 0))
    context = random_world(1, 120).context()
    signal = evaluate(context, EngineConfig(), Mode.BALANCED)
    signals = 0
    for start in range(first, TOTAL, BATCH):
        await store.market.put_all(events(start, start + BATCH))
        parent.send(("put", start + BATCH, signals))
        if start % (3 * BATCH) == 0:
            store.signals.append(
                replace(signal, as_of_ms=T0_MS + start),
                replace(context, as_of_ms=T0_MS + start),
                Trigger.REQUEST,
            )
            signals += 1
            await store.signals.flush()
            await store.market.flush()
            parent.send(("flushed", start + BATCH, signals))


def events(start: int, stop: int) -> list[object]:
    """Events number start..stop-1; each block of `BATCH` is drawn by its own seed, 20 s long."""
    drawn: list[object] = []
    for block in range(start // BATCH, -(-stop // BATCH)):
        rows = liquidations(BATCH, seed=block, spread_ms=120)
        shifted = [
            row._replace(ts_event_ms=row.ts_event_ms + block * 20_000, extras=json.dumps(block * BATCH + i))
            for i, row in enumerate(rows)
        ]
        drawn += shifted[max(0, start - block * BATCH) : stop - block * BATCH]
    return drawn
