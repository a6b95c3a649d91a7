"""`python -m app.backtest` as a user meets it: what it writes, what it refuses, twice the same bytes."""

from __future__ import annotations

import gzip
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from app.backtest import main
from app.backtest_market import Market, resolve_coins
from app.core.domain.context import DataMode
from app.core.domain.market import DAY_MS
from app.sim.market import CandleColumns
from app.sim.world import SyntheticWorld
from app.store import main as store

DATA = Path(__file__).parents[2] / "shared" / "data"
FILES = ("report.html", "report.json", "report.md")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="recorded data ../shared/data is not here")
PERIOD = ("--from", "2026-01-10", "--to", "2026-02-10")


def demo(out: Path, *more: str) -> list[str]:
    return ["--demo", "--symbols", "BTC,SOL", "--from", "2024-12-20", "--out", str(out), *more]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that a simulated run wrote, and what it printed."""
    folder, said = tmp_path_factory.mktemp("simulated"), io.StringIO()
    with redirect_stdout(said):
        assert main(["run", *demo(folder)]) == 0
    return folder, said.getvalue()


def test_two_runs_write_the_same_bytes(
    simulated: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, first = simulated
    assert main(demo(tmp_path / "two")) == 0
    assert capsys.readouterr().out == first
    for name in FILES:
        assert (folder / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (folder / "report.md").read_text() == first


def test_a_simulated_run_says_so_and_its_figures_agree(simulated: tuple[Path, str]) -> None:
    folder, said = simulated
    assert "SIMULATED" in said
    assert "SIMULATED" in (folder / "report.html").read_text()
    whole = json.loads((folder / "report.json").read_text())
    report, record = whole["report"], whole["report"]["record"]
    assert [coin["base"] for coin in report["coins"]] == ["BTC", "SOL"]
    assert record["evaluations"] == record["long"] + record["short"] + record["neutral"]
    headline = next(one for one in record["horizons"] if one["horizon"] == record["headline"])
    assert headline["engine"]["emitted"] == record["long"] + record["short"]
    assert whole["weights"]["candidates"] > 200
    assert whole["summary"] in (folder / "report.md").read_text()


def test_weights_are_proposed_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = demo(tmp_path)
    del flags[flags.index("--out") :]
    assert main(["weights", *flags]) == 0
    text = capsys.readouterr().out
    assert "Weights that the past would have chosen" in text
    assert "| fold |" in text
    assert list(tmp_path.iterdir()) == []


def test_weights_have_no_folder_to_write_to(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["weights", *demo(tmp_path)])
    assert stopped.value.code == 2


@pytest.mark.parametrize("typed", ["btc,BTC-USDT", "BTCUSDT", " Btc/USDT:USDT "])
def test_coins_may_be_spelt_as_at_every_other_door(
    typed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ["--from", "2025-01-25", "--to", "2025-01-28", "--out", str(tmp_path)]
    assert main(["--demo", "--symbols", typed, *short]) == 0
    assert capsys.readouterr().out.startswith("### BTC, 2025-01-25")


@needs_data
def test_a_recorded_run_leaves_out_coins_that_can_never_speak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(DATA), *PERIOD, "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "never have enough inputs for a direction: DOGE, ETH" in text
    report = json.loads((tmp_path / "report.json").read_text())["report"]
    assert [coin["base"] for coin in report["coins"]] == ["BTC"]
    assert report["data_mode"] == "replay"
    assert "/" not in report["source"]


@needs_data
def test_the_published_figures_are_what_the_command_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    period = ("--from", "2025-12-09T04:00", "--to", "2026-03-05")
    assert main(["--data", str(DATA), *period, "--out", str(tmp_path)]) == 0
    published = (Path(__file__).parents[1] / "docs" / "measured.md").read_text()
    missing = [line for line in capsys.readouterr().out.splitlines() if line not in published]
    assert missing == []


@needs_data
def test_without_a_period_it_runs_where_there_is_enough_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(DATA), "--out", str(tmp_path)]) == 0
    assert "### BTC, 2025-12-0" in capsys.readouterr().out


@needs_data
def test_a_coin_that_was_asked_for_is_run_and_said_to_be_silent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(DATA), "--symbols", "ETH", *PERIOD, "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())["report"]
    assert report["record"]["long"] == report["record"]["short"] == 0
    assert report["record"]["neutral"] > 700
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "no-such-folder"], "not found"),
        (["--demo", "--symbols", "NOSUCHCOIN"], "NOSUCHCOIN"),
        (["--demo", "--from", "2030-01-01"], "no moment"),
        (["--demo", "--symbols", "DOGEE"], "did you mean DOGE"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_many_coins_are_counted_and_not_listed() -> None:
    known = [f"COIN{number}" for number in range(345)]
    with pytest.raises(ValueError, match=r"no history of NOPE\. There is one of 345 coins\."):
        resolve_coins(["NOPE"], known)
    with pytest.raises(ValueError, match=r"did you mean COIN\d") as refused:
        resolve_coins(["COINS"], known)
    assert len(str(refused.value)) < 120


def recorded(folder: Path, *, days: int = 80) -> Path:
    """Hourly candles of BTC, as a recording: enough for a period, too little for a direction."""
    folder.mkdir()
    opens = (1_764_547_200_000 + hour * 3_600_000 for hour in range(24 * days))
    rows = (f"{at},{100 + k % 7},{108 + k % 3},{99 - k % 2},{101 + k % 5},10" for k, at in enumerate(opens))
    text = "\n".join(["open_time_ms,open,high,low,close,volume", *rows]) + "\n"
    (folder / "btcusdt_perp_okx_1h.csv").write_text(text)
    return folder


def test_a_coin_that_can_never_speak_is_run_over_its_candles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = recorded(tmp_path / "data", days=10)
    assert main(["--data", str(data), "--symbols", "BTC", "--out", str(tmp_path / "out")]) == 0
    assert "### BTC, 2025-12-01 01:00 to 2025-12-11 00:00 UTC" in capsys.readouterr().out


def test_a_step_finer_than_the_prices_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = recorded(tmp_path / "data", days=10)
    flags = ["--data", str(data), "--symbols", "BTC", "--out", str(tmp_path / "out")]
    assert main([*flags, "--step", "15m"]) == 2
    said = capsys.readouterr().err
    assert "--step 15m is finer than the prices of BTC" in said
    assert "bars of 1 h" in said


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ethusdt_perp_okx_1h.csv.gz", b"this is no archive"),
        ("ethusdt_perp_okx_1h.csv.gz", gzip.compress(b"open_time_ms,open\n" * 4_000, mtime=0)[:-30]),
        ("ethusdt_perp_okx_1h.csv", bytes(range(128, 256)) * 20),
        ("funding_multi_exchange_x.csv", b"time_ms,exchange\n1,okx\n"),
        ("funding_multi_exchange_x.csv", b"time_ms,exchange,symbol,funding_rate\nsoon,okx,BTC,0.1\n"),
        ("funding_multi_exchange_x.csv", b"time_ms,exchange,symbol,funding_rate\n1,okx,BTC,much\n"),
        ("events_okx_x.csv", b"time_ms,exchange\n\xff\xfe\x00"),
    ],
)
def test_a_broken_file_is_told_by_its_name_in_one_line(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = recorded(tmp_path / "data", days=2)
    (data / name).write_bytes(content)
    assert main(["--data", str(data), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if name in line] == said[-1:]


def test_a_broken_file_of_a_coin_that_nobody_asked_for_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = recorded(tmp_path / "data", days=10)
    (data / "ethusdt_perp_okx_1h.csv.gz").write_bytes(b"this is no archive")
    assert main(["--data", str(data), "--symbols", "BTC", "--out", str(tmp_path / "out")]) == 0
    assert "### BTC, " in capsys.readouterr().out


END_MS = 1_738_540_800_000  # 2025-02-03 00:00 UTC


class Delisted(SyntheticWorld):
    """A market that ETH left three weeks ago."""

    def candles(
        self, base: str, exchange: str, interval_ms: int, start_ms: int, end_ms: int
    ) -> CandleColumns:
        last_ms = END_MS - 21 * DAY_MS if base == "ETH" else end_ms
        return super().candles(base, exchange, interval_ms, start_ms, min(end_ms, last_ms))


@pytest.mark.parametrize("named", [(), ("--symbols", "BTC,ETH")])
def test_a_coin_that_ended_before_the_period_is_left_out_by_name_or_refused_by_name(
    named: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coins = ("BTC", "ETH")
    market = Market(Delisted(7, lambda: END_MS), coins, coins, DataMode.DEMO, "a world", END_MS)
    monkeypatch.setattr("app.backtest_run.open_market", lambda *_: market)
    flags = ["--demo", "--from", "2025-01-29", "--step", "4h", "--out", str(tmp_path / "out"), *named]
    status = main(flags)
    said = capsys.readouterr()
    if named:
        assert status == 2
        assert "no candles of ETH after 2025-01-29" in said.err
    else:
        assert status == 0, said.err
        assert "left out, because their candles end before 2025-01-29: ETH" in said.out
        assert "### ETH" not in said.out


@pytest.mark.parametrize("command", ["run", "sweep", "setups"])
def test_where_nothing_can_be_written_nothing_is_run(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    data = recorded(tmp_path / "data", days=2)
    for target in (tmp_path / "file", tmp_path / "file" / "below"):
        flag = ["--out", str(target)] if command == "run" else ["--json", str(target / "figures.json")]
        assert main([command, "--data", str(data), *flag]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"cannot write to {target}: ")
        assert said.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


class Stopping(io.StringIO):
    """A terminal at which somebody presses Ctrl-C once the coins are being evaluated."""

    is_pressed = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        found = super().write(text)
        if "evaluating" in text and not self.is_pressed:
            self.is_pressed = True
            raise KeyboardInterrupt
        return found


def test_who_stops_it_leaves_a_clean_line_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Stopping()
    monkeypatch.setattr("sys.stderr", terminal)
    assert main(demo(tmp_path / "out")) == 130
    assert terminal.is_pressed
    assert terminal.getvalue().endswith("\nstopped\n")
    assert not (tmp_path / "out").exists()


def test_help_shows_the_flags_of_the_default_command(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("-h", "--help"):
        with pytest.raises(SystemExit) as stopped:
            main([flag])
        assert stopped.value.code == 0
        said = capsys.readouterr().out
        assert all(name in said for name in ("--symbols", "--from", "--to", "--step", "--out", "sweep"))


@pytest.mark.parametrize(
    "arguments",
    [["--demo", "--from", "yesterday"], ["--demo", "--step", "7m"], ["--demo", "--store"], ["run"]],
)
def test_flags_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_an_empty_store_is_told_how_to_be_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    assert main(["--store", "--symbols", "BTC", "--out", str(tmp_path / "out")]) == 2
    assert "there is no such file yet" in capsys.readouterr().err
    assert store(["migrate"]) == 0
    capsys.readouterr()
    assert main(["--store", "--symbols", "BTC", "--out", str(tmp_path / "out")]) == 2
    assert "app.backfill" in capsys.readouterr().err
