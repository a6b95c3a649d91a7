"""CoinGlass history answers -> domain columns. Pure: bytes in, frozen values out, no clock.

CoinGlass stamps bars by their OPEN, the domain by their CLOSE; funding and shares come in percent and leave
as fractions. Rows may be unsorted or repeated (the last one counts). All rows are kept, the bar still
forming too: the cached value outlives the moment, so `closed_*` cut when it is read.
Called by `standard` and `premium`; list answers are in `parse_market`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from app.core.domain.derivatives import OpenInterestHistory
from app.core.domain.market import DAY_MS, Candles, LiquidationHistory, Series, Unit
from app.core.errors import ProviderBadPayload
from app.services.coinglass import wire

PROVIDER = "coinglass"

T = TypeVar("T")


class _Timed(Protocol):
    @property
    def time(self) -> float: ...


RowT = TypeVar("RowT", bound=_Timed)

_OHLC = msgspec.json.Decoder(wire.Envelope[list[wire.OhlcRow]], strict=False)
_CANDLES = msgspec.json.Decoder(wire.Envelope[list[wire.CandleRow]], strict=False)
_LIQUIDATIONS = msgspec.json.Decoder(wire.Envelope[list[wire.LiquidationRow]], strict=False)
_TAKER = msgspec.json.Decoder(wire.Envelope[list[wire.TakerRow]], strict=False)
_PAIR_TAKER = msgspec.json.Decoder(wire.Envelope[list[wire.PairTakerRow]], strict=False)
_RATIOS = msgspec.json.Decoder(wire.Envelope[list[wire.RatioRow]], strict=False)
_FEAR_GREED = msgspec.json.Decoder(
    wire.Envelope[wire.FearGreedLists | list[wire.FearGreedLists]], strict=False
)

# Histories are asked for a thousand rows at a time; lists have at most a few thousand. An answer far beyond
# is refused before anything is built from it.
MAX_HISTORY_ROWS = 2_000
MAX_LIST_ROWS = 20_000
# Fewer zeros than this among the bars of a coin are bars that were not recorded.
_RARE_ZEROS_FRAC = 0.02

# A weighted rate beyond 50 % per eight hours has never been charged: the unit changed, not the market.
_MAX_FUNDING_FRAC = 0.5
# Ratios come rounded to two decimals, which moves the implied share by at most 0.005.
_SHARE_TOLERANCE = 0.01


def bad_payload(endpoint: str, detail: str) -> ProviderBadPayload:
    return ProviderBadPayload(PROVIDER, endpoint, detail)


def decode(decoder: msgspec.json.Decoder[wire.Envelope[T]], body: bytes, endpoint: str) -> T | None:
    """`data` of the envelope, None when null or absent.

    Raises:
        ProviderBadPayload: not JSON, cut short, or not the contracted shape.
    """
    try:
        data = decoder.decode(body).data
    except (ValueError, RecursionError) as error:
        # msgspec's texts name types and paths, never values: safe to show.
        raise bad_payload(endpoint, f"answer does not match the contract: {error}") from error
    if isinstance(data, list):
        require_at_most(len(data), endpoint)
    return data


def require_at_most(count: int, endpoint: str, at_most: int = MAX_LIST_ROWS) -> None:
    """`ProviderBadPayload` for an answer of more than `at_most` rows."""
    if count > at_most:
        raise bad_payload(endpoint, f"{count} rows, at most {at_most} make sense")


def to_epoch_ms(time: float, endpoint: str) -> int:
    """Seconds, milliseconds, microseconds or nanoseconds to milliseconds, told apart by magnitude.

    Worked numbers: 1636588800 -> 1636588800000; 1636588800000 stays; 1636588800000000000 -> 1636588800000.

    Raises:
        ProviderBadPayload: not finite or not positive.
    """
    if not math.isfinite(time) or time <= 0:
        raise bad_payload(endpoint, "a row has no usable time")
    if time < 1e11:
        return int(time * 1000)
    if time < 1e14:
        return int(time)
    return int(time / 1e3) if time < 1e17 else int(time / 1e6)


def _sorted_rows(rows: list[RowT] | None, endpoint: str) -> list[tuple[int, RowT]]:
    """(open time, row), oldest first; of rows with the same time the last one counts."""
    require_at_most(len(rows or ()), endpoint, MAX_HISTORY_ROWS)
    by_open = {to_epoch_ms(row.time, endpoint): row for row in rows or ()}
    return sorted(by_open.items(), key=lambda item: item[0])


def _checked(value: float | None, endpoint: str, what: str, ok: Callable[[float], bool]) -> float:
    if value is None or not math.isfinite(value) or not ok(value):
        raise bad_payload(endpoint, f"{what} is missing or not plausible")
    return value


def _positive(value: float) -> bool:
    return value > 0


def _is_share_percent(value: float) -> bool:
    return 0 < value / 100 < 1  # divided first: the smallest percents underflow to a share of 0


def _not_negative(value: float) -> bool:
    return value >= 0


def parse_open_interest(
    body: bytes, *, endpoint: str, interval_ms: int, unit: Unit, multiplier: int = 1
) -> OpenInterestHistory:
    """Open interest per bar, in USD or coins (`unit`), summed over all exchanges.

    A coin that is only listed per `multiplier` coins is multiplied: 5 of 1000PEPE -> 5000 PEPE. Without open,
    high or low in any row those columns are None.
    """
    rows = _sorted_rows(decode(_OHLC, body, endpoint), endpoint)

    def column(values: list[float | None]) -> tuple[float, ...] | None:
        if any(value is None for value in values):
            return None
        return tuple(
            _checked(value * multiplier, endpoint, "open interest", _positive)
            for value in values
            if value is not None
        )

    return OpenInterestHistory(
        unit=unit,
        interval_ms=interval_ms,
        close_ms=tuple(open_ms + interval_ms for open_ms, _ in rows),
        open=column([row.open for _, row in rows]),
        high=column([row.high for _, row in rows]),
        low=column([row.low for _, row in rows]),
        close=tuple(
            _checked(row.close * multiplier, endpoint, "open interest", _positive) for _, row in rows
        ),
        label="open interest, all exchanges",
    )


def parse_funding(body: bytes, *, endpoint: str, interval_ms: int) -> Series:
    """OI-weighted funding as a fraction per 8 h; positive: longs pay shorts.

    The wire is in PERCENT. Worked number: "0.0066" -> 0.000066.
    """
    rows = _sorted_rows(decode(_OHLC, body, endpoint), endpoint)
    return Series(
        unit=Unit.FRAC_PER_8H,
        interval_ms=interval_ms,
        close_ms=tuple(open_ms + interval_ms for open_ms, _ in rows),
        values=tuple(
            _checked(row.close / 100, endpoint, "funding", lambda frac: abs(frac) <= _MAX_FUNDING_FRAC)
            for _, row in rows
        ),
        label="funding, OI-weighted, all exchanges",
    )


def parse_liquidations(body: bytes, *, endpoint: str, interval_ms: int, scope: str) -> LiquidationHistory:
    """USD of LONG and of SHORT positions closed by force per bar, summed over `scope`."""
    rows = _sorted_rows(decode(_LIQUIDATIONS, body, endpoint), endpoint)
    longs = (row.aggregated_long_liquidation_usd for _, row in rows)
    shorts = (row.aggregated_short_liquidation_usd for _, row in rows)
    return LiquidationHistory(
        interval_ms=interval_ms,
        close_ms=tuple(open_ms + interval_ms for open_ms, _ in rows),
        long_usd=tuple(_checked(usd, endpoint, "long liquidations", _not_negative) for usd in longs),
        short_usd=tuple(_checked(usd, endpoint, "short liquidations", _not_negative) for usd in shorts),
        scope=scope,
    )


def parse_taker_volume(body: bytes, *, endpoint: str, interval_ms: int) -> Series:
    """Taker buys as a share of taker volume per bar, a fraction; bars without trades are left out.

    Worked number: buys 300, sells 100 -> 0.75.
    """
    rows = _sorted_rows(decode(_TAKER, body, endpoint), endpoint)
    close_ms, values = [], []
    for open_ms, row in rows:
        buy_usd = _checked(row.aggregated_buy_volume_usd, endpoint, "taker buys", _not_negative)
        sell_usd = _checked(row.aggregated_sell_volume_usd, endpoint, "taker sells", _not_negative)
        if total_usd := buy_usd + sell_usd:
            close_ms.append(open_ms + interval_ms)
            values.append(_checked(buy_usd / total_usd, endpoint, "taker share", _not_negative))
    return Series(Unit.FRAC, interval_ms, tuple(close_ms), tuple(values), "taker buy share of volume")


def parse_pair_taker(body: bytes, *, endpoint: str, interval_ms: int) -> dict[int, tuple[float, float]]:
    """Taker volume of one pair by close: (buy, sell) in USD; the side is the aggressor's."""
    rows = _sorted_rows(decode(_PAIR_TAKER, body, endpoint), endpoint)
    return {
        open_ms + interval_ms: (
            _checked(row.taker_buy_volume_usd, endpoint, "taker buys", _not_negative),
            _checked(row.taker_sell_volume_usd, endpoint, "taker sells", _not_negative),
        )
        for open_ms, row in rows
    }


