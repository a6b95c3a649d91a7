"""The alert routes over real databases: what the store kept is what they show, page by page, with fate."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.api import render_alerts as render
from app.core.domain.alerts import AlertQuery, DropReason, Severity
from app.core.domain.context import DataMode
from app.core.domain.flow import AlertKind
from app.core.domain.symbol import Symbol
from app.core.errors import InvalidParameter
from app.services.alert_service import AlertService
from app.services.storage.store import SqlStore
from tests.flow_facts import NOW_MS, alert


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url, data_mode="demo", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
    store.start()
    await store.opened()
    yield store
    await store.close()


@pytest.fixture
async def service(store: SqlStore) -> AlertService:
    """Over six alerts: every second one kept for two chats, the others dropped."""
    for n in range(1, 7):
        kept = n % 2 == 1
        body = alert(
            n,
            symbol="BTC" if n <= 4 else "ETH",
            kind=AlertKind.STOP_HUNT if n != 2 else AlertKind.HEATMAP,
            severity=Severity.URGENT if n != 3 else Severity.INFO,
        )
        await store.alerts.keep(
            body,
            drop_reason=None if kept else DropReason.LOW_CONFIDENCE,
            dropped_chats={"telegram:-100777": DropReason.MUTED},
            chats=("telegram:-100123", "webhook") if kept else (),
            now_ms=NOW_MS,
        )
    return AlertService(store.alerts, resolve=Symbol)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (AlertQuery(), [1, 2, 3, 4, 5, 6]),
        (AlertQuery(symbol="ETH"), [5, 6]),
        (AlertQuery(kind=AlertKind.HEATMAP), [2]),
        (AlertQuery(severity=Severity.INFO), [3]),
        (AlertQuery(is_kept=True), [1, 3, 5]),
        (AlertQuery(is_kept=False), [2, 4, 6]),
        (AlertQuery(symbol="DOGE"), []),
    ],
)
async def test_each_filter_shows_its_alerts_newest_first(
    service: AlertService, query: AlertQuery, wanted: list[int]
) -> None:
    page = await service.page(query)
    answer = render.alerts(page, query, now_ms=NOW_MS, data_mode=DataMode.DEMO)
    assert [int(item.id, 16) for item in answer.items] == wanted
    assert (answer.note is None) == bool(wanted)


async def test_pages_join_without_a_hole_or_a_repeat(service: AlertService) -> None:
    seen, query = [], AlertQuery(limit=4)
    for _ in range(2):
        page = await service.page(query)
        seen += [row.alert.id for row in page.rows]
        query = replace(query, cursor=page.cursor)
    assert (seen, query.cursor) == ([f"{n:016x}" for n in range(1, 7)], None)
    with pytest.raises(InvalidParameter):
        await service.page(AlertQuery(cursor="nonsense"))


async def test_one_alert_has_its_deliveries_and_no_chat_by_name(service: AlertService) -> None:
    found = await service.one(f"{1:016x}")
    assert found is not None
    answer = render.alert(found, now_ms=NOW_MS)
    assert sorted(one.destination for one in answer.deliveries) == ["telegram", "webhook"]
    assert answer.dropped[0].destination == "telegram"
    assert "-100" not in answer.model_dump_json()
    assert await service.one("f" * 16) is None


@pytest.mark.usefixtures("service")
async def test_alerts_of_a_day_are_counted_by_why_nobody_was_told(store: SqlStore) -> None:
    old = replace(alert(7), ts_event_ms=NOW_MS - 86_400_001)
    ahead = replace(alert(8), ts_init_ms=NOW_MS + 1)  # a replay's store holds what is still to come
    muted = alert(9)
    for body in (old, ahead, muted):
        await store.alerts.keep(body, drop_reason=DropReason.MUTED, dropped_chats={}, chats=(), now_ms=NOW_MS)
    counted = await store.alerts.counts(NOW_MS - 86_400_000)
    assert counted == {None: 3, DropReason.LOW_CONFIDENCE: 3, DropReason.MUTED: 1}
    assert await store.alerts.counts(NOW_MS + 1) == {}
