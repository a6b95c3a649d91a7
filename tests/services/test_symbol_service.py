"""Which coins can be asked for: what any provider lists."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from app.core.domain.symbol import Symbol
from app.services.symbol_service import SymbolService


def test_the_lists_of_all_providers_are_searched_as_they_are_now() -> None:
    listed = {"BTC"}
    providers = [
        SimpleNamespace(known_bases=lambda: frozenset(listed)),
        SimpleNamespace(known_bases=frozenset),
    ]
    service = SymbolService(cast("Any", providers))
    assert service.search("ETH", 5).exact is None
    listed.add("ETH")
    assert service.search("ETH", 5).exact == Symbol("ETH")
    assert service.search("ETH", 5).listed == 2
