"""Which coins and pairs CoinGlass lists, loaded at start, refreshed daily, and on demand when missing.

Holds the last good lists; a failure to load is a state here and an error only for the call that cannot do
without (a pair-level endpoint without its pair). Owned by `provider`, asked by `standard` and `premium`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import TypeVar

from app.core.domain.market import DAY_MS
from app.core.domain.symbol import Symbol
from app.core.errors import ProviderError, ProviderNoData
from app.services.coinglass.client import CoinGlassClient
from app.services.coinglass.freshness import fixed_freshness
from app.services.coinglass.pairs import (
    ListedPair,
    PairDirectory,
    PairRef,
    build_directory,
    find_row,
    parse_coins,
    parse_pairs,
    read_contract,
)
from app.services.coinglass.parse import PROVIDER
from app.services.coinglass.spelling import Held
from app.services.transport.cache import Cached

COINS = "futures_supported_coins"
PAIRS = "futures_supported_exchange_pairs"
# Yesterday's list is served while today's is fetched: a new coin can wait a moment, a trader cannot.
_DAILY = fixed_freshness(DAY_MS, revalidate_ms=6 * DAY_MS, error_ms=6 * DAY_MS)
_RETRY_S = 60.0

T = TypeVar("T")


class Listing:
    """Names of coins and pairs as CoinGlass spells them."""

    def __init__(
        self, client: CoinGlassClient, *, monotonic: Callable[[], float], exchange_order: tuple[str, ...]
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._exchange_order = exchange_order
        self._coins: Mapping[str, str] = {}
        self._directory: PairDirectory | None = None
        self._built_from: tuple[tuple[ListedPair, ...], Mapping[str, str]] = ((), {})
        self._exchanges: frozenset[str] = frozenset()
        self._instruments: Mapping[tuple[str, str], str] = {}
        self._coins_retry_s = -inf

    async def load(self) -> None:
        """Load both lists; failures leave what was there."""
        await asyncio.gather(self._refresh_coins(), self._try_pairs())

    def known_bases(self) -> frozenset[str]:
        """Listed base assets; empty while no list could be loaded."""
        return frozenset(self._coins or (self._directory.by_base if self._directory is not None else ()))

    def held(self) -> Held:
        """Exchanges, coins and pairs by the last lists; empty while there are none."""
        return Held(self._exchanges, self.known_bases(), self._instruments)

    def spelled(self, symbol: Symbol, endpoint: str) -> str:
        """The coin as CoinGlass spells it, by the last list; without a list the plain name.

        Raises:
            ProviderNoData: the list does not have the coin.
        """
        if not self._coins:
            return symbol.base
        name = self._coins.get(symbol.base)
        if name is None:
            raise ProviderNoData(PROVIDER, endpoint, f"{symbol} is not among the listed coins")
        return name

    def multiplier(self, symbol: Symbol) -> int:
        """Coins per quoted price where CoinGlass names the coin alone: 1000 when only 1000BONK is listed."""
        return read_contract(self._coins.get(symbol.base, symbol.base), self._coins)[1]

    def row_of(self, rows: Mapping[str, T], symbol: Symbol) -> tuple[T, int] | None:
        """The row of the coin in a list of all of them, whatever its name there, and its multiplier."""
        return find_row(rows, symbol.base, self._coins)

    async def coin(self, symbol: Symbol, endpoint: str) -> str:
        """Like `spelled`, after a look whether the list is due."""
        await self._refresh_coins()
        return self.spelled(symbol, endpoint)

    async def pair(self, symbol: Symbol, endpoint: str) -> PairRef:
        """The perpetual of the first exchange in the configured order that lists the coin.

        Raises:
            ProviderNoData: none of these exchanges lists it.
            ProviderError: the list is not there and could not be loaded now.
        """
        found = (await self._load_pairs()).find(symbol.base, self._exchange_order)
        if found is None:
            names = ", ".join(self._exchange_order)
            raise ProviderNoData(PROVIDER, endpoint, f"{symbol} has no perpetual on {names}")
        return found

    async def listed_coins(self) -> Cached[Mapping[str, str]]:
        """Base asset -> the coin as CoinGlass spells it. Raises: ProviderError."""
        return await self._client.fetch(
            COINS, {}, parse=partial(parse_coins, endpoint=COINS), freshness=_DAILY, ahead=False
        )

    async def listed_pairs(self) -> Cached[tuple[ListedPair, ...]]:
        """Every perpetual. Raises: ProviderError."""
        return await self._client.fetch(
            PAIRS, {}, parse=partial(parse_pairs, endpoint=PAIRS), freshness=_DAILY, ahead=False
        )

    def known_pair(self, symbol: Symbol) -> PairRef | None:
        """The perpetual by the last list of pairs; None without one."""
        return None if self._directory is None else self._directory.find(symbol.base, self._exchange_order)

    def known_pairs(self, base: str) -> Mapping[str, str]:
        """The pair of a coin on each exchange by the last list of pairs; empty without one."""
        listed = {} if self._directory is None else self._directory.by_base.get(base, {})
        return {exchange: ref.instrument for exchange, ref in listed.items()}

    async def _load_pairs(self) -> PairDirectory:
        cached = await self.listed_pairs()
        pairs, coins = self._built_from
        if self._directory is None or pairs is not cached.value or coins is not self._coins:
            self._directory = build_directory(cached.value, self._coins)
            self._built_from = (cached.value, self._coins)
            self._exchanges = frozenset(pair.exchange for pair in cached.value)
            self._instruments = {(p.exchange, p.instrument.lower()): p.instrument for p in cached.value}
        return self._directory

    async def _try_pairs(self) -> None:
        try:
            await self._load_pairs()
        except ProviderError:
            return  # loaded on demand; the client's health keeps the reason

    async def _refresh_coins(self) -> None:
        # Only one caller a minute pays for a list that cannot be loaded; the others use the plain name.
        if self._monotonic() < self._coins_retry_s:
            return
        self._coins_retry_s = self._monotonic() + _RETRY_S
        try:
            cached = await self.listed_coins()
        except ProviderError:
            return
        self._coins = cached.value
