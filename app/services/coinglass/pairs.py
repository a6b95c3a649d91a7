"""Which pair stands for a coin on which exchange, and how CoinGlass spells the coin itself.

Pairs are looked up in the provider's own list, never built by gluing names: contracts may be quoted per 1000
or a million coins (1000PEPEUSDT, 1000000MOGUSDT, SHIB1000USDT). Pure; the lists are loaded by `provider`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from app.core.domain.symbol import strip_multiplier
from app.services.coinglass import wire
from app.services.coinglass.parse import bad_payload, decode

_PAIRS = msgspec.json.Decoder(wire.Envelope[dict[str, list[wire.Pair]]], strict=False)
_COINS = msgspec.json.Decoder(wire.Envelope[list[str]], strict=False)

_MULTIPLIERS = {"1000": 1000, "10000": 10_000, "1000000": 1_000_000, "1M": 1_000_000}
_DATED = re.compile(r"[-_](?:\d{6,8}|\d{1,2}[A-Z]{3}\d{2})$")
_SUFFIXED = re.compile(r"([A-Z]{2,12})1000")  # Bybit spells some contracts SHIB1000
_BASE = re.compile(r"[A-Z0-9]{1,15}")
# USDT-margined contracts are the deepest; the others serve coins that have none.
_QUOTES = ("USDT", "USDC", "USD")


@dataclass(frozen=True, slots=True)
class PairRef:
    """One perpetual: its prices are per `multiplier` coins."""

    exchange: str
    instrument: str
    multiplier: int


@dataclass(frozen=True, slots=True)
class PairDirectory:
    """Best perpetual of each exchange for each base asset."""

    by_base: Mapping[str, Mapping[str, PairRef]]

    def find(self, base: str, exchange_order: tuple[str, ...]) -> PairRef | None:
        """The pair on the first exchange of the order that lists the coin."""
        listed = self.by_base.get(base, {})
        return next((listed[exchange] for exchange in exchange_order if exchange in listed), None)


def base_of(wire_base: str) -> str:
    """`1000PEPE` and `SHIB1000` -> `PEPE` and `SHIB`; other names stay (upper case)."""
    upper = wire_base.upper()
    suffixed = _SUFFIXED.fullmatch(upper)
    return suffixed.group(1) if suffixed else strip_multiplier(upper)


def contract_multiplier(instrument: str, base: str) -> int:
    """Coins per quoted price: `1000PEPEUSDT` of PEPE -> 1000, `PEPE-USDT-SWAP` -> 1."""
    head, found, tail = instrument.upper().partition(base)
    if not found:
        return 1
    return _MULTIPLIERS.get(head, 1000 if re.match(r"1000(?!\d)", tail) else 1)


def parse_pairs(body: bytes, *, endpoint: str) -> PairDirectory:
    """The directory of all perpetuals; dated contracts and rows without names are left out.

    Raises:
        ProviderBadPayload: not a mapping of exchanges to pairs, or empty.
    """
    best: dict[str, dict[str, tuple[tuple[int, int, str], PairRef]]] = {}
    for exchange, pairs in (decode(_PAIRS, body, endpoint) or {}).items():
        for pair in pairs:
            rank = _rank(pair)
            if rank is None or pair.base_asset is None or pair.instrument_id is None:
                continue
            base = base_of(pair.base_asset)
            ref = PairRef(exchange, pair.instrument_id, contract_multiplier(pair.instrument_id, base))
            listed = best.setdefault(base, {})
            if exchange not in listed or rank < listed[exchange][0]:
                listed[exchange] = (rank, ref)
    if not best:
        raise bad_payload(endpoint, "the list of pairs is empty")
    return PairDirectory(
        {base: {name: ref for name, (_, ref) in listed.items()} for base, listed in best.items()}
    )


def _rank(pair: wire.Pair) -> tuple[int, int, str] | None:
    """Smaller is better; None for what is not a usable perpetual."""
    quote, instrument = pair.quote_asset, pair.instrument_id
    if not instrument or quote not in _QUOTES or _DATED.search(instrument):
        return None
    return (_QUOTES.index(quote), len(instrument), instrument)


def parse_coins(body: bytes, *, endpoint: str) -> Mapping[str, str]:
    """Base asset -> the coin as CoinGlass spells it (`PEPE` -> `1000PEPE` where only that is listed).

    Raises:
        ProviderBadPayload: not a list of names, or empty.
    """
    coins: dict[str, str] = {}
    for name in decode(_COINS, body, endpoint) or []:
        base = base_of(name)
        # The plain spelling wins: aggregated figures of PEPE cover 1000PEPE contracts too.
        if _BASE.fullmatch(base) and (base not in coins or name == base):
            coins[base] = name
    if not coins:
        raise bad_payload(endpoint, "the list of coins is empty")
    return coins
