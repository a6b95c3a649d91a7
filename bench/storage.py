"""BENCH storage: liquidations in, heatmaps, pages and downloads out.

SQLite and PostgreSQL are written through the product's own buffer and writer, tiles and idempotency included.
PostgreSQL is also compared with the barest thing that is still idempotent: COPY into a temporary table and
INSERT ... ON CONFLICT DO NOTHING into an equal table without tiles, turn by turn in the same run.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import text

from app.core.domain.stored import LiquidationRow
from app.migrate import upgrade
from app.services.storage.engine import open_engine
from app.services.storage.postgres_bulk import PostgresBulk
from app.services.storage.statements import columns_of, on_conflict
from app.services.storage.store import SqlStore
from app.services.storage.tables import liquidations
from bench.children import child, cores, free_port, provider_env, simulator, wait_until_answers
from bench.liquidation_flood import flood
from bench.report import Figure
from bench.start import resident_mb

DAY_MS = 86_400_000
SPAN_MS = 5 * DAY_MS
ROWS = 5_000_000
POSTGRES_ROUNDS = 6
POSTGRES_ROWS = 200_000
# A storm: at rates as measured here a stream is dense. (SQLite gets the sparse case: five days of all coins.)
POSTGRES_EVENTS_PER_S = 500
PUT_ROWS = 5_000
ASKS = 120
SIGNALS = 100_000
EARLY_ROWS = 100_000


def run() -> list[Figure]:
    """Every figure; about two minutes."""
    start_ms = int(time.time() * 1000) - SPAN_MS
    with tempfile.TemporaryDirectory(prefix="bench-storage-") as folder:
        url = f"sqlite:///{folder}/signals.db"
        figures = [asyncio.run(_sqlite(url, start_ms))]
        figures += _postgres(start_ms)
        figures += _read(url, start_ms, Path(folder))
    return figures


async def _open(url: str) -> SqlStore:
    store = SqlStore(url, data_mode="live", now_ms=lambda: int(time.time() * 1000), monotonic=time.monotonic)
    store.start()
    await store.opened()
    return store


async def _ingest(store: SqlStore, rows: Sequence[LiquidationRow]) -> float:
    """Seconds until every row is committed."""
    begun = time.perf_counter()
    for start in range(0, len(rows), PUT_ROWS):
        await store.market.put_all(rows[start : start + PUT_ROWS])
    await store.market.flush()
    return time.perf_counter() - begun


async def _sqlite(url: str, start_ms: int) -> Figure:
    store = await _open(url)
    took_s = 0.0
    for piece in flood(ROWS, start_ms=start_ms, span_ms=SPAN_MS, piece=250_000):
        took_s += await _ingest(store, piece)
    status = store.status()
    if (status.written_rows, status.lost_rows) != (ROWS, 0):
        raise RuntimeError(f"not every row was stored: {status}")
    await store.close()
    return Figure(
        "storage",
        "sqlite_rows_per_s",
        ROWS / took_s,
        "rows/s",
        f"{ROWS:,} liquidations of 200 coins with their tiles, to commit, from an empty file; aim >= 150,000",
    )


def _postgres(start_ms: int) -> list[Figure]:
    from tests.postgres_server import PostgresServer

    with PostgresServer(survives_power_cuts=True) as server:
        url = server.create("bench")
        asyncio.run(_migrate(url))
        ours_s, bare_s = asyncio.run(_compare(url, start_ms))
    rows = POSTGRES_ROUNDS * POSTGRES_ROWS
    how = f"{rows:,} rows of a storm of {POSTGRES_EVENTS_PER_S}/s, {POSTGRES_ROUNDS} rounds, taking turns"
    return [
        Figure("storage", "postgres_rows_per_s", rows / ours_s, "rows/s", f"{how}; 80,000 expected"),
        Figure(
            "storage",
            "postgres_vs_copy",
            bare_s / ours_s,
            "x",
            f"{how}; bare COPY + insert {rows / bare_s:,.0f} rows/s; aim >= 0.85",
        ),
    ]


async def _migrate(url: str) -> None:
    engine = open_engine(url, statement_timeout_s=None)
    await upgrade(engine, "head")
    async with engine.begin() as connection:
        await connection.execute(
            text("CREATE TABLE bare (LIKE liquidations INCLUDING ALL) PARTITION BY RANGE (ts_event_ms)")
        )
    await engine.dispose()


async def _compare(url: str, start_ms: int) -> tuple[float, float]:
    """Seconds of ours and of the bare way for the same rows, round by round."""
    store = await _open(url)
    connection = await asyncpg.connect(url)
    for day in range(start_ms // DAY_MS, (start_ms + SPAN_MS) // DAY_MS + 1):
        bounds = f"FROM ({day * DAY_MS}) TO ({(day + 1) * DAY_MS})"
        await connection.execute(f"CREATE TABLE bare_{day} PARTITION OF bare FOR VALUES {bounds}")
    ours_s = bare_s = 0.0
    rounds = flood(POSTGRES_ROUNDS * POSTGRES_ROWS, start_ms=start_ms, span_ms=SPAN_MS, piece=POSTGRES_ROWS)
    for turn, rows in enumerate(rounds):
        if turn % 2:
            bare_s += await _bare(connection, rows)
            ours_s += await _ingest(store, rows)
        else:
            ours_s += await _ingest(store, rows)
            bare_s += await _bare(connection, rows)
    counted = await connection.fetchval(
        "SELECT (SELECT COUNT(*) FROM liquidations) - (SELECT COUNT(*) FROM bare)"
    )
    if counted != 0:
        raise RuntimeError("the two tables differ")
    await connection.close()
    await store.close()
    return ours_s, bare_s


async def _bare(connection: asyncpg.Connection, rows: Sequence[LiquidationRow]) -> float:
    names = ", ".join(columns_of(liquidations))
    ignore_known = on_conflict(liquidations, "postgresql")
    await connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS staged (LIKE liquidations) ON COMMIT DELETE ROWS"
    )
    begun = time.perf_counter()
    for start in range(0, len(rows), PostgresBulk.batch_rows):
        async with connection.transaction():
            await connection.copy_records_to_table(
                "staged",
                records=rows[start : start + PostgresBulk.batch_rows],
                columns=columns_of(liquidations),
            )
            await connection.execute(
                f"INSERT INTO bare ({names}) SELECT {names} FROM staged {ignore_known}"  # noqa: S608
            )
    return time.perf_counter() - begun


def _read(url: str, start_ms: int, folder: Path) -> list[Figure]:
    """Over HTTP, from a web process that has just been started on the five million rows."""
    server_core, other_core = cores()
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with simulator(core=other_core) as upstream:
        env = {**provider_env(upstream, database=url), "PORT": str(port), "HOST": "127.0.0.1"}
        with child("app.main", env=env, core=server_core) as process:
            wait_until_answers(f"{base}/health/ready")
            wait_until_answers(f"{base}/signals/BTC")
            wait_until_answers(f"{base}/signals/BTC/history")  # which writes what was answered
            asyncio.run(_copy_signals(url))
            # Other windows each time, so that no answer is reused.
            heatmaps = _ask(lambda turn: f"{base}/heatmap/BTC?minutes={1440 - turn % 100}")
            pages = _ask(lambda turn: f"{base}/api/signals/history?limit={20 + turn % 50}")
            return [
                Figure(
                    "storage", "heatmap_p95_ms", _p95(heatmaps), "ms", _said(heatmaps, "24 h of BTC", "50")
                ),
                Figure("storage", "signals_page_p95_ms", _p95(pages), "ms", _said(pages, "of 100,000", "10")),
                *_export(base, start_ms, process.pid),
            ]


async def _copy_signals(url: str) -> None:
    """A long record: copies of a real signal under other names (a page does not check hashes)."""
    engine = open_engine(url)
    names = ("id", "chain", "as_of_ms")
    async with engine.begin() as connection:
        found = (await connection.execute(text("SELECT * FROM signals LIMIT 1"))).mappings().one()
        row = {str(name): value for name, value in found.items()}
        columns = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        copies = [
            row | dict(zip(names, (f"c{n}-0", f"c{n}", row["as_of_ms"] - n * 1_000), strict=True))
            for n in range(SIGNALS)
        ]
        await connection.execute(text(f"INSERT INTO signals ({columns}) VALUES ({marks})"), copies)  # noqa: S608
    await engine.dispose()


def _ask(path: Callable[[int], str]) -> list[float]:
    times = []
    for turn in range(ASKS):
        begun = time.perf_counter()
        with urllib.request.urlopen(path(turn), timeout=30) as answer:  # noqa: S310 - loopback only
            body = json.loads(answer.read())
        times.append((time.perf_counter() - begun) * 1000)
        if not (body.get("items") or body["totals"]["events"] > 100_000):
            raise RuntimeError(f"an empty answer: {path(turn)}")
    return times


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


def _said(times: Sequence[float], what: str, aim: str) -> str:
    return (
        f"{what}, {ROWS:,} liquidations stored, SQLite, over HTTP; {len(times)} asks, median "
        f"{statistics.median(times):.1f}, worst {max(times):.1f}; aim <= {aim}"
    )


def _export(base: str, start_ms: int, pid: int) -> list[Figure]:
    """One day of all coins: a million rows."""
    begin, end = start_ms + DAY_MS, start_ms + 2 * DAY_MS
    url = f"{base}/api/export/liquidations.csv?from={begin}&to={end}"
    before = resident_mb(pid)
    begun = time.perf_counter()
    rows, early = -1, before
    with _highest(pid) as seen, urllib.request.urlopen(url, timeout=600) as answer:  # noqa: S310
        for _ in answer:
            rows += 1
            if rows == EARLY_ROWS:
                early = max(seen)
    took_s = time.perf_counter() - begun
    if rows < 900_000:
        raise RuntimeError(f"only {rows} rows were exported")
    how = f"{rows:,} rows of CSV, SQLite"
    grown = f"resident memory after the first {EARLY_ROWS:,} of {how}; in all {max(seen) - before:.0f} MB"
    return [
        Figure("storage", "export_growth_mb", max(seen) - early, "MB", f"{grown}; aim: flat"),
        Figure("storage", "export_rows_per_s", rows / took_s, "rows/s", how),
    ]


@contextmanager
def _highest(pid: int) -> Iterator[list[float]]:
    """Resident memory of a process every 50 ms while the block runs."""
    seen = [resident_mb(pid)]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            seen.append(resident_mb(pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
