"""Our name of a CoinGlass field: camel case, its unit at the end, its misspellings corrected. Pure.

One table per code: what the number means is written down once. Called by `normalise` and the command that
writes `docs/providers.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Code -> word, one table per meaning. Sources: the endpoint pages; of `liquidated_side` the stream's page,
# with which the REST page's own sample agrees; of spot orders the majority of the pages.
CODES: Mapping[str, Mapping[int, str]] = {
    "liquidated_side": {1: "LONG", 2: "SHORT"},
    "order_side": {1: "sell", 2: "buy"},
    "order_state": {0: "not_started", 1: "open", 2: "filled", 3: "cancelled"},
    "whale_action": {1: "opened", 2: "closed"},
    "transfer_type": {1: "inflow", 2: "outflow", 3: "internal"},
    "importance": {1: "low", 2: "medium", 3: "high"},
    "yes_no": {0: "no", 1: "yes"},
    "day_side": {0: "sell", 1: "buy"},
}
# Kinds that are words: never read as a number, whatever they look like.
TEXTS = frozenset({"text", "symbol", "exchange", "id", "flag", "object"})
# Sizes whose sign is the side: above zero long, below short.
SIGNED_SIZES = frozenset({"position_size", "szi"})

_SUFFIXES: Mapping[str, str] = {
    "usd": "Usd",
    "price": "Usd",
    "pct": "Pct",
    "frac": "Frac",
    "base": "Base",
    "contracts": "Contracts",
    "hours": "H",
    "days": "Days",
    "ratio": "Ratio",
    "score": "Score",
}
_CORRECTED: Mapping[str, str] = {
    "open_interest_volume_radio": "open_interest_volume_ratio",
    "btc_option_vs_futures_radio": "btc_option_vs_futures",
    "eth_option_vs_futures_radio": "eth_option_vs_futures",
    "ydt_change_percent": "ytd_change_percent",
    "holdings_amount_change1d": "holdings_amount_change_1d",
    "longLiquidation_usd": "long_liquidation_usd",
    "shortLiquidation_usd": "short_liquidation_usd",
}
_CODE_NAMES: Mapping[str, str] = {"code:liquidated_side": "liquidatedSide", "code:whale_action": "action"}
_WORDS = re.compile(r"[^A-Za-z0-9]+")
_UNIT_WORDS = {"Usd": "usd", "Pct": "percent", "Ratio": "ratio", "Score": "score", "Contracts": "contracts"}


def unit_name(key: str, kind: str, unit: str) -> str:
    """`price_change_percent_24h`, pct -> `priceChange24hPct`; `close`, price -> `closeUsd`.

    unit: what was asked for where the endpoint leaves it open: `usd`, or anything else for the coin.
    """
    kind = kind.rstrip("#?")
    if kind in _CODE_NAMES:
        return _CODE_NAMES[kind]
    words = [word for word in _WORDS.split(_CORRECTED.get(key, key)) if word]
    if kind == "by_unit":
        # Some keys say usd whatever was asked for: aggregated_buy_volume_usd holds coins with unit=coin.
        words = [word for word in words if word.lower() != "usd"]
        kind = "usd" if unit.lower() == "usd" else "base"
    suffix = _SUFFIXES.get(kind, "")
    said = _UNIT_WORDS.get(suffix, "")
    # The unit is said once, at the end: usd_value -> valueUsd.
    words = [word for word in words if word.lower() != said] or words
    if not words:
        return "value"
    first, *rest = words
    return first[:1].lower() + first[1:] + "".join(word[:1].upper() + word[1:] for word in rest) + suffix
