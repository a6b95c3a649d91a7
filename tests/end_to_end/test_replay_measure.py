"""`python -m app.replay measure`: recorded data in, the same JSON and Markdown out every time."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.core.domain.market import DAY_MS, HOUR_MS
from app.replay import main, measure
from app.replay_report import Measurement
from tests.live_rig import forget_logging

SHARED = Path(__file__).parents[3] / "shared" / "data"
START_MS = 1_750_003_200_000 // DAY_MS * DAY_MS
HOURS = 40 * 24
CANDLES = "open_time_ms,open,high,low,close,volume"
COINGLASS = "time_ms,liquidation_long_usd,liquidation_short_usd,oi_close,oi_weight_close"


def write(path: Path, header: str, rows: Iterable[Sequence[object]]) -> None:
    text = "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def price(hour: int) -> float:
    return 60_000 + 2500 * math.sin(hour / 31) + 400 * math.sin(hour / 3.7)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty days of one coin: candles of two exchanges, liquidations, open interest, funding, the index."""
    folder = tmp_path_factory.mktemp("recorded")
    stamps = [START_MS + hour * HOUR_MS for hour in range(HOURS)]
    for exchange in ("binance", "okx"):
        bars = [
            (at_ms, price(n), price(n) + 90, price(n) - 90, price(n + 0.5), 100 + n % 7)
            for n, at_ms in enumerate(stamps)
        ]
        write(folder / "candles" / f"btcusdt_perp_{exchange}_1h.csv.gz", CANDLES, bars)
    flows = [
        (at_ms, 1e6 * (2 + math.sin(n / 5)), 1e6 * (2 + math.cos(n / 7)), 1e10 + 1e8 * math.sin(n / 11), 0.01)
        for n, at_ms in enumerate(stamps)
    ]
    write(folder / "coinglass_btc_1h_all.csv", COINGLASS, flows)
    index = [(START_MS + day * DAY_MS, 30 + day) for day in range(HOURS // 24)]
    write(folder / "sentiment" / "fear_greed_daily.csv", "time_ms,value", index)
    return folder


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def run(folder: Path, out: Path, *, start_ms: int, hours: int) -> tuple[bytes, bytes]:
    """Run the command; the two files it wrote."""
    arguments = ["measure", "--data", str(folder), "--symbol", "BTC", "--step", "1h", "--out", str(out)]
    arguments += ["--from", iso(start_ms), "--to", iso(start_ms + (hours - 1) * HOUR_MS)]
    assert main(arguments) == 0
    stem = out / "btc-recorded"
    return stem.with_suffix(".json").read_bytes(), stem.with_suffix(".md").read_bytes()


def test_the_same_recording_gives_byte_identical_files(recorded: Path, tmp_path: Path) -> None:
    start_ms = START_MS + 35 * DAY_MS
    first = run(recorded, tmp_path / "first", start_ms=start_ms, hours=4)
    second = run(recorded, tmp_path / "second", start_ms=start_ms, hours=4)
    assert first == second
    found = json.loads(first[0])
    assert found["symbol"] == "BTC"
    assert found["unanswered"] == {}
    assert found["distribution"]["steps"] == 4
    markdown = first[1].decode()
    assert "NEUTRAL" in markdown
    assert "app.replay measure" in markdown  # the command that reproduces it


def test_a_window_that_ends_before_it_begins_is_refused(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    window = ["--from", iso(START_MS + DAY_MS), "--to", iso(START_MS)]
    status = main(["measure", "--data", str(recorded), *window, "--out", str(tmp_path / "out")])
    assert status == 2
    assert "before" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not SHARED.is_dir(), reason="recorded data ../shared/data is not here")
async def test_a_day_of_real_hours_has_the_coverage_that_was_recorded() -> None:
    start_ms = int(datetime(2026, 1, 20, tzinfo=UTC).timestamp() * 1000)

    async def a_day(symbol: str) -> Measurement:
        return await measure(
            data=str(SHARED),
            symbol=symbol,
            start_ms=start_ms,
            end_ms=start_ms + 23 * HOUR_MS,
            step="1h",
            seed=7,
            progress=lambda _done_frac: None,
        )

    # One after the other: each is two processes, and an hour that misses its deadline has less coverage.
    bitcoin, ether = await a_day("BTC"), await a_day("ETH")
    forget_logging()
    assert bitcoin.unanswered == ether.unanswered == {}
    assert bitcoin.distribution.coverage_steps == {0.65: 24}
    assert ether.distribution.coverage_steps == {0.45: 24}
    assert all(shares["NEUTRAL"] == 1 for shares in ether.distribution.shares.values())
    assert set(ether.distribution.missing_steps) == {"liquidations", "long_short", "smart_money", "social"}