def parse_long_share(body: bytes, *, endpoint: str, interval_ms: int, side: str, label: str) -> Series:
    """Long share as a fraction in (0, 1); `side`: global_account, top_account or top_position.

    The percent is checked against the ratio of the same row (long / short), so swapped sides or a new unit
    fail loudly. Worked number: 73.88 % with ratio 2.83 -> 0.7388.

    Raises:
        ProviderBadPayload: share outside (0, 1), or percent and ratio disagree.
    """
    rows = _sorted_rows(decode(_RATIOS, body, endpoint), endpoint)
    return Series(
        unit=Unit.FRAC,
        interval_ms=interval_ms,
        close_ms=tuple(open_ms + interval_ms for open_ms, _ in rows),
        values=tuple(_long_share(row, endpoint, side) for _, row in rows),
        label=label,
    )


def _long_share(row: wire.RatioRow, endpoint: str, side: str) -> float:
    percent: float | None = getattr(row, f"{side}_long_percent")
    ratio: float | None = getattr(row, f"{side}_long_short_ratio")
    share = _checked(percent, endpoint, "long percent", _is_share_percent) / 100
    if ratio is not None:
        _checked(ratio, endpoint, "long/short ratio", _not_negative)
        if abs(ratio / (1 + ratio) - share) > _SHARE_TOLERANCE:
            raise bad_payload(endpoint, "long percent and long/short ratio disagree")
    return share


