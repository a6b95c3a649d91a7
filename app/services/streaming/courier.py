"""One turn of one chat: which of its deliveries goes out, how it went, and what that means for its row.

Every answer of a sender is turned into a mark in the outbox here and nowhere else. Called by `delivery`, one
turn per chat at a time.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from app.core.alerting.codec import MalformedText, decode_alert
from app.core.alerting.text import render_alert, render_digest
from app.core.clock import Clock
from app.core.domain.alerts import Alert, Delivery, DeliveryState, Language, Severity
from app.core.errors import (
    DeliveryAuthFailed,
    DeliveryError,
    DeliveryForbidden,
    DeliveryMoved,
    DeliveryRateLimited,
    DeliveryRejected,
    DeliveryUnavailable,
    DeliveryUncertain,
    StorageUnavailable,
)
from app.core.stream_ports import Message, Outbox, Sender
from app.services.chat_book import ChatBook
from app.services.streaming.alert_context import about_alerts, told_ids
from app.services.streaming.chat_addresses import ChatAddresses
from app.services.streaming.delivery_jobs import Job, next_job
from app.services.streaming.delivery_status import DeliveryRecord, Ledger, Outcome
from app.services.streaming.pacing import Pacer, scheme_of

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

# Sends in a row of one turn: with the one under way they end well within a lease.
_TURN_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_DEFAULT_RETRY_S = 5.0
_MARK_PAUSE_S = 0.5
# What a bug looks like, in a text of ours or in the reading of an answer.
_BUGS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
# Older than this nothing is shown as if it had just happened: it becomes part of a digest.
STALE_MS = 2 * 3_600_000
# Other systems get no digest: what they did not take for a day is given up.
EXPIRED_MS = 24 * 3_600_000


def pause_s(failures: int) -> float:
    """How long a destination is left alone after so many failures in a row: 1 -> 1 s, 2 -> 2, 7 on -> 60."""
    return float(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures - 1, 16)))


@dataclass(frozen=True, slots=True)
class CourierParts:
    """What a courier works with. wall_ms: time of leases and due times, which in a replay is not market
    time."""

    outbox: Outbox
    senders: Mapping[str, Sender]
    chats: ChatBook
    addresses: ChatAddresses
    pacer: Pacer
    ledger: Ledger
    clock: Clock
    wall_ms: Callable[[], int]
    data_mode: str
    dashboard_url: str | None
    observe: Callable[[DeliveryRecord], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Courier:
    """`serve` ends when every delivery it was given is marked or given back.

    is_ending: set when the process stops; a turn then ends with the send that is under way.
    """

    def __init__(self, parts: CourierParts) -> None:
        self._parts = parts
        self._outbox = parts.outbox
        self._pacer = parts.pacer
        self._ledger = parts.ledger
        self.is_ending = False

    async def serve(self, chat: str, rows: Sequence[Delivery]) -> None:
        """Everything of one claim for one chat."""
        scheme = scheme_of(chat)
        if scheme not in self._parts.senders:
            self._pacer.hold(scheme, for_s=math.inf)  # not configured any more: it stays in the outbox
            await self._visit(lambda: self._outbox.release(rows))
        elif self._pacer.is_paced(chat):
            await self._send_one_message(chat, rows)
        else:
            await self._send_each(rows)

    async def _send_one_message(self, chat: str, rows: Sequence[Delivery]) -> None:
        wait_s = self._pacer.edit_wait_s(chat)
        job = next_job(rows, is_stale=self._is_stale, may_edit=wait_s == 0, now_ms=self._parts.wall_ms())
        taken = set() if job is None else {row.alert_id for row in job.deliveries}
        left = [row for row in rows if row.alert_id not in taken]
        # Before the send: killed during it, they would count as perhaps sent.
        await self._give_back([row for row in left if row.sent_revision == 0 or wait_s == 0])
        later_ms = self._parts.wall_ms() + math.ceil(wait_s * 1000)
        await self._give_back([row for row in left if row.sent_revision > 0 and wait_s > 0], at_ms=later_ms)
        if job is not None:
            await self._send(await self._named(job))

    async def _send_each(self, rows: Sequence[Delivery]) -> None:
        """One after the other, in order, until one does not arrive."""
        left = deque(rows)
        ends_s = self._parts.clock.monotonic_s() + _TURN_S
        while left and not self.is_ending and self._parts.clock.monotonic_s() < ends_s:
            row = left.popleft()
            if self._age_ms(row) > EXPIRED_MS:
                await self._give_up(Job((row,), is_digest=False, is_edit=False), "not taken for a day")
            elif not await self._send(Job((row,), is_digest=False, is_edit=row.sent_revision > 0)):
                break
        await self._give_back(list(left))

    async def _named(self, job: Job) -> Job:
        """A new digest has a name in the outbox before it is sent, so that its repeat is the same digest."""
        if not job.is_digest or job.group:
            return job
        group = f"{job.deliveries[0].alert_id}-{self._parts.wall_ms():x}"
        await self._visit(lambda: self._outbox.group(job.deliveries, group=group))
        return replace(job, group=group)

    async def _send(self, job: Job) -> bool:
        """One try; whether the destination can be given the next."""
        with about_alerts(row.alert_id for row in job.deliveries):
            return await self._try(job)

    async def _try(self, job: Job) -> bool:
        job, alerts = await self._readable(job)
        if not alerts:
            return True
        try:
            message_id = await self._hand_over(job, self._render(job, alerts))
        except DeliveryError as error:
            return await self._on_failure(job, error)
        except _BUGS as bug:
            # Left as it is, it would be taken for killed and sent again every lease, for ever.
            await self._on_failure(job, _failure_of(job, bug))
            raise
        await self._on_success(job, message_id)
        return True

    async def _hand_over(self, job: Job, message: Message) -> str:
        """The id of the message. Raises: DeliveryError."""
        first = job.deliveries[0]
        sender = self._parts.senders[scheme_of(job.chat)]
        address = await self._parts.addresses.address(job.chat)
        self._pacer.took(job.chat, is_edit=job.is_edit)
        if not job.is_edit:
            return await sender.send(address, first, message)
        await sender.edit(address, first, message)
        return first.message_id or ""

    async def _readable(self, job: Job) -> tuple[Job, Sequence[Alert]]:
        """The job without what nobody can ever read (that is given up), and the alerts its message shows.

        Of a digest that is edited all alerts are shown, and not only those that grew.
        """
        alerts = [alert_of(row) for row in job.deliveries]
        pairs = list(zip(job.deliveries, alerts, strict=True))
        broken = tuple(row for row, alert in pairs if alert is None)
        if broken:
            await self._give_up(replace(job, deliveries=broken), "its stored text cannot be read")
        job = replace(job, deliveries=tuple(row for row, alert in pairs if alert is not None))
        if job.deliveries and job.is_digest and job.is_edit:
            now_ms = self._parts.wall_ms()
            members = await self._visit(lambda: self._outbox.members(job.chat, job.group, now_ms=now_ms))
            alerts = [alert_of(row) for row in members] or alerts
        return job, [alert for alert in alerts if alert is not None]

    def _render(self, job: Job, alerts: Sequence[Alert]) -> Message:
        settings = self._parts.chats.get(job.chat)
        language = Language.EN if settings is None else settings.language
        now_ms, data_mode = self._parts.clock.now_ms(), self._parts.data_mode
        if job.is_digest:
            return render_digest(alerts, language, now_ms=now_ms, data_mode=data_mode, repeat=job.is_repeat)
        message = render_alert(
            alerts[0],
            language,
            now_ms=now_ms,
            data_mode=data_mode,
            repeat=job.is_repeat,
            dashboard_url=self._parts.dashboard_url,
        )
        return replace(message, is_silent=alerts[0].severity is Severity.INFO)

    async def notify(self, chat: str, message: Message) -> bool:
        """Something that is no alert, sent beside the outbox; False: try again later."""
        notice = Delivery("", chat, DeliveryState.SENDING, 1, 0, 1, 0, self._parts.wall_ms(), None, "")
        address = await self._parts.addresses.address(chat)
        self._pacer.took(chat, is_edit=False)
        try:
            await self._parts.senders[scheme_of(chat)].send(address, notice, message)
        except DeliveryError as error:
            self._ledger.failed(chat, str(error))
            wait_s = error.retry_after_s or pause_s(self._ledger.failures(chat))
            is_flood = isinstance(error, DeliveryRateLimited)
            self._pacer.hold(scheme_of(chat) if is_flood else chat, for_s=wait_s)
            # It may have arrived, or never will: nobody misses a notice as they would an alert.
            return not isinstance(error, DeliveryRateLimited | DeliveryUnavailable)
        return True

    async def _on_success(self, job: Job, message_id: str) -> None:
        now_ms = self._parts.wall_ms()
        await self._visit(lambda: self._outbox.sent(job.deliveries, message_id=message_id, now_ms=now_ms))
        self._count(job, Outcome.EDITED if job.is_edit else Outcome.SENT)
        self._ledger.arrived(job.chat, now_ms)
        self._note_sent(job)

    def _note_sent(self, job: Job) -> None:
        """waitMs: from when the service learned of this revision of the first alert."""
        ids = told_ids(row.alert_id for row in job.deliveries)
        seen = {"alertId": ids, "alerts": len(job.deliveries), "scheme": scheme_of(job.chat)}
        seen |= {"waitMs": self._age_ms(job.deliveries[0]), "isEdit": job.is_edit}
        _log.info("an alert is sent", extra=seen)

    async def _on_failure(self, job: Job, error: DeliveryError) -> bool:
        self._ledger.failed(job.chat, str(error))
        match error:
            case DeliveryAuthFailed():
                return await self._stop_scheme(job, error)
            case DeliveryForbidden():
                return await self._close_chat(job, error)
            case DeliveryMoved():
                return await self._move_chat(job, error)
            case DeliveryRejected():
                return await self._on_refusal(job, error)
            case DeliveryRateLimited():
                wait_s = error.retry_after_s or _DEFAULT_RETRY_S
                self._pacer.hold(scheme_of(job.chat), for_s=wait_s)
            case _:
                wait_s = error.retry_after_s or pause_s(self._ledger.failures(job.chat))
                self._pacer.hold(job.chat, for_s=wait_s)
        await self._try_again(job, error, wait_s)
        return False

    async def _try_again(self, job: Job, error: DeliveryError, wait_s: float) -> None:
        is_uncertain = isinstance(error, DeliveryUncertain)
        at_ms = self._parts.wall_ms() + math.ceil(wait_s * 1000)
        await self._visit(
            lambda: self._outbox.retry(
                job.deliveries, at_ms=at_ms, error=error.detail, is_uncertain=is_uncertain
            )
        )
        self._count(job, Outcome.UNCERTAIN if is_uncertain else Outcome.LATER)

    async def _on_refusal(self, job: Job, error: DeliveryError) -> bool:
        if not job.is_edit:
            return await self._give_up(job, error.detail)
        # The reader has it and removed it, or it is too old to be changed: nothing more is to be done.
        message_id, now_ms = job.deliveries[0].message_id or "", self._parts.wall_ms()
        await self._visit(lambda: self._outbox.sent(job.deliveries, message_id=message_id, now_ms=now_ms))
        self._count(job, Outcome.EDIT_REFUSED)
        return True

    async def _give_up(self, job: Job, why: str) -> bool:
        now_ms = self._parts.wall_ms()
        ids = told_ids(row.alert_id for row in job.deliveries)
        _log.error("a message was given up", extra={"chat": job.chat, "alertId": ids, "why": why})
        await self._visit(lambda: self._outbox.give_up(job.deliveries, error=why, now_ms=now_ms))
        self._count(job, Outcome.REFUSED)
        return True

    async def _close_chat(self, job: Job, error: DeliveryError) -> bool:
        """It does not want to hear from us: now, and for what is still to come."""
        await self._give_up(job, error.detail)
        await self._visit(lambda: self._parts.chats.disable(job.chat))
        await self._mark_rest_failed(job.chat, error.detail)
        return False

    async def _mark_rest_failed(self, chat: str, why: str) -> None:
        now_ms = self._parts.wall_ms()
        await self._visit(lambda: self._outbox.give_up_chat(chat, error=why, now_ms=now_ms))

    async def _move_chat(self, job: Job, error: DeliveryMoved) -> bool:
        _log.warning("a chat has another id now", extra={"chat": job.chat, "address": error.new_chat})
        await self._visit(lambda: self._parts.addresses.move(job.chat, error.new_chat))
        await self._try_again(job, error, 0.0)
        return False

    async def _stop_scheme(self, job: Job, error: DeliveryError) -> bool:
        """Nothing can be sent until somebody sets other credentials and starts anew; all stays pending."""
        scheme = scheme_of(job.chat)
        _log.error("the credentials are refused, nothing is sent any more", extra={"scheme": scheme})
        self._ledger.stopped[scheme] = error.detail
        self._pacer.hold(scheme, for_s=math.inf)
        await self._give_back(list(job.deliveries))
        return False

    async def _give_back(self, rows: Sequence[Delivery], *, at_ms: int | None = None) -> None:
        if rows:
            await self._visit(lambda: self._outbox.release(rows, at_ms=at_ms))

    async def _visit(self, visit: Callable[[], Awaitable[_T]]) -> _T:
        """Visit the store until it answers: what was sent and is not marked would be sent again."""
        while True:
            try:
                return await visit()
            except StorageUnavailable:
                await self._parts.sleep(_MARK_PAUSE_S)

    def _count(self, job: Job, outcome: Outcome) -> None:
        wait_s = None if job.is_edit else self._age_ms(job.deliveries[0]) / 1000
        record = DeliveryRecord(
            scheme_of(job.chat), outcome, len(job.deliveries), wait_s, is_repeat=job.is_repeat
        )
        self._ledger.count(record, is_digest=job.is_digest)
        self._parts.observe(record)

    def _is_stale(self, row: Delivery) -> bool:
        return self._age_ms(row) > STALE_MS

    def _age_ms(self, row: Delivery) -> int:
        """Since the service learned of this revision, in market time; 0 for what cannot be read."""
        alert = alert_of(row)
        return 0 if alert is None else self._parts.clock.now_ms() - alert.ts_init_ms


def _failure_of(job: Job, bug: Exception) -> DeliveryError:
    """A message may have left before the bug, as before a timeout; an edit leaves what the reader has."""
    why = f"a bug ({type(bug).__name__})"
    return DeliveryRejected(job.chat, why) if job.is_edit else DeliveryUncertain(job.chat, why)


def alert_of(row: Delivery) -> Alert | None:
    """The alert of a delivery; None when its text cannot be read."""
    try:
        return decode_alert(row.body)
    except MalformedText:
        return None
