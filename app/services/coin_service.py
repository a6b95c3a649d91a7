"""The use case behind `/api/coins`: any usual spelling to a coin, and the change of the watchlist."""

from __future__ import annotations

from collections.abc import Callable

from app.core.domain.symbol import Symbol, resolve_symbol
from app.core.domain.watchlist import WatchChange, WatchedCoin
from app.core.errors import NotWatched, UnknownSymbol
from app.services.watchlist import Watchlist


class CoinService:
    """Shows and changes which coins are followed."""

    def __init__(self, watchlist: Watchlist, *, resolve: Callable[[str], Symbol]) -> None:
        self._watchlist = watchlist
        self._resolve = resolve

    def coins(self) -> tuple[WatchedCoin, ...]:
        """The whole list, in order."""
        return self._watchlist.all()

    async def add(self, text: str) -> WatchChange:
        """Follow a coin. Raises: InvalidParameter, UnknownSymbol, WatchlistFull."""
        return await self._watchlist.add(self._resolve(text).base)

    async def remove(self, text: str) -> WatchChange:
        """Take a coin out. Raises: InvalidParameter, UnknownSymbol, NotWatched."""
        return await self._watchlist.remove(self._listed(text))

    async def toggle(self, text: str, *, is_on: bool | None) -> WatchChange:
        """Switch a coin; None: to what it is not. Raises: InvalidParameter, UnknownSymbol, NotWatched."""
        return await self._watchlist.toggle(self._listed(text), is_on=is_on)

    def _listed(self, text: str) -> str:
        """The coin of the list that is meant, also when no provider lists it any more.

        Spelled as it is in the list it is that one; else what the providers make of it, and only when they
        know nothing of the kind what the list makes of it: FDUSD must not switch FD while there is a FDUSD.
        """
        listed = frozenset(coin.symbol for coin in self._watchlist.all())
        plain = text.strip().upper()
        if plain in listed:
            return plain
        try:
            found = self._resolve(text).base
        except UnknownSymbol:
            if not listed:
                raise
            try:
                return resolve_symbol(text, listed).base
            except UnknownSymbol:
                pass
            raise
        if found not in listed:
            raise NotWatched(found)
        return found
