"""Recorded files as stored rows: one reader per kind of file, streaming.

Owns which file fills which table and in which unit. It only reads; `recorded_import` writes. Hourly totals
are no events and bursts are no single orders: neither becomes a liquidation. The meaning of names, columns
and symbols is the simulator's (`sim.recorded_files`, `sim.recorded_events`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import TypeAlias

from app.core.domain.market import DAY_MS, HOUR_MS
from app.core.domain.stored import (
    ALL_EXCHANGES,
    BarRow,
    CandleRow,
    FundingRow,
    LiquidationRow,
    OpenInterestRow,
    RatioRow,
    RatioScope,
)
from app.recorded_cells import (
    SOURCE,
    BadRow,
    Cells,
    Reading,
    read_base,
    read_not_negative,
    read_number,
    read_positive,
    read_time,
    rows_in_order,
    rows_with,
)
from app.recorded_liquidations import read_liquidations
from app.services.okx.funding import periods_h
from app.services.okx.parse import FUNDING_PERIODS_H, MAX_FUNDING_FRAC, per_8h
from app.sim.recorded_files import DataFile, spell_exchange

# Snapshots are taken some seconds off the grid; further off they belong to no bar.
_OFF_GRID_MS = 60_000
# A set of exchanges is a key of its own: the total of all is several times as much.
_INTEREST_SCOPE = "Binance,Bybit,OKX"
_INTEREST = ("oi_open", "oi_high", "oi_low", "oi_close")

StoredRow: TypeAlias = BarRow | LiquidationRow


def read_file(reading: Reading) -> Iterator[StoredRow] | None:
    """The rows of a file, in order of time; None for a kind that no table keeps.

    Raises (while reading):
        ValueError, OSError, EOFError, csv.Error, zlib.error: the file as a whole cannot be read.
    """
    read = _READERS.get(reading.file.kind)
    return None if read is None else read(reading)


def why_not_kept(file: DataFile) -> str:
    """Why `read_file` has nothing for this kind."""
    return f"no table keeps {file.kind.replace('_', ' and ')}"


def _bars(
    build: Callable[[Reading, int, Cells], list[BarRow]], *names: str
) -> Callable[[Reading], Iterator[StoredRow]]:
    """A reader of files with one row per bar and these columns, the time first."""

    def read(reading: Reading) -> Iterator[StoredRow]:
        if not reading.is_wanted(reading.file.base):
            return
        for at_ms, cells in rows_in_order(reading, names):
            try:
                yield from build(reading, at_ms, cells)
            except BadRow as bad:
                reading.skipped[str(bad)] += 1

    return read


def _candle(reading: Reading, at_ms: int, cells: Cells) -> list[BarRow]:
    file = reading.file
    open_, high, low, close = (read_positive(cells, name) for name in ("open", "high", "low", "close"))
    if not low <= min(open_, close) <= max(open_, close) <= high:
        raise BadRow("open or close outside low..high")
    volume = read_not_negative(cells, "volume")
    at = at_ms + file.interval_ms
    key = (file.exchange, file.base, bar_name(file.interval_ms), at)
    return [CandleRow(*key, open_, high, low, close, volume, SOURCE, reading.ts_init_ms)]


def _coinglass(reading: Reading, at_ms: int, cells: Cells) -> list[BarRow]:
    """OI-weighted funding (percent per 8 h) of all exchanges, open interest (USD) of three, by open."""
    file = reading.file
    key = (file.base, bar_name(file.interval_ms), at_ms + file.interval_ms)
    open_, high, low, close = (read_positive(cells, name) for name in _INTEREST)
    rate = read_number(cells, "oi_weight_close") / 100
    if abs(rate) > MAX_FUNDING_FRAC:
        raise BadRow("funding beyond any cap")
    end = (SOURCE, reading.ts_init_ms)
    none = (None,) * 4
    return [
        OpenInterestRow(_INTEREST_SCOPE, *key, open_, high, low, close, *none, *end),
        FundingRow(ALL_EXCHANGES, *key, None, rate, None, *end),
    ]


def _open_interest(reading: Reading, at_ms: int, cells: Cells) -> list[BarRow]:
    """Snapshots: what is known at the close that the stamp stands for, give or take some seconds."""
    file = reading.file
    close_ms = round(at_ms / file.interval_ms) * file.interval_ms
    if abs(at_ms - close_ms) > _OFF_GRID_MS:
        raise BadRow("stamp more than a minute off the grid")
    key = (file.exchange, file.base, bar_name(file.interval_ms), close_ms)
    usd, base = read_positive(cells, "oi_usd"), read_positive(cells, "oi_base")
    none = (None,) * 3
    return [OpenInterestRow(*key, *none, usd, *none, base, SOURCE, reading.ts_init_ms)]


def _accounts(reading: Reading, at_ms: int, cells: Cells) -> list[BarRow]:
    file = reading.file
    share = read_number(cells, "long_pct") / 100
    if not 0 < share < 1:
        raise BadRow("long share not between 0 and 100 percent")
    key = (file.exchange, file.base, bar_name(file.interval_ms), at_ms + file.interval_ms)
    return [RatioRow(RatioScope.GLOBAL_ACCOUNT.value, *key, share, SOURCE, reading.ts_init_ms)]


def _funding(reading: Reading) -> Iterator[StoredRow]:
    """Settlements of several exchanges, put back on the hour, each per 8 h by its own exchange's period.

    The period is read from the stamps around, so a file is read whole: two numbers a row.
    """
    held: dict[tuple[str, str], dict[int, float]] = {}
    for cells in rows_with(reading, ("time_ms", "exchange", "symbol", "funding_rate")):
        try:
            at_ms = (read_time(cells["time_ms"]) + HOUR_MS // 2) // HOUR_MS * HOUR_MS
            rate = read_number(cells, "funding_rate")
            if abs(rate) > MAX_FUNDING_FRAC:
                raise BadRow("funding beyond any cap")
            base = read_base(cells["symbol"])[0]
        except BadRow as bad:
            reading.skipped[str(bad)] += 1
            continue
        if reading.is_wanted(base):
            rates = held.setdefault((spell_exchange(cells["exchange"]), base), {})
            if rates.setdefault(at_ms, rate) != rate:
                reading.skipped["second rate of the same settlement"] += 1
    for (exchange, base), rates in sorted(held.items()):
        stamps = sorted(rates)
        for at_ms, hours in zip(stamps, periods_h(stamps, _usual_period_h(stamps)), strict=True):
            rate_8h = per_8h(rates[at_ms], hours)
            key = (exchange, base, f"{hours}h", at_ms)
            yield FundingRow(*key, rate_8h, None, None, SOURCE, reading.ts_init_ms)


def _usual_period_h(stamps: list[int]) -> int:
    """The commonest distance that is a funding period; eight hours without any."""
    gaps = Counter(round((later - sooner) / HOUR_MS) for sooner, later in pairwise(stamps))
    usual = [hours for hours, _ in gaps.most_common() if hours in FUNDING_PERIODS_H]
    return usual[0] if usual else 8


def bar_name(length_ms: int) -> str:
    """180,000 -> 3m, 3,600,000 -> 1h, 86,400,000 -> 1d."""
    for unit_ms, unit in ((DAY_MS, "d"), (HOUR_MS, "h")):
        if length_ms % unit_ms == 0:
            return f"{length_ms // unit_ms}{unit}"
    return f"{length_ms // 60_000}m"


_READERS: Mapping[str, Callable[[Reading], Iterator[StoredRow]]] = {
    "candles": _bars(_candle, "open_time_ms", "open", "high", "low", "close", "volume"),
    "coinglass": _bars(_coinglass, "time_ms", *_INTEREST, "oi_weight_close"),
    "open_interest": _bars(_open_interest, "time_ms", "oi_usd", "oi_base"),
    "accounts": _bars(_accounts, "time_ms", "long_pct"),
    "funding": _funding,
    "events": read_liquidations,
}
