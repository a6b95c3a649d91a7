"""`EnhancedSignalContext`: everything known about one coin at one moment, as one read-only value.

Built by the context gatherer, read by the engine and rendered by the API. Each field is `Reading | Missing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum

from app.core.domain.market import Candles, LiquidationHistory, Price, Series
from app.core.domain.quality import Missing, Reading
from app.core.domain.symbol import Symbol


class Capability(StrEnum):
    """What a provider can be asked for. One task per capability; names match the context's fields."""

    PRICE = "price"
    CANDLES = "candles"
    LIQUIDATIONS = "liquidations"
    OPEN_INTEREST_USD = "open_interest_usd"
    OPEN_INTEREST_BASE = "open_interest_base"
    FUNDING = "funding"
    ACCOUNT_RATIO = "account_ratio"
    TOP_POSITION_RATIO = "top_position_ratio"
    SOCIAL = "social"
    FEAR_GREED = "fear_greed"


class DataMode(StrEnum):
    """Where the data comes from. Demo is never a fallback of live."""

    LIVE = "live"
    DEMO = "demo"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class EnhancedSignalContext:
    """All inputs of one signal.

    as_of_ms: market time at which the context was complete; ages count back from here.
    funding: fractions per 8 h; account_ratio / top_position_ratio: long share as a fraction;
    social, fear_greed: 0-100. Histories include the newest closed bar as their last value.
    """

    symbol: Symbol
    as_of_ms: int
    data_mode: DataMode
    price: Reading[Price] | Missing
    candles: Reading[Candles] | Missing
    liquidations: Reading[LiquidationHistory] | Missing
    open_interest_usd: Reading[Series] | Missing
    open_interest_base: Reading[Series] | Missing
    funding: Reading[Series] | Missing
    account_ratio: Reading[Series] | Missing
    top_position_ratio: Reading[Series] | Missing
    social: Reading[Series] | Missing
    fear_greed: Reading[Series] | Missing

    def inputs(self) -> Iterator[tuple[Capability, Reading[object] | Missing]]:
        """Every input with its capability, in field order."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Reading | Missing):
                yield Capability(field.name), value
