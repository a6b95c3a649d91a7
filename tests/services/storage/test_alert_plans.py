"""How SQLite looks for alerts and deliveries: by an index, however much of a year lies there."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from app.core.domain.alerts import AlertQuery
from app.core.domain.flow import AlertKind
from app.services.storage.store import SqlStore
from tests.flow_facts import NOW_MS

Asked = list[tuple[str, Any]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = SqlStore(url, data_mode="demo", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()


@pytest.fixture
def asked() -> Iterator[Asked]:
    """Every statement that goes to a database meanwhile, with its values."""
    found: Asked = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


def plan(tmp_path: Path, asked: Asked, table: str) -> str:
    """How the statement on that table is carried out."""
    statement, values = next(one for one in asked if f"FROM {table}" in one[0])
    with sqlite3.connect(tmp_path / "store.db") as database:
        rows = database.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
    database.close()
    return "; ".join(row[3] for row in rows)


async def test_what_waits_is_counted_without_what_was_sent(
    store: SqlStore, asked: Asked, tmp_path: Path
) -> None:
    await store.alerts.depth(NOW_MS)
    assert plan(tmp_path, asked, "outbox").startswith("SEARCH outbox")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (AlertQuery(symbol="ETH"), "alert_history_symbol_time (symbol=?"),
        (AlertQuery(kind=AlertKind.HEATMAP), "alert_history_kind_time (kind=?"),
        (AlertQuery(), "alert_history_time"),
    ],
)
async def test_a_page_is_read_along_an_index(
    store: SqlStore, asked: Asked, tmp_path: Path, query: AlertQuery, index: str
) -> None:
    await store.alerts.page(query)
    found = plan(tmp_path, asked, "alert_history")
    assert index in found
    assert "TEMP B-TREE" not in found