def parse_candles(body: bytes, *, endpoint: str, interval_ms: int, exchange: str, multiplier: int) -> Candles:
    """Candles of one pair; prices per coin, volume in coins (volume_usd / close).

    A pair quoted per `multiplier` coins is divided: 1000PEPEUSDT at 0.012 -> 0.000012 per PEPE.
    `volume_base` is None when any row lacks its volume.

    Raises:
        ProviderBadPayload: a price <= 0, or open or close outside low..high.
    """
    rows = _sorted_rows(decode(_CANDLES, body, endpoint), endpoint)
    prices = [_ohlc(row, endpoint, multiplier) for _, row in rows]
    volumes_usd = [row.volume_usd for _, row in rows]
    volume_base = None
    if None not in volumes_usd:
        volume_base = tuple(
            _checked(
                _checked(usd, endpoint, "volume", _not_negative) / price[3], endpoint, "volume", _not_negative
            )
            for usd, price in zip(volumes_usd, prices, strict=True)
        )
    return Candles(
        exchange=exchange,
        interval_ms=interval_ms,
        close_ms=tuple(open_ms + interval_ms for open_ms, _ in rows),
        open=tuple(price[0] for price in prices),
        high=tuple(price[1] for price in prices),
        low=tuple(price[2] for price in prices),
        close=tuple(price[3] for price in prices),
        volume_base=volume_base,
    )


def _ohlc(row: wire.CandleRow, endpoint: str, multiplier: int) -> tuple[float, float, float, float]:
    open_, high, low, close = (
        _checked(value / multiplier, endpoint, "price", _positive)
        for value in (row.open, row.high, row.low, row.close)
    )
    if not low <= min(open_, close) <= max(open_, close) <= high:
        raise bad_payload(endpoint, "a candle has its open or close outside low..high")
    return open_, high, low, close


