"""Two whole workers on one database find each other; one that was restarted finds nobody."""

from __future__ import annotations

import pytest

from app.core.errors import StorageUnavailable
from app.services.streaming.company import Company
from tests.memory_store import MemoryStore


async def test_two_workers_find_each_other_and_forget_who_has_gone() -> None:
    state = MemoryStore()
    one, two = Company("all-1", state), Company("all-2", state)
    for worker in (one, two, one, two):
        await worker.look()
    assert "all-2" in one.alarms()[0]
    assert "all-1" in two.alarms()[0]
    for _ in range(2):
        await one.look()
    assert one.alarms() == ()


async def test_a_worker_that_was_restarted_finds_nobody(caplog: pytest.LogCaptureFixture) -> None:
    state = MemoryStore()
    await Company("all-1", state).look()
    again = Company("all-2", state)
    for _ in range(3):
        await again.look()
    assert again.alarms() == ()
    assert caplog.messages == []


async def test_it_is_logged_once_and_an_absent_database_is_no_company(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = MemoryStore()
    one, two = Company("all-1", state), Company("all-2", state)
    for _ in range(4):
        await one.look()
        await two.look()
    assert len(caplog.messages) == 2

    async def away(key: str) -> str | None:
        raise StorageUnavailable("away")

    monkeypatch.setattr(state, "get_state", away)
    await one.look()
