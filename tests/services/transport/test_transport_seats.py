"""Seats: a bounded number of requests at a time, shared fairly between endpoints."""

from __future__ import annotations

import asyncio

import pytest

from app.services.transport.seats import Seats


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Queue:
    """Takes seats in tasks and notes the order in which they were given."""

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self.seated: list[str] = []

    async def _take(self, endpoint: str) -> None:
        await self._seats.take(endpoint, 60)
        self.seated.append(endpoint)

    def ask(self, *endpoints: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._take(endpoint)) for endpoint in endpoints]


async def test_who_waits_gets_the_seat_that_is_given_back() -> None:
    seats = Seats(2)
    queue = Queue(seats)
    tasks = queue.ask("a", "a", "a")
    await settle()
    assert queue.seated == ["a", "a"]
    seats.give("a")
    await asyncio.gather(*tasks)
    assert len(queue.seated) == 3


async def test_the_endpoint_with_the_fewest_requests_under_way_goes_first() -> None:
    seats = Seats(3)
    queue = Queue(seats)
    tasks = queue.ask(*["statistics"] * 10, "price")
    await settle()
    seats.give("statistics")
    await settle()
    assert queue.seated == ["statistics"] * 3 + ["price"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_nobody_waits_longer_than_asked() -> None:
    seats = Seats(1)
    await seats.take("a", 0)
    with pytest.raises(TimeoutError):
        await seats.take("a", 0)
    seats.give("a")
    await seats.take("a", 0)


async def test_who_gives_up_neither_takes_nor_loses_a_seat() -> None:
    seats = Seats(1)
    queue = Queue(seats)
    await seats.take("a", 0)
    waiting, late = queue.ask("a", "b")
    await settle()
    waiting.cancel()
    await settle()
    seats.give("a")
    await late
    assert queue.seated == ["b"]


async def test_a_seat_given_to_one_who_just_left_goes_to_the_next() -> None:
    seats = Seats(1)
    queue = Queue(seats)
    await seats.take("a", 0)
    leaving, late = queue.ask("a", "a")
    await settle()
    seats.give("a")
    leaving.cancel()
    await asyncio.wait_for(late, 30)
    assert queue.seated == ["a"]
    seats.give("a")
    await seats.take("a", 0)
