"""Backups are whole while others write, and a restore gives back what was stored, or does nothing."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app import store
from app.services.storage.store import SqlStore
from app.services.storage.tables import metadata
from tests.ingest_child import ingest
from tests.services.storage.conftest import database_url, postgres, postgres_template
from tests.services.storage.rows import NOW_MS

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

__all__ = ["database_url", "postgres", "postgres_template"]

POSTGRES = Path(__file__).resolve().parents[1] / "infra" / "postgres"
REFUSED = 3
# Parts by time and what follows from them; counted by their parents.
COUNTED = tuple(sorted(metadata.tables))

_STAND_IN = """
CREATE TABLE told (n serial, what text, had_tables boolean);
CREATE FUNCTION timescaledb_pre_restore() RETURNS boolean LANGUAGE sql AS $$
  INSERT INTO told (what, had_tables) VALUES ('pre', to_regclass('signals') IS NOT NULL) RETURNING true $$;
CREATE FUNCTION timescaledb_post_restore() RETURNS boolean LANGUAGE sql AS $$
  INSERT INTO told (what, had_tables) VALUES ('post', to_regclass('signals') IS NOT NULL) RETURNING true $$;
"""


class Writer:
    """A process that stores events and signals as fast as it can, until it is killed."""

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.ingest_child"])
        self._heard, theirs = context.Pipe(duplex=False)
        self._child = context.Process(target=ingest, args=(url, 0, theirs), daemon=True)
        self._child.start()
        theirs.close()

    def has_stored(self, events: int) -> int:
        """Waits until so many are acknowledged; how many are."""
        give_up_s = time.monotonic() + 20
        while time.monotonic() < give_up_s:
            if self._heard.poll(1):
                kind, done, _ = self._heard.recv()
                if kind == "flushed" and done >= events:
                    return int(done)
        raise AssertionError(f"{events} events were not stored in time")

    def kill(self) -> None:
        self._child.kill()
        self._child.join()


@pytest.fixture
def writer(database_url: str) -> Iterator[Writer]:
    made = Writer(database_url)
    yield made
    made.kill()


def tool(
    server: PostgresServer, script: str, url: str, *args: str, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Runs a script of infra/postgres with the server's own programs, through pipes as from a container."""
    environment = {
        "PATH": f"{server._bin}:/usr/bin:/bin",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "app",
        "PGDATABASE": url.rpartition("/")[2],
    }
    command = ["sh", str(POSTGRES / script), *args]
    return subprocess.run(command, env=environment, input=given, capture_output=True, check=False)


def back_up(request: pytest.FixtureRequest, url: str, file: Path) -> None:
    if url.startswith("sqlite"):
        assert store.main(["--file", url.removeprefix("sqlite:///"), "backup", str(file)]) == 0
        return
    done = tool(request.getfixturevalue("postgres"), "backup.sh", url)
    assert done.returncode == 0, done.stderr
    file.write_bytes(done.stdout)


def restore_elsewhere(request: pytest.FixtureRequest, file: Path) -> str:
    """Into a place where nothing is; the URL of it."""
    if request.node.callspec.params["database_url"] != "postgres":
        made = file.parent / "new" / "store.db"
        assert store.main(["--file", str(made), "restore", str(file)]) == 0
        return f"sqlite:///{made}"
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.create("restored")
    done = tool(server, "restore.sh", url, given=file.read_bytes())
    assert done.returncode == 0, done.stderr
    return url


def destroy(request: pytest.FixtureRequest, url: str) -> None:
    if url.startswith("sqlite"):
        for path in Path(url.removeprefix("sqlite:///")).parent.glob("store.db*"):
            path.unlink()
        return
    name = url.rpartition("/")[2]
    request.getfixturevalue("postgres").psql(f"DROP DATABASE {name} WITH (FORCE)")


