"""An HTTP load generator for one service: questions at a rate that waits for no answer, or closed loops.

    python -m bench.load --url http://127.0.0.1:8000 --rate 500 --seconds 60 --mix signals
    python -m bench.load --url ... --phases 300x10,1500x60,300x15 --path /signals/BTC@3 --path /market/ETH@1
    python -m bench.load --url ... --clients 50 --seconds 6 --path /signals/BTC

The first two are open: each question has a time of its own, and is late when the service is (no coordinated
omission). The last asks again as soon as it was answered. Prints one JSON object. Run as a program of its own
and pin it (`--core`), so that it never shares the server's core.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import uvloop

from bench.load_figures import Tally
from bench.load_wire import Answer, Connection, request_bytes

MANY_COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "ADA", "AVAX", "LINK", "LTC", "DOT", "UNI")
# Path -> (weight, label); labels are told apart in the figures.
MIXES: Mapping[str, Mapping[str, tuple[float, str]]] = {
    "signals": {"/signals/BTC": (1, "signal")},
    "coins": {f"/signals/{coin}": (1, "signal") for coin in MANY_COINS},
    "dashboard": {
        "/api/signals": (4, "cards"),
        "/signals/BTC": (4, "signal"),
        "/flow/BTC": (2, "flow"),
        "/api/alerts": (2, "alerts"),
        "/coinglass/status": (1, "status"),
        "/health": (1, "health"),
    },
}
GIVE_UP_S = 10.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked how often, and under which label it is counted."""

    request: bytes
    weight: float
    label: str


@dataclass(slots=True)
class Asked:
    """One question on its way: when it was due, in seconds of the loop's clock."""

    question: Question
    due_s: float
    begun_s: float
    tally: Tally


class Generator:
    """Questions of a mix over a bounded number of connections, from one or more loopback addresses."""

    def __init__(
        self,
        host: str,
        port: int,
        questions: Sequence[Question],
        *,
        connections: int,
        addresses: int = 1,
        seed: int = 1,
    ) -> None:
        self._host, self._port = host, port
        self._draw = random.Random(seed)
        self._mix = (questions, list(itertools.accumulate(question.weight for question in questions)))
        self._max = connections
        self._sources = itertools.cycle(range(1, addresses + 1)) if addresses > 1 else None
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[Asked] = deque()
        self._again: Callable[[], Asked] | None = None
        self._loop = asyncio.get_running_loop()

    async def open_phase(self, rate_per_s: float, seconds: float, *, is_even: bool) -> Tally:
        """Ask at a rate for so long, then wait for what is still to come. is_even: not by chance."""
        tally = Tally(rate_per_s, seconds)
        begun_s = time.monotonic()
        for due_s in self._schedule(begun_s, rate_per_s, seconds, is_even=is_even):
            while (left_s := due_s - time.monotonic()) > 0:  # noqa: ASYNC110 - no event but the time
                # Timers are a millisecond coarse; the rest is waited for in the open.
                await asyncio.sleep(left_s - 0.0015 if left_s > 0.003 else 0)
            tally.late_s.append(time.monotonic() - due_s)
            self._ask(Asked(self._question(), due_s, begun_s, tally))
        return tally

    async def closed_phase(self, clients: int, seconds: float) -> Tally:
        """`clients` connections, each asking as soon as it was answered."""
        tally = Tally(0.0, seconds)
        begun_s = time.monotonic()
        self._max = clients
        self._again = lambda: Asked(self._question(), time.monotonic(), begun_s, tally)
        for _ in range(clients):
            self._ask(self._again())
        await asyncio.sleep(seconds)
        self._again = None
        tally.seconds = time.monotonic() - begun_s
        return tally

    async def finish(self) -> None:
        """Wait for answers that are due; what does not come within ten seconds counts as lost."""
        give_up_s = time.monotonic() + GIVE_UP_S
        while (self._waiting or self._busy()) and time.monotonic() < give_up_s:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for task in self._opening:
            task.cancel()
        for asked in self._waiting:
            self._count(asked, None)
        self._waiting.clear()
        for connection in list(self._open):
            connection.close()
        await asyncio.sleep(0.05)

    def _busy(self) -> list[Connection]:
        return [one for one in self._open if one.asked is not None]

    def _schedule(
        self, begun_s: float, rate_per_s: float, seconds: float, *, is_even: bool
    ) -> Iterator[float]:
        due_s = begun_s
        while True:
            due_s += 1 / rate_per_s if is_even else self._draw.expovariate(rate_per_s)
            if due_s >= begun_s + seconds:
                return
            yield due_s

    def _question(self) -> Question:
        questions, weights = self._mix
        return self._draw.choices(questions, cum_weights=weights)[0]

    def _ask(self, asked: Asked) -> None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                connection.ask(asked.question.request, asked)
                return
        self._waiting.append(asked)
        if len(self._open) + len(self._opening) < self._max:
            task = self._loop.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        while self._waiting and time.monotonic() - self._waiting[0].due_s > GIVE_UP_S:
            self._count(self._waiting.popleft(), None)

    async def _connect(self) -> None:
        source = None if self._sources is None else (f"127.0.1.{next(self._sources)}", 0)
        try:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self._answered), self._host, self._port, local_addr=source
            )
        except OSError:
            if self._waiting:
                self._count(self._waiting.popleft(), None)
            return
        self._open.add(connection)
        self._next(connection)

    def _answered(self, connection: Connection, answer: Answer | None) -> None:
        asked, connection.asked = connection.asked, None
        assert isinstance(asked, Asked)
        self._count(asked, answer)
        if connection.is_open:
            self._next(connection)
        else:
            self._open.discard(connection)

    def _next(self, connection: Connection) -> None:
        if self._waiting or self._again is not None:
            asked = self._waiting.popleft() if self._waiting or self._again is None else self._again()
            connection.ask(asked.question.request, asked)
        else:
            self._idle.append(connection)

    def _count(self, asked: Asked, answer: Answer | None) -> None:
        took_s = time.monotonic() - asked.due_s
        asked.tally.add(answer, asked.question.label, asked.due_s - asked.begun_s, took_s)