def parse_fear_greed(body: bytes, *, endpoint: str) -> Series:
    """The daily index, 0 fear to 100 greed. Reads `data: {lists}` (live) and `data: [{lists}]` (documented).

    A value is known from its own stamp (00:00 UTC of its day), so the stamp is the close.

    Raises:
        ProviderBadPayload: a value outside 0..100, or lists of different length.
    """
    data = decode(_FEAR_GREED, body, endpoint)
    lists = data if isinstance(data, list) else [data] if data is not None else []
    by_time: dict[int, float] = {}
    for part in lists:
        require_at_most(len(part.data_list), endpoint)
        if len(part.data_list) != len(part.time_list):
            raise bad_payload(endpoint, "values and times differ in number")
        for time, value in zip(part.time_list, part.data_list, strict=True):
            index = _checked(value, endpoint, "fear and greed index", lambda score: 0 <= score <= 100)
            by_time[to_epoch_ms(time, endpoint)] = index
    points = sorted(by_time.items())
    return Series(
        unit=Unit.SCORE,
        interval_ms=DAY_MS,
        close_ms=tuple(time for time, _ in points),
        values=tuple(value for _, value in points),
        label="crypto fear and greed index",
    )


def closed_series(series: Series, now_ms: int) -> Series:
    """Only bars that ended by `now_ms`."""
    n = bisect_right(series.close_ms, now_ms)
    return Series(series.unit, series.interval_ms, series.close_ms[:n], series.values[:n], series.label)


def closed_interest(history: OpenInterestHistory, now_ms: int) -> OpenInterestHistory:
    """Only bars that ended by `now_ms`."""
    n = bisect_right(history.close_ms, now_ms)
    return OpenInterestHistory(
        unit=history.unit,
        interval_ms=history.interval_ms,
        close_ms=history.close_ms[:n],
        open=None if history.open is None else history.open[:n],
        high=None if history.high is None else history.high[:n],
        low=None if history.low is None else history.low[:n],
        close=history.close[:n],
        label=history.label,
    )


def closed_candles(candles: Candles, now_ms: int) -> Candles:
    """Only candles that ended by `now_ms`."""
    n = bisect_right(candles.close_ms, now_ms)
    return Candles(
        exchange=candles.exchange,
        interval_ms=candles.interval_ms,
        close_ms=candles.close_ms[:n],
        open=candles.open[:n],
        high=candles.high[:n],
        low=candles.low[:n],
        close=candles.close[:n],
        volume_base=None if candles.volume_base is None else candles.volume_base[:n],
    )


def closed_liquidations(history: LiquidationHistory, now_ms: int) -> LiquidationHistory:
    """Only bars that ended by `now_ms`; where zero on both sides is rare, such bars are dropped.

    CoinGlass answers 0 / 0 for bars it did not record (about ten hours a year for BTC) and for bars in which
    nobody was forced out. Under 2 % zeros the coin is liquidated around the clock, so a zero is a gap. Above,
    silence is ordinary: a small coin may have several zero hours every day, and dropping those would leave no
    day with enough hours: there they are true zeros. Nothing but zeros is a dead series, not a calm market:
    it comes back empty. Worked numbers: of 1,000 bars 19 zeros are dropped, 20 stay, of 1,000 none stays.
    """
    columns = zip(history.close_ms, history.long_usd, history.short_usd, strict=True)
    rows = [row for row in columns if row[0] <= now_ms]
    zeros = sum(1 for _, long_usd, short_usd in rows if long_usd == 0 and short_usd == 0)
    if zeros < _RARE_ZEROS_FRAC * len(rows) or zeros == len(rows):
        rows = [row for row in rows if row[1] > 0 or row[2] > 0]
    return LiquidationHistory(
        interval_ms=history.interval_ms,
        close_ms=tuple(row[0] for row in rows),
        long_usd=tuple(row[1] for row in rows),
        short_usd=tuple(row[2] for row in rows),
        scope=history.scope,
    )