def contents(url: str) -> Mapping[str, int]:
    """Opens the store as the service does, walks its chains, counts its rows."""

    async def run() -> Mapping[str, int]:
        opened = SqlStore(url, data_mode="live", now_ms=lambda: NOW_MS, monotonic=time.monotonic)
        opened.start()
        await opened.opened()
        try:
            report = await opened.verify()
            assert report.broken == ()
            async with opened._engine.connect() as connection:
                counted = [
                    await connection.scalar(text(f"SELECT count(*) FROM {name}"))  # noqa: S608
                    for name in COUNTED
                ]
            return {"chained": report.signals, **dict(zip(COUNTED, map(int, counted), strict=True))}
        finally:
            await opened.close()

    return asyncio.run(run())


def test_a_backup_under_load_is_a_moment_and_one_at_rest_is_everything(
    request: pytest.FixtureRequest, database_url: str, writer: Writer, tmp_path: Path
) -> None:
    before = writer.has_stored(3_000)
    back_up(request, database_url, tmp_path / "under-load")
    writer.has_stored(before + 1)  # it was not held up for good
    writer.kill()
    at_the_end = contents(database_url)
    back_up(request, database_url, tmp_path / "at-rest")
    destroy(request, database_url)

    moment = contents(restore_elsewhere(request, tmp_path / "under-load"))
    assert before <= moment["liquidations"] <= at_the_end["liquidations"]
    assert 0 < moment["chained"] <= at_the_end["chained"]
    (tmp_path / "new" / "store.db").unlink(missing_ok=True)
    restored = dict(contents(restore_elsewhere(request, tmp_path / "at-rest")))
    if database_url.startswith("sqlite:"):  # its command notes it; `make restore` has that done
        restored["audit_log"] -= 1
    assert restored == at_the_end


