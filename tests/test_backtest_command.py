"""`python -m app.backtest` as a user meets it: what it writes, what it refuses, twice the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.backtest import main
from app.store import main as store

DATA = Path(__file__).parents[2] / "shared" / "data"
FILES = ("report.html", "report.json", "report.md")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="recorded data ../shared/data is not here")
PERIOD = ("--from", "2026-01-10", "--to", "2026-02-10")


def demo(out: Path, *more: str) -> list[str]:
    return ["--demo", "--symbols", "BTC,SOL", "--from", "2024-12-20", "--out", str(out), *more]


def test_two_runs_write_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(demo(tmp_path / "one")) == 0
    first = capsys.readouterr().out
    assert main(demo(tmp_path / "two")) == 0
    assert capsys.readouterr().out == first
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (tmp_path / "one" / "report.md").read_text() == first


def test_a_simulated_run_says_so_and_its_figures_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *demo(tmp_path)]) == 0
    assert "SIMULATED" in capsys.readouterr().out
    assert "SIMULATED" in (tmp_path / "report.html").read_text()
    whole = json.loads((tmp_path / "report.json").read_text())
    report, record = whole["report"], whole["report"]["record"]
    assert [coin["base"] for coin in report["coins"]] == ["BTC", "SOL"]
    assert record["evaluations"] == record["long"] + record["short"] + record["neutral"]
    headline = next(one for one in record["horizons"] if one["horizon"] == record["headline"])
    assert headline["engine"]["emitted"] == record["long"] + record["short"]
    assert whole["weights"]["candidates"] > 200
    assert whole["summary"] in (tmp_path / "report.md").read_text()


def test_weights_are_proposed_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", *demo(tmp_path / "none")]) == 0
    text = capsys.readouterr().out
    assert "Weights that the past would have chosen" in text
    assert "| fold |" in text
    assert not (tmp_path / "none").exists()


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
    ],
)
def test_what_cannot_be_run_is_refused_in_words(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


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
