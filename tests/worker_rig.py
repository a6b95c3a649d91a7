"""`python -m app.worker` and `python -m app.main` as children, with everything around them real.

The simulator runs in the test's loop at wall time, keeps every message as it was when it arrived, and is
silent but for what a test scripts; so the truth is known. Redis and Postgres are the fixtures'.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from sqlalchemy import text

from app.core.clock import SystemClock
from app.services.storage.engine import open_engine
from app.services.transport.connection import tls_context
from app.sim.telegram import TelegramServer
from app.simulator_child import provider_settings
from tests.live_process import ROOT, clean_environment
from tests.live_rig import LiveSim, closed_port, fault, listening, live_simulator

CHATS = ("1001", "1002", "1003")
# Tier 3: $50K within the window are a cascade, $100K are sure enough to be told.
COINS = (
    *("UNI", "ATOM", "ETC", "FIL", "NEAR", "APT", "ARB", "OP", "INJ", "SEI", "TIA", "WLD", "AAVE", "MKR"),
    *("WIF", "FET", "ICP", "TON", "CRV", "LDO", "ORDI", "GALA"),
)
# A new connection gets the last minute again, so that a worker that was away misses nothing.
REPLAYED = fault("coinglass", "replay", 60, endpoint="ws")
# What is polled tells nothing here: the truth are scripted cascades alone.
UNPOLLED = {"whale_position_usd": 10**12, "extreme_percentile": 0.999999, "heatmap_score": 1}
T = TypeVar("T")
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
IS_FULL = os.environ.get("CHAOS") == "full"
READY_S = 30.0
WEB_MODULES = {"app.main", "tests.soak_web_child"}
# Senders wait five seconds for an answer, and they are no less held up than we are.
LONG_STALL_S = 0.5
_COIN = re.compile(r"^\S+ (?:<b>)?([A-Z0-9]+): ", re.MULTILINE)


def full(long: T, short: T) -> T:
    """What the long form takes, which CHAOS=full asks for, or the short one."""
    return long if IS_FULL else short


class Inbox(list[dict[str, Any]]):
    """The simulated Telegram's messages, and each as it was when it arrived, before edits changed it."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[dict[str, Any]] = []

    def append(self, message: dict[str, Any]) -> None:
        self.arrived.append(dict(message))
        super().append(message)

    def of(self, chat: str) -> list[dict[str, Any]]:
        return [message for message in self.arrived if str(message["chat"]["id"]) == chat]

    def coins(self, chat: str) -> Counter[str]:
        """How often each coin was told to this chat, single or in a digest."""
        return Counter(coin for message in self.of(chat) for coin in coins_of(message))


def coins_of(message: Mapping[str, Any]) -> list[str]:
    return _COIN.findall(message["text"])


def is_repeat(message: Mapping[str, Any]) -> bool:
    return "Repeat:" in message["text"]


