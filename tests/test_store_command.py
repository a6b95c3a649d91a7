"""`python -m app.store`: what it does, says and returns, on both databases."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app import store
from app.core.clock import SystemClock
from app.services.storage import tables
from app.services.storage.engine import open_engine
from app.services.storage.layout import DAY_MS
from app.services.storage.schema import ensure_schema, revision_of
from app.store_rebuild import slices
from app.store_status import DatabaseStatus, TableStatus, format_status, place_of
from tests.services.storage.plain_rows import insert_rows, plain_row, times_of

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "Zr8kLw3pQx"  # of tests/postgres_server.py
T = TypeVar("T")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    from tests.postgres_server import PostgresServer

    with PostgresServer() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database that the settings point at."""
    monkeypatch.chdir(tmp_path)  # no .env of the project
    made = f"sqlite:///{tmp_path / 'data' / 'store.db'}"
    if request.param == "postgres":
        made = request.getfixturevalue("postgres").create("command")
    monkeypatch.setenv("DATABASE_URL", made)
    return made


def on(url: str, what: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Run something on the database and commit."""

    async def run() -> T:
        engine = open_engine(url)
        async with engine.begin() as connection:
            result = await what(connection)
        await engine.dispose()
        return result

    return asyncio.run(run())


def start_service(url: str, data_mode: str = "live") -> None:
    async def run() -> None:
        engine: AsyncEngine = open_engine(url)
        await ensure_schema(engine, embedded=url.startswith("sqlite"), data_mode=data_mode, now_ms=1)
        await engine.dispose()

    asyncio.run(run())


def command(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    """Exit code and all that was printed."""
    capsys.readouterr()
    code = store.main(args)
    said = "".join(capsys.readouterr())
    assert PASSWORD not in said
    assert said.endswith("\n")
    return code, said


def migrate_to(url: str, capsys: pytest.CaptureFixture[str], revision: str) -> None:
    assert command(capsys, "migrate")[0] == 0
    assert command(capsys, "downgrade", revision, "--yes")[0] == 0


async def insert_two_events(connection: AsyncConnection) -> None:
    await insert_rows(connection, tables.liquidations, [5, SystemClock().now_ms()])


class TestMigrate:
    def test_it_brings_an_empty_database_up_and_says_so(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, said = command(capsys, "migrate")
        assert (code, said) == (0, f"{place_of(url)}: migrated empty -> {tables.HEAD}\n")
        assert on(url, revision_of) == tables.HEAD
        assert command(capsys, "migrate") == (0, f"{place_of(url)}: already at revision {tables.HEAD}\n")

    def test_it_keeps_rows(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        migrate_to(url, capsys, "0001")
        on(url, insert_two_events)
        code, said = command(capsys, "migrate")
        assert (code, said) == (0, f"{place_of(url)}: migrated 0001 -> {tables.HEAD}\n")
        assert len(on(url, lambda connection: times_of(connection, tables.liquidations))) == 2

    def test_a_newer_database_is_refused(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        command(capsys, "migrate")
        on(url, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9'")))
        code, said = command(capsys, "migrate")
        assert code == 1
        assert "newer version" in said


class TestDowngrade:
    def test_what_drops_rows_counts_them_and_wants_a_yes(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command(capsys, "migrate")
        on(url, insert_two_events)
        code, said = command(capsys, "downgrade", "base")
        assert code == 2
        assert re.search(r"drops 23 tables with 3 rows .* nothing was done.*--yes", said)
        assert on(url, revision_of) == tables.HEAD

        code, said = command(capsys, "downgrade", "base", "--yes")
        assert code == 0
        assert f"{tables.HEAD} -> base; 3 rows dropped" in said
        assert on(url, revision_of) is None

    def test_what_drops_nothing_needs_no_yes(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        command(capsys, "migrate")
        on(url, lambda connection: connection.execute(tables.audit_log.delete()))  # that it was migrated
        on(url, insert_two_events)
        code, said = command(capsys, "downgrade", "0001")
        assert (code, said) == (0, f"{place_of(url)}: migrated {tables.HEAD} -> 0001; 0 rows dropped\n")
        assert len(on(url, lambda connection: times_of(connection, tables.liquidations))) == 2

    def test_it_goes_back_and_only_to_what_there_is(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        migrate_to(url, capsys, "0001")
        for target, why in (
            ("0002", "0002 is not before it"),
            ("0001", "is not before it"),
            ("-1", "no revision"),
        ):
            code, said = command(capsys, "downgrade", "--yes", "--", target)
            assert code == 2
            assert why in said

    def test_it_wants_a_revision(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            store.main(["downgrade"])
        assert stopped.value.code == 2


class TestStatus:
    def test_it_shows_what_is_there(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        command(capsys, "migrate")
        on(url, insert_two_events)
        code, said = command(capsys, "status")
        is_sqlite = url.startswith("sqlite")
        assert code == 0
        assert place_of(url) in said
        assert "data mode: decided by the first start" in said
        assert f"revision:  {tables.HEAD}, as this version needs it" in said
        assert f"layout:    {'plain' if is_sqlite else 'partitioned'}" in said
        assert re.search(r"liquidations +2 rows" + ("\n" if is_sqlite else " in 1 parts\n"), said)
        assert re.search(r"signals +0 rows\n", said)
        assert re.search(r"store.db, \d+ kB|command on 127.0.0.1:\d+, [\d.]+ MB", said)

        start_service(url, "demo")
        assert "data mode: demo" in command(capsys, "status")[1]

    def test_a_database_that_cannot_be_used_gives_1(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        migrate_to(url, capsys, "0001")
        code, said = command(capsys, "status")
        if url.startswith("sqlite"):
            assert (code, "the next start migrates it" in said) == (0, True)
        else:
            assert (code, "run make migrate" in said) == (1, True)
        on(url, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9'")))
        code, said = command(capsys, "status")
        assert (code, "newer version" in said) == (1, True)

    def test_asking_does_not_make_a_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        code, said = command(capsys, "status")
        assert (code, said) == (
            1,
            "SQLite, data/signals.db: there is no such file yet; the first start makes it\n",
        )
        assert list(tmp_path.iterdir()) == []

    def test_sizes_and_numbers_are_for_people(self) -> None:
        status = DatabaseStatus(
            place="SQLite, data/signals.db",
            embedded=True,
            size_bytes=2_345_000_000,
            revision=tables.HEAD,
            data_mode="live",
            layouts=("plain",),
            tables=(TableStatus("liquidations", 5_000_000, 0), TableStatus("price_ohlc", 12, 3)),
        )
        assert format_status(status).split("\n") == [
            "database:  SQLite, data/signals.db, 2.3 GB",
            "data mode: live",
            f"revision:  {tables.HEAD}, as this version needs it",
            "layout:    plain",
            "  liquidations                5,000,000 rows",
            "  price_ohlc                         12 rows in 3 parts",
        ]


class TestVerify:
    def test_an_unbroken_record_holds(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        command(capsys, "migrate")
        assert command(capsys, "verify") == (0, "0 signals and 0 outcomes in 0 chains: all hold\n")

    def test_a_row_that_was_not_written_by_the_service_is_found(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command(capsys, "migrate")
        forged = plain_row(tables.signals, 3, 5) | {"trigger": "request"}
        on(url, lambda connection: connection.execute(tables.signals.insert(), [forged]))
        code, said = command(capsys, "verify")
        assert code == 1
        assert said.startswith(
            "1 signals and 0 outcomes in 1 chains: broken\n  chain chain 3 é, number 3: its hash does not fit"
        )


class TestRebuildHeatmap:
    NOON = 1_764_936_000_000  # 2025-12-05T12:00Z

    def tiles(self, url: str) -> list[tuple[int, int]]:
        found = select(tables.liquidation_heatmap.c.ts_min, tables.liquidation_heatmap.c.events)

        async def read(connection: AsyncConnection) -> list[tuple[int, int]]:
            return [tuple(row) for row in await connection.execute(found.order_by("ts_min"))]

        return on(url, read)

    OLD = "those older than 30 days age out again at the service's next clean-up\n"

    def fill(self, url: str, capsys: pytest.CaptureFixture[str]) -> int:
        """Events of noon, of noon three days later and of ten minutes after that; the minute of noon."""
        command(capsys, "migrate")
        times = [self.NOON, self.NOON + 3 * DAY_MS, self.NOON + 3 * DAY_MS + 600_000]
        on(url, lambda connection: insert_rows(connection, tables.liquidations, times))
        on(
            url,
            lambda connection: insert_rows(
                connection, tables.liquidation_heatmap, [self.NOON // 60_000 + 1440]
            ),
        )
        return self.NOON // 60_000

    def test_all_that_is_stored_is_rebuilt_and_nothing_else_stays(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        noon = self.fill(url, capsys)
        code, said = command(capsys, "rebuild-heatmap")
        assert (code, said) == (
            0,
            f"3 tiles rebuilt, from 2025-12-05T12:00Z to 2025-12-08T12:11Z\n{self.OLD}",
        )
        assert self.tiles(url) == [(noon, 1), (noon + 3 * 1440, 1), (noon + 3 * 1440 + 10, 1)]

    def test_a_span_can_be_given_and_begins_with_the_first_event_at_the_earliest(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        noon = self.fill(url, capsys)
        code, said = command(
            capsys, "rebuild-heatmap", "--from", "2020-01-01", "--to", "2025-12-05T13:00+01:00"
        )
        assert code == 2
        code, said = command(capsys, "rebuild-heatmap", "--from", "2020-01-01", "--to", "2025-12-06T00:00Z")
        assert (code, said) == (
            0,
            f"1 tiles rebuilt, from 2025-12-05T12:00Z to 2025-12-06T00:00Z\n{self.OLD}",
        )
        assert self.tiles(url) == [(noon, 1), (noon + 1440, 0)]

    def test_without_liquidations_tiles_stay(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        command(capsys, "migrate")
        on(url, lambda connection: insert_rows(connection, tables.liquidation_heatmap, [5]))
        code, said = command(capsys, "rebuild-heatmap")
        assert (code, "nothing to rebuild from" in said) == (0, True)
        assert self.tiles(url) == [(5, 0)]

    def test_pieces_join_without_overlap(self) -> None:
        assert list(slices(100, 6000, [0, 3])) == [(100, 1440), (1440, 4320), (4320, 5760), (5760, 6000)]
        assert list(slices(1440, 2880, [1])) == [(1440, 2880)]
        assert list(slices(5, 6, [0])) == [(5, 6)]


class TestRetention:
    def test_it_removes_what_the_settings_say(
        self, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RETENTION_LIQUIDATIONS_DAYS", "10")
        command(capsys, "migrate")
        now_ms = SystemClock().now_ms()
        times = [now_ms - 11 * DAY_MS, now_ms - 9 * DAY_MS]
        on(url, lambda connection: insert_rows(connection, tables.liquidations, times))
        code, said = command(capsys, "retention")
        assert code == 0
        assert re.search(r"^liquidations +1 rows removed$", said, re.MULTILINE)
        assert on(url, lambda connection: times_of(connection, tables.liquidations)) == times[1:]

    @pytest.mark.parametrize(("pinned", "setting"), [("replay", "live"), ("demo", "live"), ("live", "demo")])
    def test_a_database_of_another_data_mode_keeps_every_row(
        self,
        url: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        pinned: str,
        setting: str,
    ) -> None:
        command(capsys, "migrate")
        start_service(url, pinned)
        on(url, lambda connection: insert_rows(connection, tables.liquidations, [5]))
        monkeypatch.setenv("DATA_MODE", setting)
        code, said = command(capsys, "retention")
        assert (code, f"holds {pinned} data" in said) == (2, True)
        assert on(url, lambda connection: times_of(connection, tables.liquidations)) == [5]

    def test_a_database_at_another_revision_is_left_alone(
        self, url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        migrate_to(url, capsys, "0001")
        code, said = command(capsys, "retention")
        assert (code, "run make migrate" in said) == (1, True)

    def test_a_replay_and_a_bare_file_have_no_age(
        self, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        command(capsys, "migrate")
        file = tmp_path / "other.db"
        assert command(capsys, "--file", str(file), "migrate")[0] == 0
        assert command(capsys, "--file", str(file), "retention")[0] == 2
        monkeypatch.setenv("DATA_MODE", "replay")
        monkeypatch.setenv("REPLAY_DATA", str(tmp_path))
        assert command(capsys, "retention")[0] == 2
