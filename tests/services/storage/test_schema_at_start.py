"""What opening does with a database that is empty, older, newer, somebody else's or of another data mode."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.errors import StorageRefused, StorageUnavailable
from app.migrate import downgrade, upgrade
from app.services.storage import schema, tables
from app.services.storage.engine import is_embedded, open_engine
from app.services.storage.schema import SchemaOutcome, ensure_schema, revision_of
from tests.services.storage.plain_rows import every_row, insert_rows

ROOT = Path(__file__).resolve().parents[3]
NOW_MS = 1_764_892_800_000


async def start(engine: AsyncEngine, data_mode: str = "live") -> SchemaOutcome:
    embedded = is_embedded(str(engine.url))
    return await ensure_schema(engine, embedded=embedded, data_mode=data_mode, now_ms=NOW_MS)


async def run(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(empty_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def migrated(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()


class TestAnyBackend:
    async def test_a_migrated_database_is_found_as_it_is(self, migrated: AsyncEngine) -> None:
        assert await start(migrated) is SchemaOutcome.FOUND
        assert await start(migrated) is SchemaOutcome.FOUND

    async def test_the_first_start_decides_the_data_mode(self, migrated: AsyncEngine) -> None:
        await start(migrated, "demo")
        state = tables.worker_state
        async with migrated.connect() as connection:
            rows = [tuple(row) for row in await connection.execute(select(state))]
        assert rows == [("data_mode", "demo", NOW_MS)]
        assert await start(migrated, "demo") is SchemaOutcome.FOUND

    @pytest.mark.parametrize(("first", "second"), [("live", "demo"), ("demo", "live"), ("replay", "live")])
    async def test_a_database_of_another_data_mode_is_refused(
        self, migrated: AsyncEngine, first: str, second: str
    ) -> None:
        await start(migrated, first)
        with pytest.raises(StorageRefused, match=f"holds {first} data .* data mode {second}.*DATABASE_URL"):
            await start(migrated, second)
        assert await start(migrated, first) is SchemaOutcome.FOUND

    async def test_a_newer_database_is_refused_and_left_alone(self, migrated: AsyncEngine) -> None:
        await run(migrated, "UPDATE alembic_version SET version_num = '0099'")
        with pytest.raises(StorageRefused, match=r"0099.*newer version"):
            await start(migrated)
        async with migrated.connect() as connection:
            assert await revision_of(connection) == "0099"

    async def test_a_refusal_is_not_worth_trying_again(self, migrated: AsyncEngine) -> None:
        await run(migrated, "UPDATE alembic_version SET version_num = '0099'")
        with pytest.raises(StorageUnavailable) as caught:
            await start(migrated)
        assert (caught.value.code, caught.value.http_status, caught.value.retryable) == (
            "storage_refused",
            503,
            False,
        )

    async def test_two_starts_at_once_pin_one_mode(self, database_url: str) -> None:
        engines = [open_engine(database_url) for _ in range(4)]
        modes = ["live", "demo", "live", "demo"]
        outcomes = await asyncio.gather(
            *(start(engine, mode) for engine, mode in zip(engines, modes, strict=True)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes].count(SchemaOutcome) == 2
        assert [type(outcome) for outcome in outcomes].count(StorageRefused) == 2
        for engine in engines:
            await engine.dispose()


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
class TestEmbedded:
    async def test_an_empty_file_is_made_and_stamped(self, empty: AsyncEngine) -> None:
        assert await start(empty) is SchemaOutcome.MADE
        async with empty.connect() as connection:
            assert await revision_of(connection) == tables.HEAD
        assert await start(empty) is SchemaOutcome.FOUND
        await upgrade(empty)  # Alembic agrees that there is nothing to do

    async def test_an_older_file_is_migrated_with_its_rows(self, empty: AsyncEngine) -> None:
        await upgrade(empty, "0001")
        async with empty.begin() as connection:
            await insert_rows(connection, tables.liquidations, [1, NOW_MS])
            before = await every_row(connection)
        assert await start(empty) is SchemaOutcome.MIGRATED
        async with empty.connect() as connection:
            assert await revision_of(connection) == tables.HEAD
            assert (await every_row(connection))["liquidations"] == before["liquidations"]

    async def test_a_file_taken_back_to_nothing_is_made_again(self, empty: AsyncEngine) -> None:
        await upgrade(empty)
        await downgrade(empty, "base")
        assert await start(empty) is SchemaOutcome.MADE

    async def test_a_file_of_something_else_is_left_alone(self, empty: AsyncEngine) -> None:
        await run(empty, "CREATE TABLE photos (id INTEGER)")
        with pytest.raises(StorageRefused, match=r"not of this service .*photos"):
            await start(empty)
        async with empty.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM sqlite_master")) == 1

    async def test_a_migration_that_fails_says_why(
        self, empty: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await upgrade(empty, "0001")
        script = "import sys; sys.stderr.write('first\\nno space left'); sys.exit(1)"
        monkeypatch.setattr(schema, "_migrate_command", lambda _file: (sys.executable, "-c", script))
        with pytest.raises(StorageUnavailable, match="migrating the SQLite file failed: no space left"):
            await start(empty)

    async def test_a_migration_that_hangs_is_ended(
        self, empty: AsyncEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        await upgrade(empty, "0001")
        script = "import signal; signal.pause()"
        monkeypatch.setattr(schema, "_migrate_command", lambda _file: (sys.executable, "-c", script))
        monkeypatch.setattr(schema, "MIGRATION_TIMEOUT_S", 0.01)
        with pytest.raises(StorageUnavailable, match="took over"):
            await start(empty)


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    engine = open_engine(f"sqlite:///{path}")
    with pytest.raises(StorageUnavailable, match="opening the database: file is not a database"):
        await start(engine)
    await engine.dispose()


STARTER = """
import asyncio, sys
from app.services.storage.engine import open_engine
from app.services.storage.schema import ensure_schema

