"""The command: arguments, exit status, summary, progress, and a demo run from end to end."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from app.backfill import main
from app.backfill_parts import BackfillStore, OpenStore
from app.backfill_text import series_table
from app.core.clock import Clock, SystemClock
from app.core.domain.market import HOUR_MS
from app.core.domain.stored import CandleRow, FundingRow, RatioRow
from app.core.errors import StorageUnavailable
from app.progress_line import ProgressLine
from app.services.backfill_report import Outcome, SeriesReport
from app.settings import Settings
from app.simulator_child import SimulatorChild
from tests.live_rig import forget_logging
from tests.memory_store import MemoryStore


@pytest.fixture(autouse=True)
def clean_surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings from outside, and no log handler left behind."""
    for name in ("COINGLASS_API_KEY", "CG_API_KEY", "DATA_MODE", "REDIS_URL", "ENV"):
        monkeypatch.delenv(name, raising=False)
    yield
    forget_logging()


def opening(store: MemoryStore) -> OpenStore:
    @asynccontextmanager
    async def open_store(_settings: Settings, _clock: Clock) -> AsyncIterator[BackfillStore]:
        try:
            yield BackfillStore(store, store, store, store)
        finally:
            await store.aclose()

    return open_store


class TestArguments:
    @pytest.mark.parametrize(
        ("argv", "words"),
        [
            ([], "--symbols is needed"),
            (["--symbols", ","], "--symbols is needed"),
            (["--symbols", "BTC", "--days", "0"], "--days"),
            (["--symbols", "BTC", "--days", "x"], "--days"),
            (["--symbols", "BTC", "--interval", "7m"], "--interval"),
            (["--symbols", "BTC", "--series", "candles,prices"], "prices is none of"),
            (["--from", "x", "--days", "3"], "--days does not apply"),
        ],
    )
    def test_what_makes_no_sense_is_status_two(
        self, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 2
        assert words in capsys.readouterr().err

    def test_a_setting_that_makes_no_sense_is_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PORT", "many")
        assert main(["--symbols", "BTC"], open_store=opening(MemoryStore())) == 2
        assert "PORT" in capsys.readouterr().err

    def test_a_replay_is_told_to_load_its_folder(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("DATA_MODE", "replay")
        monkeypatch.setenv("REPLAY_DATA", ".")
        monkeypatch.setenv("REPLAY_START", "2026-01-15")
        assert main(["--symbols", "BTC"], open_store=opening(MemoryStore())) == 2
        assert "--from FOLDER" in capsys.readouterr().err

    def test_a_folder_that_is_not_there_is_status_two(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--from", "nowhere"], open_store=opening(MemoryStore())) == 2
        assert "nowhere" in capsys.readouterr().err


class TestDemo:
    ARGV = ("--demo", "--symbols", "BTC,ethusdt", "--days", "2")

    def test_it_fills_the_store_and_says_what_it_did(self, capsys: pytest.CaptureFixture[str]) -> None:
        store = MemoryStore()
        assert main(self.ARGV, open_store=opening(store)) == 0
        said = capsys.readouterr()
        assert "0 series failed" in said.out
        assert "pages" in said.err
        assert "\r" not in said.err  # not a terminal: no control characters
        assert "\033" not in said.err
        assert {row.symbol for row in store.of(CandleRow)} == {"BTC", "ETH"}
        assert {row.exchange for row in store.of(FundingRow)} == {"OKX", "ALL"}
        assert {row.scope for row in store.of(RatioRow)} == {"global_account", "top_account", "top_position"}
        assert main(self.ARGV, open_store=opening(store)) == 0
        assert "0 bars stored" in capsys.readouterr().out

    def test_only_the_series_asked_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        store = MemoryStore()
        assert main((*self.ARGV, "--series", "funding"), open_store=opening(store)) == 0
        assert {type(row) for row in store.rows.values()} == {FundingRow}

    def test_a_symbol_that_nobody_lists_is_status_two(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(("--demo", "--symbols", "BTCC"), open_store=opening(MemoryStore())) == 2
        assert "'BTCC'" in capsys.readouterr().err

    def test_a_store_that_fails_is_status_one_and_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        class Full(MemoryStore):
            async def put_all(self, rows: object) -> None:
                raise StorageUnavailable("writing bars: database or disk is full")

        assert main((*self.ARGV, "--series", "candles"), open_store=opening(Full())) == 1
        assert "disk is full" in capsys.readouterr().out

    def test_ctrl_c_ends_it_after_the_page_with_what_was_stored(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        class Interrupted(MemoryStore):
            is_sent = False

            async def flush(self) -> None:
                if not self.is_sent:
                    self.is_sent = True
                    os.kill(os.getpid(), signal.SIGINT)
                await super().flush()

        store = Interrupted()
        assert main(self.ARGV, open_store=opening(store)) == 130
        said = capsys.readouterr()
        assert "stopping after the page" in said.err
        assert Outcome.STOPPED.value in said.out
        assert 0 < len(store.rows) < 48 * 20
        assert store.states
        # The next run goes on from there.
        rest = MemoryStore()
        rest.rows, rest.states = store.rows, store.states
        assert main(self.ARGV, open_store=opening(rest)) == 0
        assert Outcome.STOPPED.value not in capsys.readouterr().out


def test_live_without_a_key_the_public_part_is_filled_and_the_rest_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = MemoryStore()
    with SimulatorChild([]) as child:
        monkeypatch.setenv("OKX_BASE_URL", f"{child.base_url}/okx")
        assert main(("--symbols", "BTC", "--days", "1"), open_store=opening(store)) == 0
    said = capsys.readouterr().out
    assert "coinglass: not asked, no key is set" in said
    assert {row.source for row in store.rows.values()} == {"okx"}


class TestRealDatabase:
    """The store of the settings, as a user runs it."""

    @pytest.fixture
    def database(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'market.db'}")
        return tmp_path / "market.db"

    @staticmethod
    def candles(database: Path) -> list[tuple[str, int]]:
        with closing(sqlite3.connect(database)) as connection:
            return list(
                connection.execute("SELECT exchange, close_ms FROM price_ohlc ORDER BY exchange, close_ms")
            )

    def test_a_second_run_stores_only_what_came_since(
        self, database: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv = ("--demo", "--symbols", "BTC", "--series", "candles,taker-volume", "--days")
        assert main((*argv, "2")) == 0
        assert main((*argv, "3")) == 0
        assert main((*argv, "3")) == 0
        assert {exchange for exchange, _ in self.candles(database)} == {"Binance", "OKX"}
        assert_hourly(self.candles(database), days=3)

    def test_killed_it_goes_on_where_it_stopped(
        self, database: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv = ("--demo", "--symbols", "BTC", "--days", "25", "--series", "candles")
        child = subprocess.Popen(
            [sys.executable, "-m", "app.backfill", *argv], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert child.stderr is not None
        with child.stderr:
            assert b"pages" in child.stderr.readline()
            child.kill()
        child.wait()
        before = self.candles(database)
        assert before
        assert main(argv) == 0
        assert set(before) <= set(self.candles(database))
        assert_hourly(self.candles(database), days=25)
        assert "0 series failed" in capsys.readouterr().out

    def test_a_database_of_another_mode_is_refused(
        self, database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(("--demo", "--symbols", "BTC", "--series", "funding", "--days", "1")) == 0
        (tmp_path / "btcusdt_perp_okx_1h.csv").write_text("open_time_ms,open,high,low,close,volume\n")
        assert main(("--from", str(tmp_path))) == 2
        assert "demo data" in capsys.readouterr().err


class TestFolder:
    def test_a_folder_is_loaded_and_summed_up(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "btcusdt_perp_okx_1h.csv").write_text(
            "open_time_ms,open,high,low,close,volume\n1764932400000,1,2,1,2,3\n1764936000000,1,2,1,x,3\n"
        )
        store = MemoryStore()
        assert main(("--from", str(tmp_path)), open_store=opening(store)) == 0
        said = capsys.readouterr().out
        assert "1 candles" in said
        assert "1 left out: close is no number" in said
        assert "of these rows 1 were new or changed, 0 were there already" in said
        assert len(store.rows) == 1
        assert main(("--from", str(tmp_path)), open_store=opening(store)) == 0
        assert "of these rows 1 were new or changed, 1 were there already" in capsys.readouterr().out

    @pytest.mark.parametrize("data_mode", ["live", "replay"])
    def test_rows_older_than_they_are_kept_are_loaded_and_counted(
        self,
        tmp_path: Path,
        data_mode: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        now_ms = SystemClock().now_ms() // HOUR_MS * HOUR_MS
        times = [now_ms - hours * HOUR_MS for hours in (800 * 24, 731 * 24, 729 * 24, 729 * 24 - 1)]
        lines = [f"{at_ms},1,2,1,2,3" for at_ms in times]
        (tmp_path / "btcusdt_perp_okx_1h.csv").write_text(
            "\n".join(["open_time_ms,open,high,low,close,volume", *lines])
        )
        monkeypatch.setenv("DATA_MODE", data_mode)
        monkeypatch.setenv("REPLAY_DATA", str(tmp_path))
        monkeypatch.setenv("REPLAY_START", "2026-01-15")
        store = MemoryStore()
        assert main(("--from", str(tmp_path)), open_store=opening(store)) == 0
        assert len(store.rows) == 4
        said = capsys.readouterr().out
        # A replay has a time of its own.
        assert ("2 candles are older than they are kept" in said) is (data_mode == "live")
        assert ("older" in said) is (data_mode == "live")

    def test_a_file_that_cannot_be_read_is_status_one(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "btcusdt_perp_okx_1h.csv.gz").write_bytes(b"no gzip")
        assert main(("--from", str(tmp_path)), open_store=opening(MemoryStore())) == 1
        assert "FAILED" in capsys.readouterr().out


def assert_hourly(candles: list[tuple[str, int]], *, days: int) -> None:
    """One bar an hour on every exchange, each once, without a hole; the newest may not be final yet."""
    for exchange in {name for name, _ in candles}:
        closes = [close_ms for name, close_ms in candles if name == exchange]
        assert closes == list(range(closes[0], closes[-1] + 1, HOUR_MS))
        assert days * 24 - 1 <= len(closes) <= days * 24 + 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    def test_a_terminal_gets_one_line_that_redraws_itself(self) -> None:
        out, now = Terminal(), [0.0]
        line = ProgressLine(out, unit="pages", monotonic=lambda: now[0])
        now[0] = 6.0
        line.show(3, 4, "okx candles BTC")
        line.close()
        assert "3/4 pages, about 2 s left" in out.getvalue()
        assert out.getvalue().count("\n") == 1

    def test_a_log_gets_a_line_for_every_tenth(self) -> None:
        out = io.StringIO()
        line = ProgressLine(out, unit="pages", monotonic=lambda: 0.0)
        for done in range(1, 201):
            line.show(done, 200, "x")
        line.close()
        assert out.getvalue().count("\n") == 11

    def test_work_without_pieces_is_shown_as_a_share(self) -> None:
        out, now = Terminal(), [0.0]
        line = ProgressLine(out, monotonic=lambda: now[0])
        now[0] = 6.0
        line.show_part("evaluating BTC", 0.75)
        line.close()
        assert "75 %, about 2 s left  evaluating BTC" in out.getvalue()
        assert out.getvalue().count("#") == 22

    def test_a_share_in_a_log_is_a_line_for_every_tenth(self) -> None:
        out = io.StringIO()
        line = ProgressLine(out, monotonic=lambda: 0.0)
        for k in range(501):
            line.show_part("baselines", k / 500)
        line.close()
        assert out.getvalue().splitlines()[0] == "0 %: baselines"
        assert out.getvalue().splitlines()[-1] == "100 %: baselines"
        assert out.getvalue().count("\n") == 11

    def test_a_share_out_of_bounds_is_cut(self) -> None:
        out = Terminal()
        line = ProgressLine(out, monotonic=lambda: 0.0)
        line.show_part("x", -0.2)
        line.show_part("x", 1.2)
        line.close()
        assert "] 0 %" in out.getvalue()
        assert "] 100 %" in out.getvalue()

    def test_nothing_to_do_shows_nothing(self) -> None:
        out = Terminal()
        line = ProgressLine(out, unit="pages", monotonic=lambda: 0.0)
        line.show(0, 0, "x")
        line.close()
        assert out.getvalue() == ""


def test_the_summary_names_what_failed_and_why() -> None:
    report = SeriesReport("okx", "candles", "BTC", "1h", outcome=Outcome.ERROR, detail="okx x: HTTP 503")
    report.from_ms, report.to_ms = 1_764_932_400_000, 1_764_936_000_000
    said = series_table([report])
    assert "error" in said
    assert "2025-12-05T11:00Z .. 2025-12-05T12:00Z  (okx x: HTTP 503)" in said
    assert "1 series failed" in said
