"""How our swings, breaks, blocks, pools and sessions differ from the public package's, counted. docs/smc.md
explains each line and shows it; a change of the engine that moves a number here has to be explained there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.smc.bars import Bars
from app.core.smc.records import SmcRun
from app.core.smc.run import run_smc
from app.core.smc.sessions import SESSIONS, session_columns
from tests.smc_facts import SETS, oracle_bars, oracle_rows
from tests.smc_reference import reference_blocks, reference_breaks, reference_pools, reference_swings

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "smc.md"
# set -> what -> (both, only ours, only the package's)
COUNTS = {
    "eurusd_15m": {"swings": (2546, 414, 162), "pivots": (2506, 205, 202), "breaks": (980, 191, 149)}
    | {"blocks": (1000, 171, 85)},
    "btcusdt_perp_15m": {"swings": (875, 170, 46), "pivots": (867, 91, 54), "breaks": (326, 73, 42)}
    | {"blocks": (329, 70, 27)},
    "xrpusdt_perp_5m": {"swings": (221, 27, 14), "pivots": (218, 14, 17), "breaks": (72, 15, 10)}
    | {"blocks": (70, 17, 8)},
}
# set -> (pools of ours, of the package; its blocks still shown at the end)
POOLS = {"eurusd_15m": (241, 498, 66), "btcusdt_perp_15m": (66, 203, 44), "xrpusdt_perp_5m": (21, 58, 23)}
# set -> bars in the London session: (ours, the package's, on which they differ)
LONDON = {
    "eurusd_15m": (8666, 9427, 971),
    "btcusdt_perp_15m": (3060, 3330, 270),
    "xrpusdt_perp_5m": (714, 763, 119),
}


def compare(ours: set[tuple[int, int]], theirs: set[tuple[int, int]]) -> tuple[int, int, int]:
    return len(ours & theirs), len(ours - theirs), len(theirs - ours)


def pairs(i: np.ndarray, direction: np.ndarray) -> set[tuple[int, int]]:
    return set(zip(i.tolist(), direction.tolist(), strict=True))


def counted(bars: Bars, run: SmcRun) -> dict[str, tuple[int, int, int]]:
    swings = reference_swings(bars, 5)
    theirs = {(i, d) for i, d, _ in swings}
    breaks = {(event.i, event.dir) for event in reference_breaks(bars, swings, is_wick=False)}
    blocks = {(block.i, block.dir) for block in reference_blocks(bars, swings, is_close=False)}
    return {
        "swings": compare(pairs(run.swings.i, run.swings.dir), theirs),
        "pivots": compare(pairs(run.pivots.i, run.pivots.dir), theirs),
        "breaks": compare(pairs(run.breaks.swing_i, run.breaks.dir), breaks),
        "blocks": compare(pairs(run.blocks.i, run.blocks.dir), blocks),
    }


@pytest.mark.parametrize("name", SETS)
def test_every_difference_is_counted_and_told(name: str) -> None:
    bars = oracle_bars(name)
    run, told = run_smc(bars), DOCUMENT.read_text()
    found = counted(bars, run)
    assert found == COUNTS[name]
    swings = reference_swings(bars, 5)
    left = sum(block.erased_at is None for block in reference_blocks(bars, swings, is_close=False))
    assert (run.pools.dir.size, len(reference_pools(bars, swings, 0.01)), left) == POOLS[name]
    for both, ours, theirs in found.values():
        assert f"{both:,} / {ours:,} / {theirs:,}" in told


@pytest.mark.parametrize("name", SETS)
def test_the_packages_london_is_utc_with_the_end_inside(name: str) -> None:
    bars = oracle_bars(name)
    theirs = np.array([int(float(row["Active"])) for row in oracle_rows(name, "sessions_london")]) == 1
    ours = session_columns(bars, next(one for one in SESSIONS if one.name == "london")).is_active
    assert (ours.sum(), theirs.sum(), (ours != theirs).sum()) == LONDON[name]
    minutes = (bars.close_ms - bars.interval_ms) // 60_000 % 1440
    # 07:00 UTC all year, 16:00 inside.
    assert (minutes[theirs].min(), minutes[theirs].max()) == (7 * 60, 16 * 60)
    assert (theirs == ((minutes >= 7 * 60) & (minutes <= 16 * 60))).all()


def test_most_blocks_the_package_shows_are_later_withdrawn_and_ours_never() -> None:
    rows = [row for row in oracle_rows("xrpusdt_perp_5m", "known_at") if row["kind"] == "ob"]
    assert (len(rows), sum(bool(row["gone_at"]) for row in rows)) == (89, 68)
