"""One client of the hub in virtual time: pace, beats, resume, and what becomes of one that takes nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.api.errors import TooManyClients
from app.api.live_clients import Ending, serve
from app.api.live_hub import Kind, LiveHub, Message, Position
from app.api.live_limits import LiveLimits
from app.core.domain.context import DataMode
from app.core.errors import ConfigurationError
from app.services.live_demand import Demand
from bench.virtual_time import run_virtual

NOW_MS = 1_772_000_000_000


class Gatherer:
    """Gathers nothing; says who listens."""

    def __init__(self) -> None:
        self.demand = Demand(monotonic=lambda: asyncio.get_running_loop().time())

    async def gathered(self, within_s: float) -> None:
        """At once."""


@dataclass
class Seen:
    """What metrics were told."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    coalesced: int = 0
    refused: list[str] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    clients: dict[str, int] = field(default_factory=dict)

    def live_clients(self, kind: str, count: int) -> None:
        self.clients[kind] = count

    def live_sent(self, kind: str, told: str) -> None:
        self.sent.append((kind, told))

    def live_coalesced(self, count: int) -> None:
        self.coalesced += count

    def live_refused(self, reason: str) -> None:
        self.refused.append(reason)

    def live_ended(self, kind: str, ending: str) -> None:
        self.ended.append((kind, ending))


def now_s() -> float:
    return asyncio.get_running_loop().time()


