"""Where a chat is found after it moved, also when the database is away."""

from __future__ import annotations

import pytest

from app.core.errors import StorageUnavailable
from app.core.store_ports import StateStore
from app.services.streaming.chat_addresses import ChatAddresses


class State(StateStore):
    """Keys and values in memory; `is_down` makes every visit fail."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.is_down = False
        self.reads = 0

    async def get_state(self, key: str) -> str | None:
        self._visit()
        self.reads += 1
        return self.values.get(key)

    async def put_state(self, key: str, value: str) -> None:
        self._visit()
        self.values[key] = value

    def _visit(self) -> None:
        if self.is_down:
            raise StorageUnavailable("no answer in time")


async def test_a_chat_is_found_by_its_name_until_it_moves() -> None:
    state = State()
    addresses = ChatAddresses(state)
    assert await addresses.address("telegram:-1") == "telegram:-1"
    await addresses.move("telegram:-1", "telegram:-1001")
    assert await addresses.address("telegram:-1") == "telegram:-1001"
    assert await ChatAddresses(state).address("telegram:-1") == "telegram:-1001"


async def test_it_is_read_once_and_again_only_if_that_failed() -> None:
    state = State()
    addresses = ChatAddresses(state)
    state.is_down = True
    assert await addresses.address("telegram:-1") == "telegram:-1"
    state.is_down = False
    state.values["chat_address:telegram:-1"] = "telegram:-1001"
    for _ in range(3):
        assert await addresses.address("telegram:-1") == "telegram:-1001"
    assert state.reads == 1


async def test_a_move_that_is_not_saved_counts_all_the_same_and_is_said_so() -> None:
    state = State()
    addresses = ChatAddresses(state)
    state.is_down = True
    with pytest.raises(StorageUnavailable):
        await addresses.move("telegram:-1", "telegram:-1001")
    assert await addresses.address("telegram:-1") == "telegram:-1001"
