"""Which pair stands for a coin on which exchange, and how CoinGlass spells the coin itself.

Pairs are looked up in the provider's own list, never built by gluing names: contracts may be quoted per 1000
or a million coins (1000PEPEUSDT, 1000000MOGUSDT, SHIB1000USDT, kPEPE). `read_contract` is the one place that
knows these spellings. Pure; the lists are loaded by `listing`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from app.core.domain.symbol import strip_multiplier
from app.services.coinglass import wire
from app.services.coinglass.parse import bad_payload, decode, require_at_most

T = TypeVar("T")

_PAIRS = msgspec.json.Decoder(wire.Envelope[dict[str, list[wire.Pair]]], strict=False)
_COINS = msgspec.json.Decoder(wire.Envelope[list[str]], strict=False)

_MULTIPLIERS = {"1000": 1000, "10000": 10_000, "1000000": 1_000_000, "1M": 1_000_000, "K": 1000}
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
class ListedPair:
    """One perpetual as listed. rank: the smaller of two pairs of a coin on one exchange is preferred."""

    exchange: str
    name: str
    instrument: str
    rank: tuple[int, int, str]

    @property
    def quote(self) -> str:
        return _QUOTES[self.rank[0]]


@dataclass(frozen=True, slots=True)
class PairDirectory:
    """Best perpetual of each exchange for each base asset."""

    by_base: Mapping[str, Mapping[str, PairRef]]

    def find(self, base: str, exchange_order: tuple[str, ...]) -> PairRef | None:
        """The pair on the first exchange of the order that lists the coin."""
        listed = self.by_base.get(base, {})
        return next((listed[exchange] for exchange in exchange_order if exchange in listed), None)


def read_contract(name: str, coins: Collection[str] = (), instrument: str = "") -> tuple[str, int]:
    """(base asset, coins per quoted price) of a coin's `name`, upper case.

    `1000PEPE`, `SHIB1000`, `1MBABYDOGE` and `1000000MOG` say it themselves. A leading k or K is a thousand
    only in front of one of `coins`: `kPEPE` is, KAS and KAVA are coins of their own (and so is any K name in
    `coins`, should its rest be one too). When the name says nothing the instrument may: PEPE, 1000PEPEUSDT.
    """
    upper = name.upper()
    suffixed = _SUFFIXED.fullmatch(upper)
    if suffixed is not None:
        return suffixed.group(1), 1000
    base = upper[1:] if _is_per_thousand(name, coins) else strip_multiplier(upper)
    multiplier = _MULTIPLIERS.get(upper.removesuffix(base), 1)
    return base, multiplier if multiplier > 1 else _quoted_per(instrument.upper(), base)


def is_base(text: str) -> bool:
    """Whether this can be a base asset; what else stands in a list of coins is no coin of ours."""
    return _BASE.fullmatch(text) is not None


def _is_per_thousand(name: str, coins: Collection[str]) -> bool:
    rest = name[1:]
    # Whoever writes kPEPE with a small k means it; a capital K may be the first letter of the name.
    is_small = name[:1] == "k" and rest == rest.upper()
    return name[:1] in ("k", "K") and rest.upper() in coins and (is_small or name.upper() not in coins)


def _quoted_per(instrument: str, base: str) -> int:
    """Coins per price of an instrument of `base`: `1000PEPEUSDT` -> 1000, `PEPE-USDT-SWAP` -> 1."""
    head, found, tail = instrument.partition(base)
    if not found:
        return 1
    return _MULTIPLIERS.get(head, 1000 if re.match(r"1000(?!\d)", tail) else 1)


def find_row(rows: Mapping[str, T], base: str, coins: Collection[str]) -> tuple[T, int] | None:
    """The row of a coin under whatever name, and the coins per price there; the plain name wins."""
    if base in rows:
        return rows[base], 1
    for name, row in rows.items():
        if base in name.upper():
            found, multiplier = read_contract(name, coins)
            if found == base:
                return row, multiplier
    return None


def parse_pairs(body: bytes, *, endpoint: str) -> tuple[ListedPair, ...]:
    """All perpetuals; dated contracts and rows without names are left out.

    Raises:
        ProviderBadPayload: not a mapping of exchanges to pairs, or empty.
    """
    listed: list[ListedPair] = []
    for exchange, pairs in (decode(_PAIRS, body, endpoint) or {}).items():
        require_at_most(len(pairs), endpoint)
        for pair in pairs:
            rank = _rank(pair)
            if rank is not None and pair.base_asset is not None and pair.instrument_id is not None:
                listed.append(ListedPair(exchange, pair.base_asset, pair.instrument_id, rank))
    if not listed:
        raise bad_payload(endpoint, "the list of pairs is empty")
    return tuple(listed)


def build_directory(pairs: Sequence[ListedPair], coins: Collection[str] = ()) -> PairDirectory:
    """The best pair per coin and exchange; `coins`: the listed base assets, else those of the pairs."""
    known = coins or frozenset(read_contract(pair.name)[0] for pair in pairs)
    best: dict[str, dict[str, ListedPair]] = {}
    refs: dict[str, dict[str, PairRef]] = {}
    for pair in pairs:
        base, multiplier = read_contract(pair.name, known, pair.instrument)
        listed = best.setdefault(base, {})
        if pair.exchange not in listed or pair.rank < listed[pair.exchange].rank:
            listed[pair.exchange] = pair
            refs.setdefault(base, {})[pair.exchange] = PairRef(pair.exchange, pair.instrument, multiplier)
    return PairDirectory(refs)


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
    names = decode(_COINS, body, endpoint) or []
    known = frozenset(read_contract(name)[0] for name in names)
    coins: dict[str, str] = {}
    for name in names:
        base, _ = read_contract(name, known)
        # The plain spelling wins: aggregated figures of PEPE cover 1000PEPE contracts too.
        if _BASE.fullmatch(base) and (base not in coins or name == base):
            coins[base] = name
    if not coins:
        raise bad_payload(endpoint, "the list of coins is empty")
    return coins
