"""Windows of recorded candles against a count by hand, the verdicts, and the table that is shipped."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from app.backtest import main
from app.backtest_data import load_recordings
from app.core.backtest.setups import follow_setup
from app.core.backtest.sweep import (
    TABLE,
    TABLE_DISTANCES_ATR,
    ewma_sigmas,
    hourly_atr,
    join_windows,
    measure_sweeps,
    resolve_windows,
)
from app.core.calibration.hit_rates import build_hit_rates
from app.core.confluence.measured_rates import MEASURED
from app.core.confluence.scoring import enhance_zones
from app.core.confluence.setups import build_setup
from app.core.confluence.volatility import ewma_sigma
from app.core.domain.liquidity import Setup
from app.core.domain.market import HOUR_MS
from app.core.errors import InvariantViolation
from app.core.smc.bars import Bars, bars_of_columns
from tests.liquidity_facts import ATR, BLOCK, PRICE, example_clusters, market

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
FIVE_MS = 300_000


def walk(days: float, seed: int = 1, interval_ms: int = FIVE_MS, missing: int | None = None) -> Bars:
    size = int(days * 24 * HOUR_MS / interval_ms)
    rng = np.random.default_rng(seed)
    # Volatility that wanders, as markets' does.
    scale = 0.001 * np.exp(0.5 * np.sin(np.arange(size) / 700))
    close = 100 * np.exp(np.cumsum(rng.normal(0, scale)))
    open_ = np.append(100.0, close[:-1])
    high = np.maximum(open_, close) * (1 + rng.exponential(0.0003, size))
    low = np.minimum(open_, close) * (1 - rng.exponential(0.0003, size))
    closes = (np.arange(size) + 1) * interval_ms
    kept = np.ones(size, dtype=bool)
    if missing is not None:
        kept[missing] = False
    return bars_of_columns(
        interval_ms, closes[kept], open_[kept], high[kept], low[kept], close[kept], np.ones(kept.sum())
    )


def test_windows_equal_a_count_by_hand() -> None:
    bars = walk(12)
    found = resolve_windows(bars, 4.0, (1.0, 3.0))
    atr = hourly_atr(bars)
    expected = []
    for distance in (1.0, 3.0):
        for side in (1, -1):
            for t in range(7 * 288, len(bars) - 48, 48):
                level = bars.close[t] + side * distance * atr[t]
                later = range(t + 1, t + 49)
                hit = any(bars.high[k] >= level if side > 0 else bars.low[k] <= level for k in later)
                expected.append(
                    (int(bars.close_ms[t]), distance, abs(math.log(level / bars.close[t])), float(hit))
                )
    got = zip(found.at_ms.tolist(), found.distance_atr, found.distance_log, found.hit, strict=True)
    assert [tuple(row) for row in got] == [pytest.approx(row) for row in expected]


def test_a_window_over_a_hole_is_left_out() -> None:
    whole, holed = (resolve_windows(walk(9, missing=hole), 4.0, (1.0,)) for hole in (None, 7 * 288 + 100))
    gone_ms = walk(9).close_ms[7 * 288 + 100]
    assert any(at < gone_ms <= at + 4 * HOUR_MS for at in whole.at_ms)
    assert not any(at < gone_ms <= at + 4 * HOUR_MS for at in holed.at_ms)
    assert len(holed) == len(whole) - 2


def test_what_a_window_knows_is_the_past() -> None:
    bars = walk(8)
    atr, sigma = hourly_atr(bars), ewma_sigmas(bars, 6.0)
    for t in (300, 1_007, 2_000):
        cut = bars_of_columns(
            FIVE_MS,
            bars.close_ms[: t + 1],
            *(column[: t + 1] for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)),
        )
        assert hourly_atr(cut)[-1] == atr[t]
        assert ewma_sigmas(cut, 6.0)[-1] == sigma[t]
        assert ewma_sigma(cut.close.tolist(), FIVE_MS, 6.0) == pytest.approx(sigma[t])


def test_the_table_ships_unless_it_is_beaten_by_more_than_chance() -> None:
    windows = join_windows([resolve_windows(walk(120, seed), 4.0, (0.5, 1.0, 2.0)) for seed in (1, 2)])
    split_ms = int(np.median(windows.at_ms))
    report = measure_sweeps(windows, split_ms, 4.0)
    by_name = {one.name: one for one in report.scored}
    assert by_name[TABLE].brier < by_name["constant rate"].brier
    assert by_name["constant rate"].against_table.low > 0  # type: ignore[union-attr]
    best = min(report.scored, key=lambda one: one.brier)
    expected = best.name if best.against_table is not None and best.against_table.high < 0 else TABLE
    assert report.ships == expected
    assert report.train_n + report.test_n <= len(windows)


def test_too_few_windows_are_refused() -> None:
    windows = resolve_windows(walk(14), 4.0, (1.0,))
    with pytest.raises(InvariantViolation, match="500 are needed"):
        measure_sweeps(windows, int(np.median(windows.at_ms)), 4.0)


def test_the_shipped_table_is_what_the_recordings_say() -> None:
    if not DATA.is_dir():
        pytest.skip("no recorded data: the shared folder is not beside the project")
    recordings = load_recordings(DATA, HOUR_MS)
    for table in MEASURED:
        windows = join_windows(
            [resolve_windows(one.bars, table.horizon_h, TABLE_DISTANCES_ATR) for one in recordings]
        )
        again = build_hit_rates(table.horizon_h, windows.distance_atr, windows.hit)
        assert again.n == table.n
        assert again.rate == pytest.approx(table.rate, abs=5e-5)


def test_the_command_prints_the_table_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "--data", str(tmp_path)]) == 2
    assert "no recorded candles" in capsys.readouterr().err
    rows = walk(125)
    lines = ["open_time_ms,open,high,low,close,volume"]
    columns = (rows.close_ms - FIVE_MS, rows.open, rows.high, rows.low, rows.close, rows.volume)
    lines += [",".join(map(repr, row)) for row in zip(*(c.tolist() for c in columns), strict=True)]
    (tmp_path / "abcusdt_perp_okx_5m.csv").write_text("\n".join(lines))
    out = tmp_path / "figures.json"
    assert main(["sweep", "--data", str(tmp_path), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "ABC perp, Okx 5m" in printed
    assert "| hit-rate table |" in printed
    assert "Shown at 24 h: **" in printed
    assert out.exists()


def test_plans_of_recorded_hours_are_followed_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setups", "--data", str(tmp_path)]) == 2
    assert "no recorded data" in capsys.readouterr().err
    bars = walk(24, interval_ms=HOUR_MS)
    opens = bars.close_ms - HOUR_MS
    columns = (opens, bars.open, bars.high, bars.low, bars.close, bars.volume)
    lines = [",".join(map(repr, row)) for row in zip(*(c.tolist() for c in columns), strict=True)]
    header = "open_time_ms,open,high,low,close,volume"
    (tmp_path / "abcusdt_perp_okx_1h.csv").write_text("\n".join([header, *lines]))
    coins = 9e4 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.004, len(bars))))
    interest = [f"{close},{coin},{coin * 100}" for close, coin in zip(bars.close_ms, coins, strict=True)]
    (tmp_path / "oi_okx_5m_abcusdt.csv").write_text("\n".join(["time_ms,oi_base,oi_usd", *interest]))
    out = tmp_path / "figures.json"
    assert main(["setups", "--data", str(tmp_path), "--json", str(out)]) == 0
    assert "| ABC perp, OKX 1h, open interest of OKX |" in capsys.readouterr().out
    (found,) = json.loads(out.read_text())["setups"]
    assert found["hours"] == len(bars) - 7 * 24
    assert 0 < found["with_plan"] == found["long"] + found["short"] <= found["hours"]
    assert found["target"] + found["stop"] <= found["filled"] <= found["followed"]


def test_an_ending_is_the_stops_where_a_bar_holds_both_and_never_the_fills_own_high() -> None:
    clusters = example_clusters()
    (zone,) = enhance_zones([BLOCK], clusters, PRICE, ATR)
    setup = build_setup(zone, clusters, market())
    assert isinstance(setup, Setup)  # long: entry 59,200, stop 58,787.5, target 60,877.5

    def ended(*rows: tuple[float, float]) -> tuple[str, float]:
        """(high, low) of the bars after the plan, the last closes at 59,500."""
        high, low = (np.array([PRICE, *column]) for column in zip(*rows, strict=True))
        close = np.clip(np.full(high.size, 59_500.0), low, high)
        times = (np.arange(high.size) + 1) * HOUR_MS
        bars = bars_of_columns(HOUR_MS, times, close, high, low, close, np.ones(high.size))
        end, result = follow_setup(setup, bars, 0)
        return end.name, result

    assert ended((60_000, 59_300)) == ("UNFILLED", 0.0)
    assert ended((61_000, 59_100), (60_000, 59_300)) == ("OPEN", pytest.approx(300 / 412.5))
    assert ended((60_000, 59_100), (61_000, 59_300)) == ("TARGET", setup.targets[0].reward_risk)
    assert ended((60_000, 59_100), (61_000, 58_700)) == ("STOP", -1.0)
    assert ended((60_000, 58_700)) == ("STOP", -1.0)
