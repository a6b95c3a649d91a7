"""The use case behind `/symbols`: which coins can be asked for. Reads the providers' lists, calls nobody."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.domain.symbol import SymbolMatches, search_symbols
from app.core.ports import Provider
from app.services.signal_service import known_bases


class SymbolService:
    """Searches what the providers list."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = providers

    def search(self, text: str, limit: int) -> SymbolMatches:
        """At most `limit` coins, best first. Raises: InvalidParameter."""
        return search_symbols(text, known_bases(self._providers), limit)
