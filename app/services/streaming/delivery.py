"""Drains the outbox: takes what is due and hands it to a courier, one turn per chat at a time.

Nothing is sent that was not claimed in the store before, and every answer is marked there: a message is sent
at least once, and a second time only when nobody knows about the first (docs/adr/0030). One task per chat, so
that a slow one holds up nobody else. Started by bootstrap.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from app.core.clock import Clock
from app.core.domain.alerts import OutboxDepth
from app.core.errors import StorageUnavailable
from app.core.stream_ports import Message, Outbox, Sender
from app.services.chat_book import ChatBook
from app.services.streaming.chat_addresses import ChatAddresses
from app.services.streaming.courier import Courier, CourierParts
from app.services.streaming.delivery_status import DeliveryRecord, DeliveryStatus, Ledger
from app.services.streaming.pacing import TELEGRAM_PACE, Pace, Pacer

_log = logging.getLogger(__name__)

# Longer than a turn takes with the timeouts of the senders; whoever holds it longer is taken for dead.
LEASE_MS = 30_000
# What other processes stored is found by looking; our own stores wake us.
_POLL_S = 1.0
_CLAIM_ROWS = 1_000
_STOP_S = 10.0
_DEPTH_EVERY_S = 5.0
_MAX_NOTICES = 100
_PACES: Mapping[str, Pace] = {"telegram": TELEGRAM_PACE}


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """owner: name of this process in the outbox. takes_over: begin of the names of owners that are dead now
    ("" when no other process sends), None for none. wall_ms: time of leases and due times, None for market
    time, which in a replay runs at another speed. paces: by scheme, of destinations where people read; to
    others every alert goes alone and as fast as they take it. observe: told of every try."""

    owner: str
    data_mode: str
    takes_over: str | None = None
    dashboard_url: str | None = None
    wall_ms: Callable[[], int] | None = None
    paces: Mapping[str, Pace] | None = None
    observe: Callable[[DeliveryRecord], None] = lambda record: None


class DeliveryService:
    """`run()` as a task; `wake()` whenever something was stored."""

    def __init__(
        self,
        outbox: Outbox,
        senders: Mapping[str, Sender],
        *,
        chats: ChatBook,
        addresses: ChatAddresses,
        clock: Clock,
        options: DeliveryOptions,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """senders: by the scheme of the chats they serve."""
        self._outbox = outbox
        self._options = options
        self._monotonic = clock.monotonic_s
        self._wall_ms = options.wall_ms or clock.now_ms
        self.pacer = self._pacer = Pacer(
            _PACES if options.paces is None else options.paces, monotonic=self._monotonic
        )
        self._ledger = Ledger()
        parts = CourierParts(
            outbox=outbox,
            senders=senders,
            chats=chats,
            addresses=addresses,
            pacer=self._pacer,
            ledger=self._ledger,
            clock=clock,
            wall_ms=self._wall_ms,
            data_mode=options.data_mode,
            dashboard_url=options.dashboard_url,
            observe=options.observe,
            sleep=sleep,
        )
        self._courier = Courier(parts)
        self._turns: dict[str, asyncio.Task[None]] = {}
        self._notices: deque[tuple[str, Message]] = deque(maxlen=_MAX_NOTICES)
        self._awake = asyncio.Event()
        self._is_to_take_over = options.takes_over is not None
        self._depth: OutboxDepth | None = None
        self._looked_s = -math.inf
        self._trouble: str | None = None
        self._bug: BaseException | None = None

    def wake(self) -> None:
        """Something may be due."""
        self._awake.set()

    def notify(self, chat: str, message: Message) -> None:
        """Send something that is no alert (a feed is back, a summary) as soon as the chat may be written to;
        of many that wait the newest stay, and a stop forgets them."""
        self._notices.append((chat, message))
        self._awake.set()

    def status(self) -> DeliveryStatus:
        """Counters; never waits for the database."""
        ledger = self._ledger
        chats = {
            chat: replace(state, wait_s=self._pacer.held_for_s(chat)) for chat, state in ledger.chats.items()
        }
        return DeliveryStatus(
            depth=self._depth,
            tries=dict(ledger.tries),
            repeats=ledger.repeats,
            digests=ledger.digests,
            chats=chats,
            stopped=dict(ledger.stopped),
            last_error=ledger.last_error,
            trouble=self._trouble,
        )

    async def run(self) -> None:
        """Send until cancelled; then finish what is being sent, within ten seconds."""
        self._courier.is_ending = False
        try:
            while True:
                if not await self._round():
                    await self._rest()
                if self._bug is not None:
                    bug, self._bug = self._bug, None  # told once: the next run sends again
                    raise bug
        finally:
            await self._finish()

    async def _round(self) -> bool:
        """Start a turn for every chat that has something due; whether there was any."""
        self._awake.clear()
        try:
            await self._take_over()
            await self._look()
            claimed = await self._outbox.claim(
                owner=self._options.owner,
                now_ms=self._wall_ms(),
                lease_ms=LEASE_MS,
                limit=_CLAIM_ROWS,
                hold=sorted({*self._turns, *self._pacer.held()}),
            )
        except StorageUnavailable as error:
            self._note_trouble(str(error))
            return False
        self._note_trouble(None)
        # Sorting is stable: within one chat the order of the claim stays.
        by_chat = groupby(sorted(claimed, key=lambda row: row.chat), key=lambda row: row.chat)
        for chat, rows in by_chat:
            self._start(chat, self._courier.serve(chat, list(rows)))
        self._start_notices()
        return bool(claimed)

    def _start_notices(self) -> None:
        """One for each chat that may be written to now; alerts went first."""
        for chat, message in list(self._notices):
            if chat not in self._turns and self._pacer.held_for_s(chat) == 0:
                self._notices.remove((chat, message))
                self._start(chat, self._tell(chat, message))

    async def _tell(self, chat: str, message: Message) -> None:
        if not await self._courier.notify(chat, message):
            self._notices.append((chat, message))

    def _start(self, chat: str, work: Coroutine[None, None, None]) -> None:
        turn = self._turns[chat] = asyncio.create_task(work)
        turn.add_done_callback(partial(self._ended, chat))

    async def _take_over(self) -> None:
        """What killed processes of ours had in their hands is due now; else it would wait for a lease."""
        if not self._is_to_take_over:
            return
        prefix = self._options.takes_over or ""
        taken = await self._outbox.expire_leases(owner_prefix=prefix, now_ms=self._wall_ms())
        self._is_to_take_over = False
        if taken:
            _log.warning("deliveries of a killed process are sent again", extra={"count": taken})

    async def _look(self) -> None:
        now_s = self._monotonic()
        if now_s - self._looked_s >= _DEPTH_EVERY_S:
            self._depth = await self._outbox.depth(self._wall_ms())
            self._looked_s = now_s

    async def _rest(self) -> None:
        """Until something is stored, a turn ends, a wait is over, or it is time to look."""
        next_s = self._pacer.next_s()
        try:
            async with asyncio.timeout(_POLL_S if next_s is None else min(_POLL_S, next_s)):
                await self._awake.wait()
        except TimeoutError:
            return

    def _ended(self, chat: str, turn: asyncio.Task[None]) -> None:
        del self._turns[chat]
        if not turn.cancelled():
            self._bug = turn.exception() or self._bug
        self._awake.set()

    async def _finish(self) -> None:
        """Cut off, a send would have happened without anybody knowing."""
        self._courier.is_ending = True
        turns = set(self._turns.values())
        if not turns:
            return
        _, late = await asyncio.wait(turns, timeout=_STOP_S)
        for turn in late:
            turn.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _note_trouble(self, why: str | None) -> None:
        if self._trouble is None and why is not None:  # one line per outage, and one at its end
            _log.error("the outbox cannot be read", extra={"why": why})
        elif self._trouble is not None and why is None:
            _log.info("the outbox is read again")
        self._trouble = why