async def generate(args: argparse.Namespace) -> dict[str, Any]:
    """All phases one after the other, over the same connections."""
    parts = urlsplit(args.url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    questions = [
        Question(request_bytes(path, f"{host}:{port}", key=args.key), weight, label)
        for path, (weight, label) in _mix(args).items()
    ]
    generator = Generator(
        host, port, questions, connections=args.connections, addresses=args.addresses, seed=args.seed
    )
    tallies: list[Tally] = []
    if args.clients:
        tallies.append(await generator.closed_phase(args.clients, args.seconds))
    else:
        for rate, seconds in _phases(args):
            tallies.append(await generator.open_phase(rate, seconds, is_even=args.schedule == "even"))
    await generator.finish()
    return {"url": args.url, "phases": [tally.figures() for tally in tallies]}


def _mix(args: argparse.Namespace) -> dict[str, tuple[float, str]]:
    """--path PATH[@WEIGHT[@LABEL]] replaces the named mix."""
    if not args.path:
        return dict(MIXES[args.mix])
    chosen: dict[str, tuple[float, str]] = {}
    for text in args.path:
        path, _, rest = text.partition("@")
        weight, _, label = rest.partition("@")
        chosen[path] = (float(weight or 1), label or path)
    return chosen


def _phases(args: argparse.Namespace) -> list[tuple[float, float]]:
    if not args.phases:
        return [(args.rate, args.seconds)]
    pairs = [text.split("x") for text in args.phases.split(",")]
    return [(float(rate), float(seconds)) for rate, seconds in pairs]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="HTTP load, one JSON result.")
    parser.add_argument("--url", required=True, help="http://HOST:PORT of the service")
    parser.add_argument("--rate", type=float, default=100.0, help="questions per second, open loop")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--phases", default="", help="RATExSECONDS,... instead of --rate and --seconds")
    parser.add_argument("--clients", type=int, default=0, help="closed loop: so many ask without a pause")
    parser.add_argument("--schedule", choices=("poisson", "even"), default="poisson")
    parser.add_argument("--mix", choices=sorted(MIXES), default="signals")
    parser.add_argument("--path", action="append", default=[], help="PATH[@WEIGHT[@LABEL]], any number")
    parser.add_argument("--connections", type=int, default=200, help="at most so many, opened as needed")
    parser.add_argument("--addresses", type=int, default=1, help="loopback addresses to ask from, 127.0.1.N")
    parser.add_argument("--key", default=None, help="bearer key")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--core", type=int, default=None, help="pin the generator to this core")
    return parser


def main(argv: Sequence[str]) -> int:
    args = _parser().parse_args(argv)
    if args.core is not None:
        os.sched_setaffinity(0, {args.core})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(generate(args))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
