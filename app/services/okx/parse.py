"""OKX bytes to plain domain values. Pure: no clock, no I/O.

Keeps every row the wire gave, forming buckets of statistics included: which bars are closed depends on when
the bytes were fetched, so history.py cuts. Rejects every number that is not finite and plausible. Named by
resources.py; raises only `ProviderError`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import msgspec

from app.core.domain.market import HOUR_MS, MAX_AHEAD_MS, Price, PriceKind
from app.core.errors import ProviderBadPayload, ProviderNoData
from app.services.okx import wire
from app.services.okx.client import PROVIDER, decode

# One bar per open time, one tuple of numbers per bar.
Rows = Mapping[int, tuple[float, ...]]

T = TypeVar("T")

# Rows per page, as asked for. An answer of more than twice that is not an answer to our question: refused
# before anything is built from it.
CANDLE_ROWS = 300
PAGE_ROWS = 100
_MAX_LISTED = 20_000

# 2001-09 to 2096 in milliseconds: seconds and microseconds fall outside.
_MIN_TS_MS = 1_000_000_000_000
_MAX_TS_MS = 4_000_000_000_000

# OKX caps funding at a few percent per period; beyond this a rate is in the wrong unit.
MAX_FUNDING_FRAC = 0.2
FUNDING_PERIODS_H = frozenset({1, 2, 4, 8})

_CANDLES = msgspec.json.Decoder(wire.Envelope[wire.CandleRow], strict=False)
_OPEN_INTEREST_ROWS = msgspec.json.Decoder(wire.Envelope[wire.OpenInterestRow], strict=False)
_RATIOS = msgspec.json.Decoder(wire.Envelope[wire.RatioRow], strict=False)
_TAKER = msgspec.json.Decoder(wire.Envelope[wire.TakerRow], strict=False)
_TICKERS = msgspec.json.Decoder(wire.Envelope[wire.Ticker], strict=False)
_MARKS = msgspec.json.Decoder(wire.Envelope[wire.MarkPrice], strict=False)
_OPEN_INTEREST = msgspec.json.Decoder(wire.Envelope[wire.OpenInterest], strict=False)
_FUNDING = msgspec.json.Decoder(wire.Envelope[wire.FundingRate], strict=False)
_SETTLED = msgspec.json.Decoder(wire.Envelope[wire.FundingSettled], strict=False)
_INSTRUMENTS = msgspec.json.Decoder(wire.Envelope[wire.Instrument], strict=False)


@dataclass(frozen=True, slots=True)
class TickerFacts:
    """Last trade of one swap; None where OKX sent the empty string. change_24h_frac: last / open24h - 1."""

    price: Price
    ts_ms: int
    bid_usd: float | None
    ask_usd: float | None
    change_24h_frac: float | None
    volume_24h_base: float | None


@dataclass(frozen=True, slots=True)
class OpenInterestNow:
    ts_ms: int
    base: float
    usd: float | None


@dataclass(frozen=True, slots=True)
class FundingNow:
    """Rate of the running period, a fraction PER PERIOD; positive: longs pay shorts."""

    rate_frac: float
    period_h: int
    settles_ms: int
    ts_ms: int

    @property
    def rate_8h_frac(self) -> float:
        return per_8h(self.rate_frac, self.period_h)


def per_8h(rate_frac: float, period_h: int) -> float:
    """Funding of one period as a fraction per eight hours.

    Worked number: 0.00005 per 4 h is 0.0001 per 8 h.
    """
    return rate_frac * 8 / period_h


def parse_candles(body: bytes, endpoint: str) -> Rows:
    """Closed candles (confirm "1") by open time: open, high, low, close in USD, volume in coins."""
    rows: dict[int, tuple[float, ...]] = {}
    for row in _rows(_CANDLES, body, endpoint, 2 * CANDLE_ROWS):
        if row.confirm == "0":
            continue
        values = (row.open, row.high, row.low, row.close, row.vol_base)
        if not all(map(math.isfinite, values)) or row.vol_base < 0:
            reject(endpoint, "a number is not finite or a volume is negative")
        if not 0 < row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high:
            reject(endpoint, "prices are not 0 < low <= open, close <= high")
        rows.setdefault(stamp(row.ts, endpoint), values)
    return rows


def parse_open_interest_rows(body: bytes) -> Rows:
    """Open interest by bucket open: (coins, USD), both above zero."""
    endpoint = "rubik_open_interest_history"
    rows: dict[int, tuple[float, ...]] = {}
    for row in _rows(_OPEN_INTEREST_ROWS, body, endpoint):
        values = (positive(row.base, endpoint), positive(row.usd, endpoint))
        rows.setdefault(stamp(row.ts, endpoint), values)
    return rows


def parse_ratio_rows(body: bytes, endpoint: str) -> Rows:
    """Long share by bucket open: r / (1 + r), a fraction between 0 and 1.

    Worked number: long / short 1.5 is a long share of 0.6.
    """
    rows: dict[int, tuple[float, ...]] = {}
    for row in _rows(_RATIOS, body, endpoint):
        share = positive(row.ratio, endpoint) / (1 + row.ratio)
        if not 0 < share < 1:
            reject(endpoint, "a long share is not between 0 and 1")
        rows.setdefault(stamp(row.ts, endpoint), (share,))
    return rows


def parse_taker_rows(body: bytes) -> Rows:
    """Taker volume by bucket open as (buy, sell); the wire order is sell, buy."""
    endpoint = "rubik_taker_volume_contract"
    rows: dict[int, tuple[float, ...]] = {}
    for row in _rows(_TAKER, body, endpoint):
        if not (math.isfinite(row.buy) and math.isfinite(row.sell) and min(row.buy, row.sell) >= 0):
            reject(endpoint, "a volume is not finite or negative")
        rows.setdefault(stamp(row.ts, endpoint), (row.buy, row.sell))
    return rows


def parse_ticker(body: bytes, inst_id: str) -> TickerFacts:
    """Last trade of `inst_id`, a price above zero with the time OKX gives it."""
    endpoint = "market_ticker"
    row = _row_of(inst_id, ((r.inst_id, r) for r in _rows(_TICKERS, body, endpoint)), endpoint)
    last = positive(row.last, endpoint)
    opened = _optional_positive(row.open24h, endpoint)
    return TickerFacts(
        price=Price(last, PriceKind.LAST_TRADE, "OKX"),
        ts_ms=stamp(row.ts, endpoint),
        bid_usd=_optional_positive(row.bid_px, endpoint),
        ask_usd=_optional_positive(row.ask_px, endpoint),
        change_24h_frac=None if opened is None else last / opened - 1,
        volume_24h_base=_optional(row.vol_ccy24h, endpoint),
    )


def parse_mark_price(body: bytes, inst_id: str) -> tuple[float, int]:
    """(mark price in USD, its time)."""
    endpoint = "public_mark_price"
    row = _row_of(inst_id, ((r.inst_id, r) for r in _rows(_MARKS, body, endpoint)), endpoint)
    return positive(row.mark_px, endpoint), stamp(row.ts, endpoint)


def parse_open_interest(body: bytes, inst_id: str) -> OpenInterestNow:
    """Open interest now, counted once, in coins and (newer answers) USD."""
    endpoint = "public_open_interest"
    row = _row_of(inst_id, ((r.inst_id, r) for r in _rows(_OPEN_INTEREST, body, endpoint)), endpoint)
    usd = _optional_positive(row.oi_usd, endpoint)
    return OpenInterestNow(stamp(row.ts, endpoint), positive(row.oi_ccy, endpoint), usd)


def parse_funding_now(body: bytes, inst_id: str) -> FundingNow:
    """The running period's rate; its length comes from the stamps, never from an assumption of 8 h."""
    endpoint = "public_funding_rate"
    row = _row_of(inst_id, ((r.inst_id, r) for r in _rows(_FUNDING, body, endpoint)), endpoint)
    settles_ms = stamp(row.funding_time, endpoint)
    period_h, rest = divmod(settles_ms - stamp(row.prev_funding_time, endpoint), HOUR_MS)
    if rest or period_h not in FUNDING_PERIODS_H:
        reject(endpoint, "the funding period is not 1, 2, 4 or 8 h")
    rate = _funding_rate(row.funding_rate, endpoint)
    return FundingNow(rate, period_h, settles_ms, stamp(row.ts, endpoint))


