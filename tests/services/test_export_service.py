"""Downloads as a use case: the question is checked before the store is asked."""

from __future__ import annotations

import pytest

from app.core.domain.stored import ExportName, ExportQuery
from app.core.domain.symbol import Symbol
from app.core.errors import InvalidParameter
from app.services.export_service import ExportService
from tests.stored_facts import FakeStore


async def test_chunks_come_as_the_store_gives_them() -> None:
    store = FakeStore()
    store.tables[ExportName.ALERTS] = (("a",), [[(1,), (2,)], [(3,)]])
    query = ExportQuery(ExportName.ALERTS, "BTC", 0, 10)
    columns, chunks = ExportService(store, resolve=Symbol).export(query)
    assert columns == ("a",)
    assert [list(chunk) async for chunk in chunks] == [[(1,), (2,)], [(3,)]]
    assert store.exports == [query]


def test_times_that_end_before_they_begin_are_refused() -> None:
    store = FakeStore()
    use_case = ExportService(store, resolve=Symbol)
    with pytest.raises(InvalidParameter, match="from"):
        use_case.export(ExportQuery(ExportName.SIGNALS, None, 10, 10))
    assert store.exports == []
    assert use_case.resolve("BTC") == Symbol("BTC")
