"""CoinGlass estimates of future liquidations -> cells and levels: heatmap, map, max pain. Pure.

Estimates are not events: a level says where positions would be closed by force. The samples are cut, so
every index is checked against its axis. Called by `premium` and `views`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from app.core.domain.derivatives import HeatmapCell
from app.services.coinglass import wire
from app.services.coinglass.figures import PRICE, Figures, figure
from app.services.coinglass.parse import bad_payload, decode, require_at_most
from app.services.coinglass.parse_market import moment_ms, price

_HEATMAP = msgspec.json.Decoder(wire.Envelope[wire.Heatmap], strict=False)
_MAP = msgspec.json.Decoder(wire.Envelope[wire.LiquidationMap], strict=False)
_MAX_PAIN = msgspec.json.Decoder(wire.Envelope[list[wire.MaxPainRow]], strict=False)

# Cells of a heatmap or map: a few tens of thousands are usual.
_MAX_CELLS = 200_000
_CLOSE = 4  # place of the close in a row [time, open, high, low, close, volume]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Cells whose price is on the axis; the time is that of the cell's candle, or of the newest one.

    price_usd: close of the newest candle, None without candles. Prices are as quoted.
    """

    price_usd: float | None
    cells: tuple[HeatmapCell, ...]


def parse_heatmap(body: bytes, *, endpoint: str) -> Heatmap:
    """Triples [time index, price index, USD]; those that point outside the price axis are left out.

    Raises:
        ProviderBadPayload: a triple that is no triple of finite numbers, or more than 200,000 of them.
    """
    data = decode(_HEATMAP, body, endpoint)
    if data is None:
        return Heatmap(None, ())
    require_at_most(len(data.liquidation_leverage_data), endpoint, _MAX_CELLS)
    times = [moment_ms(row[0]) if row else None for row in data.price_candlesticks or []]
    newest_ms = next((at_ms for at_ms in reversed(times) if at_ms is not None), 0)
    cells = []
    for triple in data.liquidation_leverage_data:
        if len(triple) < 3 or not all(math.isfinite(item) for item in triple):
            raise bad_payload(endpoint, "a heatmap cell is not [time index, price index, USD]")
        column, row = int(triple[0]), int(triple[1])
        level = price(data.y_axis[row]) if 0 <= row < len(data.y_axis) else None
        if level is not None:
            at_ms = times[column] if 0 <= column < len(times) else None
            cells.append(HeatmapCell(at_ms or newest_ms, level, triple[2]))
    candles = data.price_candlesticks or []
    close = candles[-1][_CLOSE] if candles and len(candles[-1]) > _CLOSE else None
    return Heatmap(price(close), tuple(cells))


@dataclass(frozen=True, slots=True)
class LiquidationMap:
    """(price, USD) of every level, and the price they lie around when it is said. Prices are as quoted."""

    price_usd: float | None
    levels: tuple[tuple[float, float], ...]


def parse_liquidation_map(body: bytes, *, endpoint: str) -> LiquidationMap:
    """Every level of the map, in the documented shape and in the one seen live.

    Raises:
        ProviderBadPayload: a level without price or size.
    """
    outer = decode(_MAP, body, endpoint)
    data = outer.data if outer is not None else None
    parts = [part.levels for part in data] if isinstance(data, list) else [data or {}]
    lists = [entries for levels in parts for entries in levels.values()]
    require_at_most(sum(map(len, lists)), endpoint, _MAX_CELLS)
    levels = []
    for entry in (entry for entries in lists for entry in entries):
        if len(entry) < 2 or entry[0] is None or entry[1] is None:
            raise bad_payload(endpoint, "a map level is not [price, USD, ...]")
        if price(entry[0]) is not None and math.isfinite(entry[1]) and entry[1] >= 0:
            levels.append((entry[0], entry[1]))
    return LiquidationMap(price(outer.last_price) if outer is not None else None, tuple(levels))


def parse_max_pain(body: bytes, *, endpoint: str) -> Mapping[str, Figures]:
    """Price and USD size of the long and short max-pain levels, by coin."""
    return {
        row.symbol: (
            *figure(PRICE, row.price, "usd"),
            *figure("longMaxPainPriceUsd", row.long_max_pain_liq_price, "usd"),
            *figure("longMaxPainSizeUsd", row.long_max_pain_liq_level, "usd"),
            *figure("shortMaxPainPriceUsd", row.short_max_pain_liq_price, "usd"),
            *figure("shortMaxPainSizeUsd", row.short_max_pain_liq_level, "usd"),
        )
        for row in decode(_MAX_PAIN, body, endpoint) or []
    }