class Hook:
    """Another system that takes alerts: (id, revision) of every call. delay_s: how late it answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.coins: dict[str, str] = {}
        self.delay_s = 0.0

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.calls.append((headers["x-alert-id"], int(headers["x-alert-revision"])))
        self.coins[headers["x-alert-id"]] = json.loads(body)["symbol"]
        await asyncio.sleep(self.delay_s)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def copies(self) -> Counter[tuple[str, int]]:
        """How often each revision of each alert was sent."""
        return Counter(self.calls)

    def told(self) -> set[str]:
        """Ids of all alerts that were sent."""
        return {alert for alert, _ in self.calls}


@dataclass(slots=True)
class Upstream:
    """What is around a worker: market, messengers, and the settings that lead there."""

    sim: LiveSim
    inbox: Inbox
    hook: Hook
    settings: dict[str, str]
    folder: Path
    liquidated: list[dict[str, Any]] = field(default_factory=list)
    longest_stall_s: float = 0.0
    _children: list[Child] = field(default_factory=list)

    def cascade(
        self, coin: str, *, side: str = "long", usd: float = 120_000, events: int = 4, over_ms: int = 0
    ) -> None:
        """Liquidations of one side from now on, one burst."""
        now_ms = SystemClock().now_ms()
        self.liquidate(
            {
                "base": coin,
                "exchange": "Binance",
                "liquidated": side,
                "price_usd": 5.0 + n / 1000,
                "usd": usd / events,
                "in_ms": over_ms * n // events,
                "ts_ms": now_ms + over_ms * n // events + n,
            }
            for n in range(events)
        )

    def liquidate(self, rows: Iterable[dict[str, Any]]) -> None:
        made = list(rows)
        self.liquidated += made
        self.sim.state.script.add({"alone": True, "liquidations": made}, SystemClock().now_ms())

    async def start(self, *args: str, module: str = "app.worker", **settings: str) -> Child:
        """A child that is ready; `settings` win over those of all."""
        child = await Child.start(module, args, self.settings | settings, self.folder)
        self._children.append(child)
        await child.ready()
        return child

    async def watch_stalls(self) -> None:
        """How long this process, and so the messengers in it, got no turn on a busy machine."""
        while True:
            begun_s = time.monotonic()
            await asyncio.sleep(0.05)
            self.longest_stall_s = max(self.longest_stall_s, time.monotonic() - begun_s - 0.05)

    async def close(self) -> None:
        for child in self._children:
            await child.kill()


class Child:
    """One process of ours.

    start_s: from its start until it said that it is ready; start_cpu_s: the work that took. What clocks say
    on a busy machine is about the others on it.
    """

    def __init__(self, process: asyncio.subprocess.Process, output: Path, port: int, *, is_web: bool) -> None:
        self.is_web = is_web
        self.process = process
        self.output = output
        self.url = f"http://127.0.0.1:{port}"
        self.begun_s = time.monotonic()
        self.start_s = self.start_cpu_s = 0.0

    @classmethod
    async def start(
        cls, module: str, args: Sequence[str], settings: Mapping[str, str], folder: Path
    ) -> Child:
        port = closed_port()
        output = folder / f"{module.rpartition('.')[2]}-{port}.log"
        with output.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *args),
                cwd=folder,
                env=clean_environment({"PORT": str(port), **settings}),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )
        return cls(process, output, port, is_web=module in WEB_MODULES)

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_s(self) -> float:
        """Work done so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self) -> str:
        return self.output.read_text(errors="replace")

    async def ready(self) -> None:
        """Until a worker says so, or a web process answers."""
        while not await self._is_ready():
            assert self.process.returncode is None, self.log()
            assert time.monotonic() - self.begun_s < READY_S, self.log()
            await asyncio.sleep(0.02)
        self.start_s = time.monotonic() - self.begun_s
        self.start_cpu_s = self.cpu_s()

    async def _is_ready(self) -> bool:
        if not self.is_web:
            return "worker ready" in self.log()
        with suppress(httpx2.TransportError):
            return (await self.get("/health/live")).status_code == 200
        return False

    async def get(self, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=self.url, verify=tls_context(), timeout=30) as client:
            return await client.get(path)

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self, within_s: float = 25.0) -> tuple[int, float]:
        """SIGTERM; the exit status and how long it took. One that hangs says where before it is ended."""
        begun_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                status = await self.process.wait()
        except TimeoutError:
            self.process.send_signal(signal.SIGABRT)
            await self.process.wait()
            raise AssertionError(f"still there {within_s} s after SIGTERM: {self.log()}") from None
        return status, time.monotonic() - begun_s


