"""How SQLite looks for evaluations and running trades: by an index, among whatever many requested signals."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from app.core.domain.trades import TradeQuery
from app.services.storage.cursors import write_cursor
from app.services.storage.store import SqlStore
from tests.flow_facts import NOW_MS

Ask = Callable[[SqlStore], Awaitable[Any]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = SqlStore(url, data_mode="demo", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()


@pytest.fixture
def asked() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that goes to a database meanwhile, with its values."""
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("ask", "table", "index"),
    [
        (lambda store: store.evaluations.evaluations(1, 500, (2, "a")), "signals", "signals_trigger_time"),
        (lambda store: store.evaluations.unfollowed(1, 500), "signals", "signals_trigger_time"),
        (lambda store: store.evaluations.newest_since(500), "signals", "signals_trigger_time"),
        (lambda store: store.signal_outcomes.running("BTC"), "signal_outcomes", "signal_outcomes_running"),
        (lambda store: store.signal_outcomes.running_coins(), "signal_outcomes", "signal_outcomes_running"),
        (lambda store: store.signal_outcomes.of_trades(["a", "b"]), "signal_outcomes", "PRIMARY KEY"),
    ],
)
async def test_the_record_is_read_along_an_index(
    store: SqlStore, asked: list[tuple[str, Any]], tmp_path: Path, ask: Ask, table: str, index: str
) -> None:
    await ask(store)
    found = plan_of(asked, tmp_path, table)
    assert f"SEARCH {table}" in found
    assert index in found
    assert "SCAN" not in found


@pytest.mark.parametrize("cursor", [None, write_cursor((NOW_MS, "a-7"))])
@pytest.mark.parametrize("symbol", [None, "BTC"])
async def test_a_page_of_trades_is_one_statement_that_reads_no_row_which_is_not_on_it(
    store: SqlStore, asked: list[tuple[str, Any]], tmp_path: Path, cursor: str | None, symbol: str | None
) -> None:
    await store.market.flush()
    asked.clear()
    await store.trades.trades(TradeQuery("1.1.0", "4h", symbol, 50, cursor))
    assert sum("FROM" in statement for statement, _ in asked) == 1
    found = plan_of(asked, tmp_path, "signals")
    assert "SEARCH signals USING COVERING INDEX signals_trades (engine_version=? AND trigger=?" in found
    assert "SEARCH signals USING PRIMARY KEY (chain=? AND seq=?)" in found
    assert "SEARCH signal_outcomes USING PRIMARY KEY (trade_id=? AND horizon=?)" in found
    assert "SCAN signal" not in found


def plan_of(asked: list[tuple[str, Any]], folder: Path, table: str) -> str:
    statement, values = next(one for one in asked if f"FROM {table}" in one[0])
    with sqlite3.connect(folder / "store.db") as database:
        rows = database.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
    database.close()
    return "; ".join(row[3] for row in rows)
