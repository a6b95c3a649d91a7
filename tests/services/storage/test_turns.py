"""Turns of an embedded database: what somebody waits for goes first, and bulk is never starved."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from app.services.storage import turns as turns_module
from app.services.storage.turns import WriteTurns


class Order:
    """Who had a turn, in order."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def take(self, name: str, turn: AbstractAsyncContextManager[None], *, turns: int = 3) -> None:
        async with turn:
            self.names.append(name)
            for _ in range(turns):
                await asyncio.sleep(0)


async def test_what_somebody_waits_for_goes_before_bulk() -> None:
    turns, order = WriteTurns(), Order()
    first = asyncio.create_task(order.take("bulk 1", turns.patient()))
    await asyncio.sleep(0)
    rest = [
        asyncio.create_task(order.take("bulk 2", turns.patient())),
        asyncio.create_task(order.take("alert 1", turns.urgent())),
        asyncio.create_task(order.take("alert 2", turns.urgent())),
    ]
    await asyncio.gather(first, *rest)
    assert order.names == ["bulk 1", "alert 1", "alert 2", "bulk 2"]


async def test_bulk_that_has_waited_long_enough_takes_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "PATIENCE_S", 0.0)
    turns, order = WriteTurns(), Order()
    alerts = [asyncio.create_task(order.take("alert", turns.urgent())) for _ in range(3)]
    await asyncio.sleep(0)
    bulk = asyncio.create_task(order.take("bulk", turns.patient()))
    await asyncio.sleep(0)
    late = asyncio.create_task(order.take("late", turns.urgent()))
    await asyncio.gather(*alerts, bulk, late)
    assert order.names == ["alert", "alert", "alert", "bulk", "late"]


async def test_a_turn_that_ends_by_an_error_is_over() -> None:
    turns = WriteTurns()
    for turn in (turns.urgent, turns.patient):
        with pytest.raises(ValueError, match="broken"):
            async with turn():
                raise ValueError("broken")
    async with asyncio.timeout(30), turns.patient():
        pass
