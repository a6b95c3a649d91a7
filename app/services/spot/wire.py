"""CoinAPI wire shapes. Source: GET /v1/exchangerate/{base}/{quote}, any plan with REST; checked 2026-11."""

from __future__ import annotations

import msgspec


class Failure(msgspec.Struct):
    """Older answers use `message`, newer ones `error`."""

    error: str | None = None
    message: str | None = None


class ExchangeRate(msgspec.Struct):
    """time: ISO 8601 with seven decimals and Z. rate: up to 28 decimals, in quote currency."""

    time: str
    asset_id_base: str
    asset_id_quote: str
    rate: float
