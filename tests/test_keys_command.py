"""The command for keys: shown once, stored as a digest, said in `list`; and the hashed form of API_KEYS."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sqlite3
from pathlib import Path

import pytest

from app import keys
from app.api.options import digest_of
from app.settings import SettingsError, load_settings
from app.store import main as store_main

KEY = re.compile(r"cfs_[A-Za-z0-9_-]{43}\n")
OWN = "a-key-of-the-environment-8Kx2"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A migrated file that the settings point at."""
    monkeypatch.chdir(tmp_path)  # no .env of the project
    file = tmp_path / "store.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    monkeypatch.setenv("API_KEYS", f"ops:{OWN}:read")
    assert store_main(["migrate"]) == 0
    capsys.readouterr()
    return file


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = keys.main(args)
    out, err = capsys.readouterr()
    return code, out, err


def rows(file: Path, table: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(file) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - two names above


def test_a_key_is_shown_once_and_kept_as_its_digest(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "create", "bot", "--scopes", "read+debug", "--expires-days", "30")
    assert code == 0
    assert KEY.fullmatch(out)
    key = out.strip()
    assert key not in err
    assert "bot (debug+read), active, expires 2" in err
    ((name, digest, scopes, created_ms, expires_ms, *rest),) = rows(database, "api_keys")
    assert (name, digest, scopes) == ("bot", digest_of(key).hex(), "debug+read")
    assert isinstance(created_ms, int)
    assert expires_ms == created_ms + 30 * 86_400_000
    assert rest == [None, None]
    assert key.encode() not in b"".join(path.read_bytes() for path in database.parent.iterdir())


def test_two_keys_are_never_alike() -> None:
    made = {keys.new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(KEY.fullmatch(f"{one}\n") for one in made)


def test_revoked_and_written_down(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "create", "bot")
    assert run(capsys, "revoke", "bot")[0] == 0
    code, _, err = run(capsys, "revoke", "bot")
    assert code == 2
    assert "no key named bot to revoke" in err
    told = [(str(row[2])[:4], row[3], row[5]) for row in sorted(rows(database, "audit_log"), key=str)]
    assert told[1:] == [("cli:", "key.created", "bot read"), ("cli:", "key.revoked", "bot")]
    assert told[0][1] == "store.migrated"


def test_names_that_mean_two_things_are_refused(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "create", "ops")
    assert (code, out) == (2, "")
    assert "API_KEYS has a key named ops" in err
    run(capsys, "create", "bot")
    run(capsys, "revoke", "bot")
    code, out, err = run(capsys, "create", "bot")
    assert (code, out) == (2, "")
    assert "a name is given once" in err
    code, _, err = run(capsys, "revoke", "ops")
    assert code == 2
    assert "it is of API_KEYS: take it out there" in err


@pytest.mark.parametrize(
    "args", [("create", "a b"), ("create", "dashboard"), ("create", "x", "--scopes", "fly"), ("revoke",)]
    + [("create", "x", "--expires-days", days) for days in ("0", "-1", "4000", "soon")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        keys.main(args)
    assert stopped.value.code == 2


def test_the_list_shows_both_kinds_and_who_hides_whom(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = run(capsys, "create", "bot")[1].strip()
    monkeypatch.setenv("API_KEYS", f"bot:{OWN}:read+admin")
    code, out, _ = run(capsys, "list", "--json")
    shown = [(row["name"], row["source"], row["state"], row["scopes"]) for row in json.loads(out)]
    assert code == 0
    assert shown == [("bot", "environment", "active", "admin+read"), ("bot", "database", "shadowed", "read")]
    table = run(capsys, "list")[1]
    assert "shadowed" in table
    for text in (out, table):
        for secret in (key, OWN, digest_of(key).hex(), digest_of(OWN).hex()):
            assert secret not in text


def test_without_a_database_it_says_what_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///none.db")
    code, out, err = run(capsys, "create", "bot")
    assert (code, out) == (1, "")
    assert "no such file yet" in err


def test_an_open_deployment_is_told_that_it_is_open(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "asks nobody for a key" not in run(capsys, "create", "one")[2]
    monkeypatch.delenv("API_KEYS")
    assert "asks nobody for a key" in run(capsys, "create", "two")[2]


def test_as_many_keys_as_are_compared_and_no_more(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MAX_ACTIVE_KEYS", 1)
    assert run(capsys, "create", "one")[0] == 0
    code, _, err = run(capsys, "create", "two")
    assert code == 2
    assert "revoke one first" in err


class TestHash:
    def test_of_a_key_from_standard_input(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{OWN}\n"))
        code, out, err = run(capsys, "hash", "ops", "--scopes", "read+admin")
        assert (code, err) == (0, "")
        assert out == f"ops:sha256${digest_of(OWN).hex()}:admin+read\n"

    def test_of_a_new_key(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = run(capsys, "hash", "ops", "--new")
        key = err.split(": ", 1)[1].strip()
        assert code == 0
        assert KEY.fullmatch(f"{key}\n")
        assert out == f"ops:sha256${digest_of(key).hex()}:read\n"

    def test_a_short_one_is_refused(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
        code, out, err = run(capsys, "hash", "ops")
        assert (code, out) == (2, "")
        assert "short" not in err

    def test_the_entry_is_accepted_in_production(self, capsys: pytest.CaptureFixture[str]) -> None:
        entry = run(capsys, "hash", "ops", "--scopes", "admin", "--new")[1].strip()
        production = {"ENV": "prod", "PUBLIC_URL": "https://signals.test"}
        settings = load_settings({**production, "API_KEYS": entry})
        (key,) = settings.api_keys
        assert (key.name, key.scopes) == ("ops", {"admin"})
        assert key.at_rest is not None
        assert len(key.at_rest) == 32


@pytest.mark.parametrize(
    "value",
    [
        "ops:sha256$abc:read",
        f"ops:sha256${'A' * 64}:read",
        f"ops:sha256${'g' * 64}:read",
        f"sha256${'0' * 63}",
        f"a:{OWN}:read,b:sha256${digest_of(OWN).hex()}:read",  # one key under two names
    ],
)
def test_a_hashed_entry_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"API_KEYS": value})
    assert "API_KEYS" in str(refused.value)
    assert OWN not in str(refused.value)


def test_a_command_of_another_process_reaches_a_running_ring(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from app.services.keyring import Keyring
    from app.services.storage.access import SqlKeys
    from app.services.storage.engine import open_engine

    async def active() -> list[str]:
        engine = open_engine(f"sqlite:///{database}")
        ring = Keyring(SqlKeys(engine), wall_ms=lambda: 1)
        assert await ring.load()
        await engine.dispose()
        return [one.name for one in ring.active()]

    run(capsys, "create", "bot")
    assert asyncio.run(active()) == ["bot"]
    run(capsys, "revoke", "bot")
    assert asyncio.run(active()) == []