def _die_with_parent() -> None:
    """A test run that is killed leaves no worker behind."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@asynccontextmanager
async def upstream(folder: Path, database_url: str, **settings: str) -> AsyncIterator[Upstream]:
    """Everything but the processes under test; those that were started are gone at the end."""
    hook = Hook()
    async with live_simulator(SystemClock(), ws_text_numbers=False) as sim, listening(hook) as hook_url:
        telegram = next(
            reset.__self__ for reset in sim.state.resets if isinstance(reset.__self__, TelegramServer)
        )
        telegram.messages = inbox = Inbox()
        sim.state.script.add({"alone": True}, SystemClock().now_ms())
        sim.break_with(REPLAYED)
        given = provider_settings(sim.url) | {
            "DATA_MODE": "live",
            "PYTHONFAULTHANDLER": "1",
            "DATABASE_URL": database_url,
            "SYMBOLS": "BTC",
            "PLANNER": "off",
            "HOURLY_EVALUATIONS": "off",
            "RATE_LIMIT_PER_MINUTE": "1000000",
            "TELEGRAM_CHAT_ID": ",".join(CHATS),
            "TELEGRAM_MODE": "off",
            "ALERT_WEBHOOK_URL": hook_url,
            "WS_RECONNECT_SECONDS": "0.05",
            "ALERTS_CONFIG": settings.get("ALERTS_CONFIG") or alerts_config(folder),
        }
        around = Upstream(sim, inbox, hook, given | settings, folder)
        watching = asyncio.create_task(around.watch_stalls())
        try:
            yield around
        finally:
            watching.cancel()
            await around.close()


def alerts_config(folder: Path, **changes: object) -> str:
    """The shipped alerts.toml with other numbers; its path."""
    lines = (ROOT / "config" / "alerts.toml").read_text()
    for name, value in (UNPOLLED | changes).items():
        lines, count = re.subn(rf"(?m)^{name} = \S+", f"{name} = {value}", lines)
        assert count == 1, name
    path = folder / "alerts.toml"
    path.write_text(lines)
    return str(path)


async def until(
    is_so: Callable[[], object] | Callable[[], Awaitable[object]], *, within_s: float = 30.0, why: object = ""
) -> float:
    """Wait for something another process does; how long it took."""
    begun_s = time.monotonic()
    while True:
        found = is_so()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return time.monotonic() - begun_s
        said = why() if callable(why) else why
        assert time.monotonic() - begun_s < within_s, f"not within {within_s} s: {said}"
        await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Sent:
    """One row of the outbox."""

    alert_id: str
    chat: str
    state: str
    repeats: int
    message_id: str | None
    sent_revision: int


class Truth:
    """What the database holds, read past the service."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def _rows(self, statement: str) -> list[Any]:
        engine = open_engine(self._url)
        try:
            async with engine.connect() as connection:
                return list((await connection.execute(text(statement))).all())
        finally:
            await engine.dispose()

    async def liquidations(self) -> Counter[tuple[str, int]]:
        """How often each (coin, event time) is stored."""
        return Counter(
            (row[0], row[1]) for row in await self._rows("SELECT symbol, ts_event_ms FROM liquidations")
        )

    async def alerts(self) -> dict[str, str]:
        """Coin by id of every stored alert that somebody is told."""
        return {
            row[0]: row[1]
            for row in await self._rows("SELECT id, symbol FROM alert_history WHERE drop_reason IS NULL")
        }

    async def outbox(self) -> list[Sent]:
        rows = await self._rows(
            "SELECT alert_id, chat, state, repeats, message_id, sent_revision FROM outbox"
        )
        return [Sent(*row) for row in rows]

    async def gaps(self) -> list[tuple[str, int, int, str]]:
        return [
            tuple(row) for row in await self._rows("SELECT source, from_ms, to_ms, reason FROM stream_gaps")
        ]

    async def is_all_sent(self) -> bool:
        """Everybody was told; that a message is still to be edited is another matter."""
        return all(row.sent_revision > 0 for row in await self.outbox())


def repeated(inbox: Inbox, rows: Sequence[Sent], alerts: Mapping[str, str]) -> int:
    """How many messages arrived beside those that their rows know.

    Each must have been followed by one of the same coins that says "Repeat"; nothing else may say so.
    """
    found = 0
    for chat in CHATS:
        known: dict[str, list[Sent]] = defaultdict(list)
        for row in rows:
            if row.chat == f"telegram:{chat}":
                known[str(row.message_id)].append(row)
        doubtful = {alerts[row.alert_id] for row in rows if row.repeats and row.chat == f"telegram:{chat}"}
        for message in inbox.of(chat):
            owners = known.get(str(message["message_id"]))
            if owners is None:
                found += 1
                assert set(coins_of(message)) <= doubtful, (message["text"], doubtful)
            else:
                assert is_repeat(message) == any(row.repeats for row in owners), message["text"]
    return found


def is_told_once(
    around: Upstream, rows: Sequence[Sent], alerts: Mapping[str, str], coins: Sequence[str]
) -> None:
    """Every chat was told each of these coins once, the other system too, and nothing else.

    A machine so busy that answers were late may have led to repeats, each with its mark.
    """
    is_busy = around.longest_stall_s > LONG_STALL_S
    assert Counter(alerts.values()) == Counter(coins)
    assert repeated(around.inbox, rows, alerts) == 0 or is_busy
    for chat in CHATS:
        messages = around.inbox.of(chat)
        first = Counter(coin for one in messages if not is_repeat(one) for coin in coins_of(one))
        again = Counter(coin for one in messages if is_repeat(one) for coin in coins_of(one))
        assert first | again == Counter(coins)
        assert not again or is_busy
    assert around.hook.told() == set(alerts)
    assert set(around.hook.copies().values()) == {1} or is_busy