async def main():
    engine = open_engine(sys.argv[1])
    sys.stdin.readline()  # everybody is ready: now
    print(await ensure_schema(engine, embedded=True, data_mode="live", now_ms=1))
    await engine.dispose()

asyncio.run(main())
print(sorted(name for name in sys.modules if name.split(".")[0] == "alembic"))
"""


def start_processes(url: str, count: int) -> list[tuple[str, str]]:
    """Outcome and imported Alembic modules of each, all let go at the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].split("\n") for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return [(lines[0], lines[1]) for lines in answers]


def test_processes_that_start_at_once_on_one_empty_file_all_come_out_right(tmp_path: Path) -> None:
    outcomes = start_processes(f"sqlite:///{tmp_path / 'new' / 'store.db'}", 3)
    assert sorted(outcome for outcome, _ in outcomes) == ["found", "found", "made"]


def test_processes_that_start_at_once_on_one_older_file_all_come_out_right(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"

    async def make() -> None:
        engine = open_engine(url)
        await upgrade(engine, "0001")
        await engine.dispose()

    asyncio.run(make())
    outcomes = start_processes(url, 2)
    assert {outcome for outcome, _ in outcomes} <= {"migrated", "found"}


def test_making_and_checking_a_file_imports_no_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert [start_processes(url, 1) for _ in range(2)] == [[("made", "[]")], [("found", "[]")]]


def test_the_web_process_imports_no_alembic() -> None:
    script = "import sys, app.main, app.services.storage.schema; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60).returncode == 0


@pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)
class TestServer:
    async def test_an_empty_database_asks_for_make_migrate(self, empty: AsyncEngine) -> None:
        with pytest.raises(StorageRefused, match="no tables yet: run make migrate"):
            await start(empty)
        async with empty.connect() as connection:
            count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            assert await connection.scalar(text(count)) == 0

    async def test_an_older_database_asks_for_make_migrate(self, empty: AsyncEngine) -> None:
        await upgrade(empty, "0001")
        with pytest.raises(
            StorageRefused, match=f"revision 0001, this version needs {tables.HEAD}: run make migrate"
        ):
            await start(empty)


async def test_a_server_that_is_not_there_is_unavailable_without_its_address() -> None:
    engine = open_engine("postgresql://user:Zr8kLw3pQx@127.0.0.1:1/name")
    with pytest.raises(StorageUnavailable) as caught:
        await start(engine)
    assert "Zr8k" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    await engine.dispose()
