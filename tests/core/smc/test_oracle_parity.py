"""Where our definitions say the public package should agree, it does; and its own definitions, written down
in `tests.smc_reference`, give its files row for row, so that every difference counted elsewhere has a cause.
"""

from __future__ import annotations

import numpy as np
import pytest

from app.core.smc.bars import NEVER
from app.core.smc.config import SmcConfig
from app.core.smc.gaps import join_gaps
from app.core.smc.periods import Period, period_start_ms, previous_levels
from app.core.smc.run import run_smc
from tests.smc_facts import SETS, oracle_bars, oracle_rows
from tests.smc_reference import reference_blocks, reference_breaks, reference_pools, reference_swings

AGELESS = SmcConfig(max_age_bars=1_000_000)  # the package knows no age
sets = pytest.mark.parametrize("name", SETS)


def whole(text: str) -> int:
    return int(float(text))


@sets
def test_fair_value_gaps_and_their_first_touch_equal_the_oracles(name: str) -> None:
    gaps = run_smc(oracle_bars(name), AGELESS).gaps
    touched = np.where(gaps.touched_at == NEVER, 0, gaps.touched_at)  # the package writes 0 for never
    got = zip(gaps.i, gaps.dir, gaps.top, gaps.bottom, touched, strict=True)
    expected = [
        (
            whole(row["i"]),
            whole(row["FVG"]),
            float(row["Top"]),
            float(row["Bottom"]),
            whole(row["MitigatedIndex"]),
        )
        for row in oracle_rows(name, "fvg")
    ]
    assert [tuple(row) for row in got] == expected


@sets
def test_joined_gaps_equal_the_oracles(name: str) -> None:
    bars = oracle_bars(name)
    got = []
    for gap in join_gaps(run_smc(bars, AGELESS).gaps):
        price, near = (bars.low, gap.top) if gap.dir > 0 else (-bars.high, -gap.bottom)
        hits = np.flatnonzero(price[gap.last_i + 2 :] <= near)
        touched = int(hits[0]) + gap.last_i + 2 if hits.size else 0
        got.append((gap.last_i, gap.dir, gap.top, gap.bottom, touched))
    expected = [
        (
            whole(row["i"]),
            whole(row["FVG"]),
            float(row["Top"]),
            float(row["Bottom"]),
            whole(row["MitigatedIndex"]),
        )
        for row in oracle_rows(name, "fvg_joined")
    ]
    assert got == expected


@sets
@pytest.mark.parametrize(("period", "file"), [(Period.HOURS_4, "4h"), (Period.DAY, "1D")])
def test_previous_levels_differ_on_the_first_bar_of_a_period_only(
    name: str, period: Period, file: str
) -> None:
    bars = oracle_bars(name)
    rows = oracle_rows(name, f"previous_high_low_{file}")
    levels = previous_levels(bars, period)
    starts = np.array([period_start_ms(period, int(open_ms)) for open_ms in bars.close_ms - bars.interval_ms])
    is_first = np.append(True, starts[1:] != starts[:-1])
    for column, ours in (("PreviousHigh", levels.high), ("PreviousLow", levels.low)):
        theirs = np.array([float(row[column] or "nan") for row in rows])
        same = np.isclose(theirs, ours, rtol=1e-6, equal_nan=True)
        # There the package still shows the period before last.
        assert (same | is_first).all()
        assert 0 < (~same).sum() <= is_first.sum()


@sets
@pytest.mark.parametrize("n", [5, 10])
def test_the_packages_swings_follow_from_its_definition(name: str, n: int) -> None:
    expected = [
        (whole(row["i"]), whole(row["HighLow"]), float(row["Level"]))
        for row in oracle_rows(name, f"swings_n{n}")
    ]
    assert reference_swings(oracle_bars(name), n) == expected


@sets
@pytest.mark.parametrize(
    ("file", "n", "is_wick"), [("n5_close", 5, False), ("n5_wick", 5, True), ("n10_close", 10, False)]
)
def test_the_packages_breaks_follow_from_its_definition(name: str, file: str, n: int, is_wick: bool) -> None:
    bars = oracle_bars(name)
    found = reference_breaks(bars, reference_swings(bars, n), is_wick=is_wick)
    expected = [
        (whole(row["i"]), whole(row["BOS"] or row["CHOCH"]), bool(row["CHOCH"]), whole(row["BrokenIndex"]))
        for row in oracle_rows(name, f"bos_choch_{file}")
    ]
    assert [(event.i, event.dir, event.is_choch, event.broken_at) for event in found] == expected


# Blocks the definition keeps and the file lacks. EURUSD: a body that closed at the bottom exactly, which as
# float32 lies above it, so the package broke and then erased it. XRP: made of the forced swing at bar 0.
LACKING = {("eurusd_15m", "n5_close"): {(3068, 1)}, ("xrpusdt_perp_5m", "n10_wick"): {(0, 1)}}


@sets
@pytest.mark.parametrize(
    ("file", "n", "is_close"), [("n5_wick", 5, False), ("n5_close", 5, True), ("n10_wick", 10, False)]
)
def test_the_packages_blocks_follow_from_its_definition(name: str, file: str, n: int, is_close: bool) -> None:
    bars = oracle_bars(name)
    made = reference_blocks(bars, reference_swings(bars, n), is_close=is_close)
    left = {(block.i, block.dir): block for block in made if block.erased_at is None}
    rows = oracle_rows(name, f"ob_{file}")
    assert set(left) - {(whole(row["i"]), whole(row["OB"])) for row in rows} == LACKING.get(
        (name, file), set()
    )
    for row in rows:
        block = left[whole(row["i"]), whole(row["OB"])]
        # The bullish bar is one early in the package.
        broken = 0 if block.broken_at is None else block.broken_at - (block.dir > 0)
        assert whole(row["MitigatedIndex"]) == broken
        figures = [float(row[key]) for key in ("Top", "Bottom", "OBVolume", "Percentage")]
        np.testing.assert_allclose(
            figures, [block.top, block.bottom, block.volume, block.percentage], rtol=1e-5
        )


@sets
@pytest.mark.parametrize("n", [5, 10])
def test_the_packages_pools_follow_from_its_definition(name: str, n: int) -> None:
    bars = oracle_bars(name)
    found = reference_pools(bars, reference_swings(bars, n), 0.01)
    expected = [
        tuple(whole(row[key]) for key in ("i", "Liquidity", "End", "Swept"))
        for row in oracle_rows(name, f"liquidity_n{n}_1pct")
    ]
    assert [(pool.i, pool.dir, pool.end, pool.swept) for pool in found] == expected
