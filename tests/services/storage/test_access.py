"""Keys and the audit log on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.domain.access import AuditAction, AuditEvent, AuditOutcome, AuditQuery
from app.core.errors import InvalidParameter
from app.services.storage.access import SqlAuditLog, SqlKeys
from app.services.storage.engine import open_engine
from tests.access_facts import NOW_MS, key


@pytest_asyncio.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    opened = open_engine(database_url)
    yield opened
    await opened.dispose()


class TestKeys:
    async def test_a_key_comes_back_as_it_was_stored(self, engine: AsyncEngine) -> None:
        keys = SqlKeys(engine)
        one = key("bot", "secret-text", "read", "debug", expires_ms=NOW_MS + 1)
        assert await keys.add_key(one)
        assert await keys.add_key(key("another"))
        assert await keys.keys() == [key("another"), one]

    async def test_the_database_holds_no_key(self, engine: AsyncEngine) -> None:
        await SqlKeys(engine).add_key(key("bot", "secret-text"))
        async with engine.connect() as connection:
            rows = (await connection.execute(text("SELECT * FROM api_keys"))).all()
        assert "secret-text" not in repr(rows)

    async def test_a_name_is_given_once(self, engine: AsyncEngine) -> None:
        keys = SqlKeys(engine)
        await keys.add_key(key("bot", "first"))
        await keys.revoke_key("bot", NOW_MS)
        assert not await keys.add_key(key("bot", "second"))
        assert await keys.keys() == [key("bot", "first", revoked_ms=NOW_MS)]

    async def test_only_a_key_in_force_is_revoked(self, engine: AsyncEngine) -> None:
        keys = SqlKeys(engine)
        await keys.add_key(key("bot"))
        assert await keys.revoke_key("bot", NOW_MS)
        assert not await keys.revoke_key("bot", NOW_MS + 1)
        assert not await keys.revoke_key("nobody", NOW_MS)
        assert (await keys.keys())[0].revoked_ms == NOW_MS

    async def test_the_last_use_never_goes_back(self, engine: AsyncEngine) -> None:
        keys = SqlKeys(engine)
        await keys.add_key(key("a"))
        await keys.add_key(key("b"))
        await keys.touch_keys({"a": NOW_MS, "b": NOW_MS, "nobody": NOW_MS})
        await keys.touch_keys({"a": NOW_MS - 1, "b": NOW_MS + 1})
        assert [one.last_used_ms for one in await keys.keys()] == [NOW_MS, NOW_MS + 1]


def event(number: int, action: AuditAction = AuditAction.LOGIN) -> AuditEvent:
    return AuditEvent(NOW_MS + number // 2, f"{number:04x}", "key:ops", action, AuditOutcome.DONE, "x")


class TestAuditLog:
    async def test_pages_go_back_in_time_and_hold_every_row_once(self, engine: AsyncEngine) -> None:
        log = SqlAuditLog(engine)
        rows = [event(number) for number in range(7)]
        await log.append(rows)
        found, cursor = [], None
        for _ in range(4):
            page = await log.page(AuditQuery(2, cursor=cursor))
            found += page.rows
            cursor = page.cursor
        assert found == rows[::-1]
        assert cursor is None

    async def test_a_row_is_written_once_and_never_changed(self, engine: AsyncEngine) -> None:
        log = SqlAuditLog(engine)
        await log.append([event(1)])
        await log.append([event(1)._replace(actor="key:forged"), event(2)])
        assert [row.actor for row in (await log.page(AuditQuery(9))).rows] == ["key:ops", "key:ops"]

    async def test_one_action_is_asked_for(self, engine: AsyncEngine) -> None:
        log = SqlAuditLog(engine)
        await log.append([event(1), event(2, AuditAction.COIN_ADDED)])
        assert (await log.page(AuditQuery(9, AuditAction.COIN_ADDED))).rows == (
            event(2, AuditAction.COIN_ADDED),
        )

    async def test_a_cursor_of_another_list_is_refused(self, engine: AsyncEngine) -> None:
        with pytest.raises(InvalidParameter):
            await SqlAuditLog(engine).page(AuditQuery(9, cursor="WyJ4Il0"))