def parse_funding_settled(body: bytes) -> Rows:
    """Settled rates by settlement time, fraction PER PERIOD; rows without a settled rate are left out."""
    endpoint = "public_funding_rate_history"
    rows: dict[int, tuple[float, ...]] = {}
    for row in _rows(_SETTLED, body, endpoint):
        rate = _optional(row.realized_rate, endpoint)
        if rate is not None:
            rows.setdefault(stamp(row.funding_time, endpoint), (_funding_rate(rate, endpoint),))
    return rows


def parse_instruments(body: bytes) -> Mapping[str, float]:
    """Coins per contract (ctVal x ctMult) of every live linear USDT swap, by base asset.

    A row without a usable contract size is left out: one odd listing must not cost the whole list.
    """
    endpoint = "public_instruments"
    sizes: dict[str, float] = {}
    for row in _rows(_INSTRUMENTS, body, endpoint, _MAX_LISTED):
        base = row.inst_id.removesuffix("-USDT-SWAP")
        tradable = (row.state, row.ct_type, row.settle_ccy) == ("live", "linear", "USDT")
        if not tradable or base == row.inst_id or row.ct_val_ccy != base:
            continue
        size = _number(row.ct_val) * _number(row.ct_mult or "1")
        if size > 0 and math.isfinite(size):
            sizes[base] = size
    if not sizes:
        raise ProviderNoData(PROVIDER, endpoint, "no live USDT swap listed")
    return sizes


