"""CoinAPI bytes to a spot price. Pure; raises only `ProviderError`."""

from __future__ import annotations

import math

import msgspec

from app.core.domain.market import Price, PriceKind
from app.core.errors import ProviderBadPayload
from app.services.spot.client import PROVIDER, decode
from app.services.spot.times import epoch_ms
from app.services.spot.wire import ExchangeRate

ENDPOINT = "exchangerate"

_RATE = msgspec.json.Decoder(ExchangeRate, strict=False)


def parse_rate(body: bytes, base: str) -> tuple[Price, int]:
    """(spot price of `base` in USD, its time in epoch ms).

    Raises:
        ProviderBadPayload: another pair, a rate not finite and above zero, or a malformed time.
    """
    row = decode(_RATE, body, ENDPOINT)
    if (row.asset_id_base, row.asset_id_quote) != (base, "USD"):
        raise ProviderBadPayload(PROVIDER, ENDPOINT, f"asked for {base}/USD, answered another pair")
    if not (math.isfinite(row.rate) and row.rate > 0):
        raise ProviderBadPayload(PROVIDER, ENDPOINT, "the rate is not a finite number above zero")
    return Price(row.rate, PriceKind.SPOT_RATE), _time_ms(row.time)


def _time_ms(text: str) -> int:
    try:
        return epoch_ms(text)
    except ValueError as error:
        raise ProviderBadPayload(PROVIDER, ENDPOINT, "the time is not ISO 8601 in UTC") from error