class Rig:
    """A hub that lets changes out, and its clients."""

    def __init__(self, **limits: Any) -> None:
        self.seen, self.gatherer = Seen(), Gatherer()
        self.hub = LiveHub(
            LiveLimits(**limits),
            data_mode=DataMode.DEMO,
            now_ms=lambda: NOW_MS + round(now_s() * 1000),
            monotonic=now_s,
            observe=self.seen,
        )
        self._tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Rig:
        self._tasks.append(asyncio.create_task(self.hub.run()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def client(
        self, tell: Callable[[Message], Awaitable[None]], resume: Position | None = None
    ) -> asyncio.Task[Ending]:
        async def stays() -> Ending:
            await asyncio.Event().wait()
            return Ending.LEFT

        leaves: Callable[[], Coroutine[None, None, Ending]] = stays
        task = asyncio.create_task(
            serve(self.hub, self.gatherer, kind=Kind.SOCKET, tell=tell, resume=resume, leaves=leaves)
        )
        self._tasks.append(task)
        return task

    async def push(self, per_second: float, seconds: float) -> None:
        for number in range(round(per_second * seconds)):
            self.hub.board.put_coin("quotes", "BTC", str(number))
            await asyncio.sleep(1 / per_second)


class Taken:
    """Messages with the second at which each arrived; `slow_s` is how long each takes to be taken."""

    def __init__(self, slow_s: float = 0.0) -> None:
        self.slow_s = slow_s
        self.got: list[tuple[float, dict[str, Any]]] = []

    async def __call__(self, message: Message) -> None:
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        self.got.append((now_s(), json.loads(message.text)))

    def types(self) -> list[str]:
        return [body["type"] for _, body in self.got]


def test_sixty_updates_a_second_reach_a_client_as_four_and_the_last_is_the_newest() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            taken = Taken()
            rig.client(taken)
            await rig.push(60, 10)
            await asyncio.sleep(1)
        deltas = [at for at, body in taken.got if body["type"] == "delta"]
        assert 38 <= len(deltas) <= 42
        assert all(later - earlier > 0.19 for earlier, later in itertools.pairwise(deltas))
        assert taken.got[-1][1]["quotes"] == {"BTC": 599}

    run_virtual(scene())


def test_a_quiet_feed_beats_every_five_seconds_with_the_time_of_the_market() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            taken = Taken()
            rig.client(taken)
            await asyncio.sleep(16)
        assert taken.types() == ["snapshot", "beat", "beat", "beat"]
        assert [round(at) for at, _ in taken.got] == [0, 5, 10, 15]
        assert taken.got[-1][1]["serverTime"].startswith("2026-02-25T06:13:35.0")
        assert set(taken.got[-1][1]) == {"type", "hub", "seq", "serverTime"}

    run_virtual(scene())


def test_a_slow_client_skips_to_the_latest_and_the_others_do_not_wait_for_it() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            slow, fast = Taken(slow_s=3), Taken()
            rig.client(slow)
            rig.client(fast)
            await rig.push(60, 30)
            await asyncio.sleep(7)
        slow_values = [body["quotes"]["BTC"] for _, body in slow.got if "BTC" in body.get("quotes", {})]
        assert len(slow_values) <= 11
        assert slow_values[-1] == 1799
        assert len(fast.got) > 100
        assert rig.seen.coalesced > 90

    run_virtual(scene())


def test_a_client_that_takes_nothing_for_thirty_seconds_is_ended() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            task = rig.client(Taken(slow_s=1000))
            assert await task is Ending.SLOW
            assert now_s() == pytest.approx(30)
            assert rig.seen.ended == [("ws", "slow")]
            assert rig.gatherer.demand.is_wanted  # for a while, in case it comes back
            await asyncio.sleep(31)
            assert not rig.gatherer.demand.is_wanted

    run_virtual(scene())


def test_resume_in_the_same_hub_is_a_delta_and_in_another_a_snapshot() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            rig.hub.board.put_coin("quotes", "BTC", "1")
            version = rig.hub.board.version
            rig.hub.board.put_coin("quotes", "ETH", "2")
            here, there, ahead = Taken(), Taken(), Taken()
            rig.client(here, Position(rig.hub.id, version))
            rig.client(there, Position("0000", version))
            rig.client(ahead, Position(rig.hub.id, version + 99))
            await asyncio.sleep(0.1)
        assert here.got[0][1]["type"] == "delta"
        assert here.got[0][1]["quotes"] == {"ETH": 2}
        assert there.types()[0] == ahead.types()[0] == "snapshot"
        snapshot = there.got[0][1]
        assert (snapshot["speed"], snapshot["dataMode"], snapshot["hub"]) == (1, "demo", rig.hub.id)

    run_virtual(scene())


def test_a_stop_ends_everybody_at_once_even_one_that_is_being_written_to() -> None:
    async def scene() -> None:
        async with Rig() as rig:
            tasks = [rig.client(Taken()), rig.client(Taken(slow_s=1000))]
            await asyncio.sleep(1)
            rig.hub.close()
            assert await asyncio.gather(*tasks) == [Ending.STOPPED, Ending.STOPPED]
            assert now_s() == pytest.approx(1)
            assert await rig.client(Taken()) is Ending.STOPPED

    run_virtual(scene())


def test_a_client_has_to_come_again_in_the_end() -> None:
    async def scene() -> None:
        async with Rig(lifetime_s=60) as rig:
            assert await rig.client(Taken()) is Ending.EXPIRED
            assert 60 <= now_s() <= 66

    run_virtual(scene())


def test_a_broken_connection_is_a_client_that_left() -> None:
    async def broken(_: Message) -> None:
        raise ConnectionResetError

    async def scene() -> None:
        async with Rig() as rig:
            assert await rig.client(broken) is Ending.LEFT

    run_virtual(scene())


def test_seats_are_limited_by_process_address_and_kind_and_given_back() -> None:
    rig = Rig(max_clients=4, max_per_address=2, max_event_streams=1)
    with rig.hub.seat(Kind.SOCKET, "a"), rig.hub.seat(Kind.EVENTS, "a"):
        for kind, address in ((Kind.SOCKET, "a"), (Kind.EVENTS, "b")):
            with pytest.raises(TooManyClients), rig.hub.seat(kind, address):
                pass
        with rig.hub.seat(Kind.SOCKET, "b"), rig.hub.seat(Kind.SOCKET, "c"):
            assert rig.seen.clients == {"ws": 3, "sse": 1}
            with pytest.raises(TooManyClients), rig.hub.seat(Kind.SOCKET, "d"):
                pass
    assert rig.seen.refused == ["address_full", "full", "full"]
    assert rig.seen.clients == {"ws": 0, "sse": 0}
    assert rig.hub.clients == 0
    with rig.hub.seat(Kind.SOCKET, "a"), rig.hub.seat(Kind.SOCKET, "a"):
        assert rig.hub.clients == 2


@pytest.mark.parametrize("rate", [0, -1, 60.5, float("nan")])
def test_a_pace_that_makes_no_sense_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="LIVE_UPDATES_PER_SECOND"):
        LiveLimits(updates_per_second=rate)
