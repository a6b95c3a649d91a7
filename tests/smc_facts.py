"""Candles for the Smart Money tests: made up ones full of ties, the oracle's when they are there, and tools
to compare two runs to the bit."""

from __future__ import annotations

import csv
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import strategies as st

from app.core.smc.bars import NEVER, Bars, bars_of_columns
from app.core.smc.config import DEFAULT_CONFIG, SmcConfig
from app.core.smc.engine import Candle, SmcEngine
from app.core.smc.records import Blocks, Breaks, Gaps, Pivots, Pools, Ranges, SmcRun, Sweeps, Swings

ORACLE = Path(__file__).resolve().parents[2] / "shared" / "smc" / "oracle"
SETS = {"eurusd_15m": 900_000, "btcusdt_perp_15m": 900_000, "xrpusdt_perp_5m": 300_000}
INTERVAL_MS = 900_000


def oracle_rows(name: str, file: str) -> list[dict[str, str]]:
    """Rows of one oracle file; skips the test when the shared folder is not there."""
    path = ORACLE / name / f"{file}.csv"
    if not path.exists():
        pytest.skip("no oracle files: the shared folder is not beside the project")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def oracle_bars(name: str, *, volume: str = "volume") -> Bars:
    """The candles of one oracle set."""
    rows = oracle_rows(name, "candles")
    opens = np.array([np.datetime64(row["time"].rstrip("Z"), "ms").astype(np.int64) for row in rows])
    columns = [
        np.array([float(row[key]) for row in rows]) for key in ("open", "high", "low", "close", volume)
    ]
    return bars_of_columns(SETS[name], opens + SETS[name], *columns)


def walk_bars(seed: int, size: int, *, tick: float = 1.0, unit: float = 1.0) -> Bars:
    """A random walk on a coarse grid, so that equal highs, dojis and gaps are common."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-3, 4, size) * tick
    close = 1000.0 + np.cumsum(steps)
    open_ = np.concatenate((close[:1], close[:-1])) + rng.integers(-1, 2, size) * tick
    high = np.maximum(open_, close) + rng.integers(0, 3, size) * tick
    low = np.minimum(open_, close) - rng.integers(0, 3, size) * tick
    volume = rng.integers(0, 9, size).astype(np.float64)
    closes = (np.arange(size) + 1) * INTERVAL_MS
    return bars_of_columns(
        INTERVAL_MS, closes, open_ * unit, high * unit, low * unit, close * unit, volume * unit
    )


@st.composite
def any_bars(draw: st.DrawFn, most: int = 90) -> Bars:
    """Short histories: flat stretches, ties, dojis, zero volume, tiny prices, very few bars."""
    size = draw(st.integers(0, most))
    unit = draw(st.sampled_from((1.0, 1e-8, 1e5)))
    whole = st.integers(-4, 4)
    steps = draw(
        st.lists(st.tuples(whole, whole, st.integers(0, 3), st.integers(0, 3)), min_size=size, max_size=size)
    )
    volume = draw(st.lists(st.integers(0, 5), min_size=size, max_size=size))
    close, rows = 100, []
    for step, jump, above, below in steps:
        open_ = max(20, close + (jump if abs(jump) > 2 else 0))
        close = max(20, open_ + step)
        rows.append((open_, max(open_, close) + above, min(open_, close) - below, close))
    columns = np.array(rows, dtype=np.float64).reshape(size, 4).T * unit
    closes = (np.arange(size, dtype=np.int64) + 1) * INTERVAL_MS
    return bars_of_columns(INTERVAL_MS, closes, *columns, np.array(volume, dtype=np.float64))


def head(bars: Bars, size: int) -> Bars:
    """The first bars only."""
    return bars_of_columns(
        bars.interval_ms,
        bars.close_ms[:size],
        *(column[:size] for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)),
    )


def candles_of(bars: Bars) -> list[Candle]:
    """The bars one by one."""
    columns = (bars.close_ms, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return [Candle(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def feed(bars: Bars, config: SmcConfig = DEFAULT_CONFIG) -> SmcRun:
    """The bar-by-bar engine's run."""
    engine = SmcEngine(config)
    for candle in candles_of(bars):
        engine.update(candle)
    return engine.run()


def differences(one: Any, other: Any) -> list[str]:
    """Columns of two runs (or two tables) that are not equal to the bit."""
    found = []
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if hasattr(mine, "__dataclass_fields__"):
            found += [f"{field.name}.{name}" for name in differences(mine, theirs)]
        elif isinstance(mine, np.ndarray):
            same = mine.dtype == theirs.dtype and np.array_equal(
                mine, theirs, equal_nan=mine.dtype.kind == "f"
            )
            found += [] if same else [field.name]
        elif mine != theirs:
            found.append(field.name)
    return found


Table = TypeVar("Table", Swings, Pivots, Breaks, Gaps, Blocks, Pools, Sweeps)

_LATER = [
    "touched_at",
    "mid_at",
    "filled_at",
    "inverted_at",
    "ended_at",
    "mitigated_at",
    "broken_at",
    "superseded_at",
    "taken_at",
    "invalidated_at",
]


def known_at(table: Table, bar: int) -> Table:
    """The rows that were known at the close of `bar`, and of their lives only what had happened by then."""
    rows = np.flatnonzero(table.confirmed_at <= bar)
    changed: dict[str, Any] = {}
    for field in fields(table):
        column = getattr(table, field.name)
        if field.name == "members":
            changed["members"] = tuple(column[row] for row in rows.tolist())
            continue
        picked = column[rows]
        if field.name in _LATER:
            picked = np.where(picked <= bar, picked, NEVER)
        changed[field.name] = picked
    return replace(table, **changed)


def known_run(run: SmcRun, bar: int) -> SmcRun:
    """What of a run was known at the close of `bar`: by law 1 what a run over the bars up to it finds."""
    ranges = {field.name: getattr(run.ranges, field.name)[: bar + 1] for field in fields(Ranges)}
    return SmcRun(
        bars=bar + 1,
        swings=known_at(run.swings, bar),
        pivots=known_at(run.pivots, bar),
        breaks=known_at(run.breaks, bar),
        wick_breaks=known_at(run.wick_breaks, bar),
        gaps=known_at(run.gaps, bar),
        blocks=known_at(run.blocks, bar),
        pools=known_at(run.pools, bar),
        sweeps=known_at(run.sweeps, bar),
        ranges=Ranges(**ranges),
    )
