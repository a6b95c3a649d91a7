"""Futures and spot as two kinds of the same market, so that one handler serves both CoinGlass families.

Futures are the market's own candles and taker volume. Spot is made up beside them: a few basis points below a
perpetual that longs pay for, with a steady share of its volume. Recorded data holds no spot: it is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.sim.bars import no_candles, no_values
from app.sim.coinglass_wire import pair_of
from app.sim.listings import Listing, find_spot_pair, list_on, list_spot
from app.sim.market import CandleColumns, Coin, Floats, Int64s, ValueColumns
from app.sim.wire import Call, decimals_of, hashed_unit

# A perpetual trades above spot while longs pay: about twice the eight-hour rate, never beyond 8 bp.
_BASIS_PER_FUNDING = 2.0
_MAX_BASIS_FRAC = 0.0008
_Window = tuple[int, int, int]  # interval_ms, start_ms, end_ms


@dataclass(frozen=True, slots=True)
class Kind:
    """id_prefix, path: of its endpoints. candles, taker: as in `MarketSource`, exchange "All" included."""

    id_prefix: str
    path: str
    find: Callable[[Call], Listing | None]
    list_on: Callable[[str, Coin], Listing]
    candles: Callable[[Call, str, str, _Window], CandleColumns]
    taker: Callable[[Call, str, str, _Window], tuple[ValueColumns, ValueColumns]]


def _futures_candles(call: Call, base: str, exchange: str, window: _Window) -> CandleColumns:
    return call.market.candles(base, exchange, *window)


def _futures_taker(
    call: Call, base: str, exchange: str, window: _Window
) -> tuple[ValueColumns, ValueColumns]:
    return call.market.taker_volume(base, exchange, *window)


def basis_frac(call: Call, base: str, window: _Window, at_ms: Int64s) -> Floats:
    """(perpetual - spot) / spot at the close of the bars that open at `at_ms`.

    Worked number: funding of 0.01 % per 8 h -> 0.02 %.
    """
    funding = call.market.funding_weighted(base, *window)
    if not funding.open_ms.size:
        return np.zeros(at_ms.size)
    rates = np.interp(at_ms, funding.open_ms, funding.values)
    return np.clip(rates * _BASIS_PER_FUNDING, -_MAX_BASIS_FRAC, _MAX_BASIS_FRAC)


def _spot_candles(call: Call, base: str, exchange: str, window: _Window) -> CandleColumns:
    if not call.is_invented:
        return no_candles()
    interval_ms, start_ms, end_ms = window
    # One bar more in front: its basis is the first bar's at the open.
    wide = (interval_ms, start_ms - interval_ms, end_ms)
    perp = call.market.candles(base, exchange, *wide)
    if not perp.open_ms.size:
        return perp
    closing = 1 + basis_frac(call, base, wide, perp.open_ms)
    opening = np.concatenate((closing[:1], closing[:-1]))
    coin = next(coin for coin in call.market.coins() if coin.base == base)
    places = decimals_of(coin.tick) + 1
    opens, closes = np.round(perp.open / opening, places), np.round(perp.close / closing, places)
    highs = np.maximum(np.round(perp.high / closing, places), np.maximum(opens, closes))
    lows = np.minimum(np.round(perp.low / closing, places), np.minimum(opens, closes))
    keep = perp.open_ms >= start_ms
    volume = perp.volume_base * _spot_share(base)
    return CandleColumns(
        perp.open_ms[keep],
        opens[keep],
        highs[keep],
        lows[keep],
        closes[keep],
        volume[keep],
        perp.is_closed[keep],
    )


def _spot_taker(call: Call, base: str, exchange: str, window: _Window) -> tuple[ValueColumns, ValueColumns]:
    if not call.is_invented:
        return no_values(), no_values()
    buys, sells = call.market.taker_volume(base, exchange, *window)
    # Spot takers lean the same way as those of the perpetual, less strongly.
    total, share = buys.values + sells.values, _spot_share(base)
    bought = share * (0.1 * total + 0.8 * buys.values)
    sold = share * (0.1 * total + 0.8 * sells.values)
    return (
        ValueColumns(buys.open_ms, bought, buys.is_closed),
        ValueColumns(sells.open_ms, sold, sells.is_closed),
    )


def _spot_share(base: str) -> float:
    """Spot volume over futures volume of one coin."""
    return 0.10 + 0.15 * hashed_unit(base, "spot share")


def _find_spot(call: Call) -> Listing | None:
    return find_spot_pair(call.market, call.params["exchange"], call.params["symbol"])


FUTURES = Kind("futures_", "/api/futures/", pair_of, list_on, _futures_candles, _futures_taker)
SPOT = Kind("spot_", "/api/spot/", _find_spot, list_spot, _spot_candles, _spot_taker)