def _rows(
    decoder: msgspec.json.Decoder[wire.Envelope[T]], body: bytes, endpoint: str, at_most: int = 2 * PAGE_ROWS
) -> list[T]:
    """The rows of one answer, `at_most` of them."""
    rows = decode(decoder, body, endpoint).data
    require_at_most(len(rows), at_most, endpoint)
    return rows


def require_at_most(count: int, at_most: int, endpoint: str) -> None:
    """`ProviderBadPayload` for an answer of more than `at_most` rows."""
    if count > at_most:
        reject(endpoint, f"{count} rows, at most {at_most} make sense")


def _row_of(inst_id: str, rows: Iterable[tuple[str, T]], endpoint: str) -> T:
    """The row of the instrument that was asked for; an answer about another one is not an answer."""
    given = dict(rows)
    if not given:
        raise ProviderNoData(PROVIDER, endpoint, f"nothing for {inst_id}")
    if inst_id not in given:
        reject(endpoint, f"asked for {inst_id}, answered another instrument")
    return given[inst_id]


def stamp(ts_ms: int, endpoint: str) -> int:
    """`ts_ms` when it can be epoch milliseconds, else `ProviderBadPayload`."""
    if not _MIN_TS_MS <= ts_ms <= _MAX_TS_MS:
        reject(endpoint, "a time is not epoch milliseconds")
    return ts_ms


def require_past(ts_ms: int, fetched_ms: int, endpoint: str) -> None:
    """`ProviderBadPayload` for a stamp that was in the future when the answer came (minutes are forgiven)."""
    if ts_ms > fetched_ms + MAX_AHEAD_MS:
        reject(endpoint, "a time is in the future")


def positive(value: float, endpoint: str) -> float:
    """`value` when finite and above zero, else `ProviderBadPayload`."""
    if not (math.isfinite(value) and value > 0):
        reject(endpoint, "expected a finite number above zero")
    return value


def _funding_rate(rate: float, endpoint: str) -> float:
    if not abs(rate) <= MAX_FUNDING_FRAC:  # also false for NaN
        reject(endpoint, "a funding rate is beyond any cap: wrong unit")
    return rate


def _optional(text: str | None, endpoint: str) -> float | None:
    """The number in `text`, or None for the empty string and null."""
    if not text:
        return None
    value = _number(text)
    if not math.isfinite(value):
        reject(endpoint, "expected a finite number or the empty string")
    return value


def _optional_positive(text: str | None, endpoint: str) -> float | None:
    value = _optional(text, endpoint)
    return None if value is None else positive(value, endpoint)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def reject(endpoint: str, why: str) -> NoReturn:
    """The answer is not usable."""
    raise ProviderBadPayload(PROVIDER, endpoint, why)