class TestPostgres:
    @pytest.fixture
    def stored(self, postgres: PostgresServer, postgres_template: str) -> str:
        url = postgres.create("to_restore")
        name = url.rpartition("/")[2]
        postgres.psql(f"DROP DATABASE {name}", f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
        self.note(postgres, "before")
        return url

    @staticmethod
    def note(server: PostgresServer, text: str) -> None:
        server.psql(
            f"INSERT INTO worker_state (key, value, ts_init_ms) VALUES ('note', '{text}', 1) "  # noqa: S608
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            database="to_restore",
        )

    @staticmethod
    def noted(server: PostgresServer) -> str:
        return server.psql("SELECT value FROM worker_state WHERE key = 'note'", database="to_restore")

    @pytest.fixture
    def dump(self, postgres: PostgresServer, stored: str) -> bytes:
        done = tool(postgres, "backup.sh", stored)
        assert done.returncode == 0, done.stderr
        self.note(postgres, "after")
        return done.stdout

    def test_a_database_with_tables_is_refused_and_left(
        self, postgres: PostgresServer, stored: str, dump: bytes
    ) -> None:
        assert tool(postgres, "restore.sh", stored, given=dump).returncode == REFUSED
        assert tool(postgres, "restore.sh", stored, "--check").returncode == REFUSED
        assert self.noted(postgres) == "after"

    def test_it_is_replaced_when_that_is_meant(
        self, postgres: PostgresServer, stored: str, dump: bytes
    ) -> None:
        assert tool(postgres, "restore.sh", stored, "--force", given=dump).returncode == 0
        assert self.noted(postgres) == "before"

    @pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.99])
    def test_half_a_dump_leaves_an_empty_database(
        self, postgres: PostgresServer, dump: bytes, part: float
    ) -> None:
        empty = postgres.create("half")
        done = tool(postgres, "restore.sh", empty, given=dump[: int(len(dump) * part)])
        assert done.returncode not in {0, REFUSED}
        assert tool(postgres, "restore.sh", empty, "--check").returncode == 0

    def test_timescale_is_told_before_and_after(
        self, postgres: PostgresServer, dump: bytes, timescale: Path
    ) -> None:
        empty = postgres.create("hyper")
        postgres.psql(f"ALTER DATABASE hyper SET extension_control_path = '{timescale}:$system'")
        assert tool(postgres, "restore.sh", empty, given=dump).returncode == 0
        told = postgres.psql("SELECT what, had_tables FROM told ORDER BY n", database="hyper")
        assert told.splitlines() == ["pre|f", "post|t"]

    @pytest.fixture
    def timescale(self) -> Iterator[Path]:
        """A folder with a stand-in of the extension that notes when it was told."""
        with tempfile.TemporaryDirectory(prefix="extension-") as name:
            folder = Path(name) / "extension"
            folder.mkdir()
            (folder / "timescaledb.control").write_text("default_version = '1'\nrelocatable = false\n")
            (folder / "timescaledb--1.sql").write_text(_STAND_IN)
            for path in (Path(name), folder, *folder.iterdir()):
                path.chmod(0o755)  # the server runs as another user
            yield Path(name)

    def test_the_command_names_the_tools(
        self, stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DATABASE_URL", stored)
        assert store.main(["backup", "x"]) == store.WRONG_USE
        said = capsys.readouterr().err
        assert "make backup" in said
        assert "infra/postgres" in said


class TestSqlite:
    @pytest.fixture
    def database(self, tmp_path: Path) -> Path:
        made = tmp_path / "signals.db"
        assert store.main(["--file", str(made), "migrate"]) == 0
        return made

    @pytest.fixture
    def copy(self, database: Path, tmp_path: Path) -> Path:
        assert store.main(["--file", str(database), "backup", str(tmp_path / "copy")]) == 0
        return tmp_path / "copy"

    @staticmethod
    def restored(copy: Path, database: Path, *args: str) -> int:
        return store.main(["--file", str(database), "restore", str(copy), *args])

    @staticmethod
    def mark(database: Path, value: str) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("INSERT INTO worker_state VALUES ('note', ?, 1)", (value,))

    @staticmethod
    def marks(database: Path) -> list[str]:
        with closing(sqlite3.connect(database)) as connection:
            found = connection.execute("SELECT value FROM worker_state WHERE key = 'note'")
            return [value for (value,) in found]

    def test_a_backup_is_one_file_for_its_owner_alone(self, copy: Path) -> None:
        assert copy.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in copy.parent.glob("copy*")] == ["copy"]

    def test_a_backup_replaces_no_file(self, database: Path, copy: Path) -> None:
        before = copy.read_bytes()
        self.mark(database, "later")
        assert store.main(["--file", str(database), "backup", str(copy)]) == store.FAILED
        assert copy.read_bytes() == before

    def test_a_backup_that_cannot_be_written_leaves_nothing(self, database: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        target = tmp_path / "file" / "copy"
        assert store.main(["--file", str(database), "backup", str(target)]) == store.FAILED
        assert (tmp_path / "file").read_text() == ""

    def test_nothing_is_put_over_a_database_unless_asked(self, database: Path, copy: Path) -> None:
        self.mark(database, "mine")
        assert self.restored(copy, database) == store.FAILED
        assert self.marks(database) == ["mine"]

    def test_what_is_replaced_is_kept(self, database: Path, copy: Path) -> None:
        self.mark(database, "mine")
        assert self.restored(copy, database, "--force") == 0
        assert self.marks(database) == []
        (kept,) = database.parent.glob("signals.db.before-*Z")
        assert self.marks(kept) == ["mine"]

    def test_a_database_in_use_is_left_alone(self, database: Path, copy: Path) -> None:
        with closing(sqlite3.connect(database)) as user:
            user.execute("PRAGMA journal_mode=WAL")
            user.execute("SELECT count(*) FROM worker_state").fetchone()
            assert self.restored(copy, database, "--force") == store.FAILED
        assert self.restored(copy, database, "--force") == 0

    @pytest.mark.parametrize("damage", ["cut", "text", "foreign", "newer", "absent"])
    def test_what_is_no_backup_is_refused(self, database: Path, copy: Path, damage: str) -> None:
        if damage == "cut":
            copy.write_bytes(copy.read_bytes()[:-8192])
        elif damage == "text":
            copy.write_text("not a database, but long enough to look at" * 100)
        elif damage == "absent":
            copy.unlink()
        else:
            change = "DROP TABLE alembic_version" if damage == "foreign" else (
                "UPDATE alembic_version SET version_num = '9999'"
            )  # fmt: skip
            with closing(sqlite3.connect(copy)) as connection, connection:
                connection.execute(change)
        self.mark(database, "mine")
        assert self.restored(copy, database, "--force") == store.FAILED
        assert self.marks(database) == ["mine"]
