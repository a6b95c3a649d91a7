"""Recorded candles for the backtest, as bars of one size. A part of `backtest`, split off.

Takes any file named like `btcusdt_perp_bybit_5m.csv.gz` or `ethusdt_spot_binance_1h.csv`, anywhere below the
folder; of several recordings of one coin the longest. Finer bars are put together, coarser ones left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.domain.market import HOUR_MS, Candles, Series, Unit, bar_length_ms
from app.core.smc.bars import Bars, bars_of_columns
from app.sim.recorded_files import Table, find_files, read_table

_NAME = re.compile(
    r"(?P<base>[a-z0-9]+)usdt_(?P<kind>perp|spot)_(?P<exchange>[a-z]+)_(?P<interval>[1-9]\d*[mhd])(?:_.*)?\.csv(?:\.gz)?"
)
# Snapshots are taken some seconds off the grid; further off they belong to no hour.
_OFF_GRID_MS = 60_000
_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Recording:
    """One coin's bars. name: for the report ("BTC perp, Bybit 5m")."""

    base: str
    name: str
    bars: Bars


def load_recordings(folder: Path, interval_ms: int) -> tuple[Recording, ...]:
    """The longest recording of each coin as bars of `interval_ms`, coins in order.

    Raises:
        ValueError: no file there can be used, or one is broken.
    """
    longest: dict[str, Recording] = {}
    for path in sorted(folder.rglob("*.csv*")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        length_ms = bar_length_ms(match["interval"])
        if interval_ms % length_ms:
            continue
        bars = sum_bars(read_table([path], "open_time_ms", _COLUMNS), length_ms, interval_ms)
        base = match["base"].upper()
        name = f"{base} {match['kind']}, {match['exchange'].capitalize()} {match['interval']}"
        held = longest.get(base)
        if len(bars) and (held is None or len(bars) > len(held.bars)):
            longest[base] = Recording(base, name, bars)
    if not longest:
        raise ValueError(f"no recorded candles in {folder} that make bars of {interval_ms // 60_000} minutes")
    return tuple(longest[base] for base in sorted(longest))


@dataclass(frozen=True, slots=True)
class WithInterest:
    """Hourly candles of one coin with its open interest in coins at the same closes."""

    base: str
    name: str
    candles: Candles
    interest: Series


def load_with_interest(folder: Path) -> tuple[WithInterest, ...]:
    """Coins that have hourly perpetual candles and a recording of open interest (`oi_binance_5m_btcusdt...`).

    Raises:
        ValueError: no coin has both.
    """
    found = []
    for file in find_files(folder):
        if file.kind != "open_interest":
            continue
        candles = [
            one
            for one in find_files(folder)
            if (one.kind, one.base, one.interval_ms) == ("candles", file.base, HOUR_MS)
        ]
        if not candles:
            continue
        tables = [(one, read_table([one.path], "open_time_ms", _COLUMNS)) for one in candles]
        best, table = max(tables, key=lambda pair: pair[1].time_ms.size)
        interest = _hourly_interest(read_table([file.path], "time_ms", ("oi_base",)))
        columns = [tuple(table.columns[name].tolist()) for name in _COLUMNS]
        closes = tuple((table.time_ms + HOUR_MS).tolist())
        found.append(
            WithInterest(
                file.base,
                f"{file.base} perp, {best.exchange} 1h, open interest of {file.exchange}",
                Candles(best.exchange, HOUR_MS, closes, *columns),
                interest,
            )
        )
    if not found:
        raise ValueError(f"no coin in {folder} has both hourly candles and open interest")
    return tuple(found)


def _hourly_interest(table: Table) -> Series:
    """The snapshot at (or some seconds after) each full hour."""
    hour = table.time_ms // HOUR_MS * HOUR_MS
    on_time = table.time_ms - hour <= _OFF_GRID_MS
    times, rows = np.unique(hour[on_time], return_index=True)
    values = table.columns["oi_base"][on_time][rows]
    return Series(Unit.BASE, HOUR_MS, tuple(times.tolist()), tuple(values.tolist()))


def sum_bars(table: Table, length_ms: int, interval_ms: int) -> Bars:
    """Bars of `interval_ms` on the clock's grid; one of which a part is missing is left out."""
    opens = table.time_ms
    start = opens - opens % interval_ms
    begins = np.flatnonzero(np.append(True, start[1:] != start[:-1])) if opens.size else np.empty(0, np.int64)
    whole = np.diff(np.append(begins, opens.size)) == interval_ms // length_ms
    ends = np.append(begins[1:], opens.size)[whole] - 1
    kept = begins[whole]

    def summed(reduce: np.ufunc, name: str) -> np.ndarray:
        return np.asarray(reduce.reduceat(table.columns[name], begins))[whole] if begins.size else np.empty(0)

    return bars_of_columns(
        interval_ms,
        start[kept] + interval_ms,
        table.columns["open"][kept],
        summed(np.maximum, "high"),
        summed(np.minimum, "low"),
        table.columns["close"][ends],
        summed(np.add, "volume"),
    )
