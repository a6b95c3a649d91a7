"""`python -m app.store` where it cannot do what it is asked for: status, words, and nothing touched."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app import store
from app.services.storage import tables
from app.settings import load_settings
from tests.test_store_command import PASSWORD, ROOT, command


@pytest.mark.parametrize("moment", ["garbage", "2026-13-01", "999999999999"])
def test_what_is_no_time_is_wrong_use_with_an_example(
    capsys: pytest.CaptureFixture[str], moment: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        store.main(["rebuild-heatmap", "--from", moment])
    assert f"{moment!r} is no time such as 2026-01-15" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["status", "verify"])
def test_a_folder_and_a_file_of_something_else_are_named_and_left_alone(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = command(capsys, "--file", str(tmp_path), name)
    assert (code, "a folder and not a file" in said) == (1, True)
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE theirs (id)")
        connection.execute("INSERT INTO theirs VALUES (7)")
        connection.commit()
    code, said = command(capsys, "--file", str(foreign), name)
    assert code == 1
    assert ("not of this service" in said) is (name == "status")
    with closing(sqlite3.connect(foreign)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
        assert connection.execute("SELECT id FROM theirs").fetchall() == [(7,)]


def test_a_wrong_setting_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"mysql://app:{PASSWORD}@db/signals")
    code, said = command(capsys, "status")
    assert (code, "DATABASE_URL" in said) == (2, True)


@pytest.mark.parametrize("name", ["migrate", "status", "retention"])
def test_a_server_that_does_not_answer_gives_1_and_no_password(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://app:{PASSWORD}@127.0.0.1:1/signals")
    assert command(capsys, name)[0] == 1


def test_it_runs_as_a_module_on_a_file_whatever_the_settings_are(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.store", "--file", str(tmp_path / "store.db"), "migrate"],
        cwd=ROOT,
        env={"DATABASE_URL": "nonsense"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"SQLite, {tmp_path / 'store.db'}: migrated empty -> {tables.HEAD}\n"


def test_the_settings_name_tables_that_retention_knows() -> None:
    days = load_settings({"RETENTION_FUNDING_DAYS": "7"}).retention_days()
    assert store.Keep(**days).funding_rate == 7
    assert (days["liquidations"], days["futures_oi_ohlc"]) == (90, 365)
