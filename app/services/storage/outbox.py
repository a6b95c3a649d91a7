"""The outbox: which message goes to whom, who is sending it now, and what became of it.

A row is one alert to one chat, for ever; a newer revision makes the same row due again, to be edited. Several
processes drain it: a claim takes rows that nobody else holds. How often something may be sent without knowing
whether it arrived is decided here (`retry`, `claim`) and nowhere else: see docs/adr/0030.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    RowMapping,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.domain.alerts import Alert, Delivery, DeliveryState, OutboxDepth, Severity
from app.services.storage.alert_rows import delivery_of
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import alert_history, outbox

_c = outbox.c
_PENDING, _SENDING = DeliveryState.PENDING.value, DeliveryState.SENDING.value
# Sent twice without an answer is the most there may be: one message and one repeat of it.
MAX_UNCERTAIN_SENDS = 2
_DAY_MS = 86_400_000
# One row, named by its key; parameters because the rows of one statement differ in them.
_THIS = and_(_c.alert_id == bindparam("b_alert_id"), _c.chat == bindparam("b_chat"))
_IS_NEW = _c.sent_revision == 0
_FREE: Mapping[str, Any] = {"lease_ms": None, "owner": None}


class SqlOutbox:
    """`core.stream_ports.Outbox`. Every change is committed when the method returns."""

    def __init__(self, engine: Access) -> None:
        self._engine = engine

    async def claim(
        self, *, owner: str, now_ms: int, lease_ms: int, limit: int, hold: Sequence[str] = ()
    ) -> Sequence[Delivery]:
        """Take what is due, urgent ones first, then by time; see the port."""
        due = or_(
            and_(_c.state == _PENDING, _c.next_try_ms <= now_ms),
            and_(_c.state == _SENDING, _c.lease_ms <= now_ms),
        )
        is_urgent = alert_history.c.severity == Severity.URGENT.value
        picked = (
            select(_c.alert_id, _c.chat)
            .select_from(outbox.outerjoin(alert_history, alert_history.c.id == _c.alert_id))
            .where(due, *map(_not_of, hold))
            .order_by(case((is_urgent, 0), else_=1), _c.next_try_ms, _c.alert_id, _c.chat)
            .limit(limit)
        )
        # Held by somebody who does not live to tell whether he had sent it. An edit done twice is one edit.
        is_doubtful = and_(_c.state == _SENDING, _IS_NEW)
        statement = (
            update(outbox)
            .where(tuple_(_c.alert_id, _c.chat).in_(self._locked(picked)))
            .values(
                state=_SENDING,
                attempts=_c.attempts + 1,
                repeats=case((is_doubtful, _c.repeats + 1), else_=_c.repeats),
                lease_ms=now_ms + lease_ms,
                owner=owner,
            )
            .returning(*_c, _is_urgent_alert())
        )
        with storage_errors("claiming deliveries"):
            async with self._engine.begin() as connection:
                rows = (await connection.execute(statement)).mappings().all()
        return [delivery_of(row) for row in sorted(rows, key=_first_to_send)]

    def _locked(self, picked: Select[tuple[str, str]]) -> Select[tuple[str, str]]:
        """SQLite has one writer at a time; PostgreSQL steps over rows that another claim is taking."""
        if self._engine.dialect.name != "postgresql":
            return picked
        # Apart from the update, or the limit could be applied more than once.
        taken = picked.with_for_update(skip_locked=True, of=outbox).cte("picked")
        return select(taken.c.alert_id, taken.c.chat)

    async def sent(self, deliveries: Sequence[Delivery], *, message_id: str, now_ms: int) -> None:
        """They arrived as one message; due again at once where a newer revision came meanwhile."""
        shown: ColumnElement[int] = bindparam("b_revision", type_=Integer)
        has_grown = _c.revision > shown
        statement = (
            update(outbox)
            .where(_THIS)
            .values(
                state=case((has_grown, _PENDING), else_=DeliveryState.SENT.value),
                sent_revision=case((_c.sent_revision < shown, shown), else_=_c.sent_revision),
                next_try_ms=case((has_grown, now_ms), else_=_c.next_try_ms),
                message_id=message_id,
                last_error=None,
                **_FREE,
            )
        )
        await self._mark(statement, deliveries)

    async def retry(
        self, deliveries: Sequence[Delivery], *, at_ms: int, error: str, is_uncertain: bool
    ) -> None:
        """Not sent, or not known; see the port. What certainly did not arrive leaves its group."""
        values: dict[str, Any] = {"state": _PENDING, "next_try_ms": at_ms, "last_error": error, **_FREE}
        if is_uncertain:
            is_spent = and_(_IS_NEW, _c.repeats + 1 >= MAX_UNCERTAIN_SENDS)
            values["state"] = case((is_spent, DeliveryState.UNCERTAIN.value), else_=_PENDING)
            values["repeats"] = case((_IS_NEW, _c.repeats + 1), else_=_c.repeats)
        else:
            values["group_id"] = case((and_(_IS_NEW, _c.repeats == 0), None), else_=_c.group_id)
        await self._mark(update(outbox).where(_THIS, _c.state == _SENDING).values(values), deliveries)

    async def release(self, deliveries: Sequence[Delivery], *, at_ms: int | None = None) -> None:
        """Nothing was tried: as before the claim, but for the time when one is given."""
        values: dict[str, Any] = {"state": _PENDING, "attempts": _c.attempts - 1, **_FREE}
        if at_ms is not None:
            values["next_try_ms"] = at_ms
        await self._mark(update(outbox).where(_THIS, _c.state == _SENDING).values(values), deliveries)

    async def give_up(self, deliveries: Sequence[Delivery], *, error: str, now_ms: int) -> None:
        """Refused for good."""
        await self._mark(
            update(outbox).where(_THIS, _c.state == _SENDING).values(_failed(error, now_ms)), deliveries
        )

    async def give_up_chat(self, chat: str, *, error: str, now_ms: int) -> int:
        """Everything that waits for a chat that takes nothing any more; how many."""
        waiting = (_c.chat == chat, _c.state.in_((_PENDING, _SENDING)))
        with storage_errors("closing a chat's outbox"):
            async with self._engine.begin() as connection:
                done = await connection.execute(update(outbox).where(*waiting).values(_failed(error, now_ms)))
        return done.rowcount

    async def group(self, deliveries: Sequence[Delivery], *, group: str) -> None:
        """They are about to be sent as one message, and again as one should nobody live to mark them."""
        await self._mark(update(outbox).where(_THIS).values(group_id=group), deliveries)

    async def members(self, chat: str, group: str, *, now_ms: int) -> Sequence[Delivery]:
        """All alerts of one digest not older than a day, in the order in which they came."""
        statement = (
            select(outbox)
            # By chat and time, for which there is an index.
            .where(_c.chat == chat, _c.ts_init_ms > now_ms - _DAY_MS, _c.group_id == group)
            .order_by(_c.ts_init_ms, _c.alert_id)
        )
        with storage_errors("reading a digest"):
            async with self._engine.connect() as connection:
                return [delivery_of(row) for row in (await connection.execute(statement)).mappings()]

    async def expire_leases(self, *, owner_prefix: str, now_ms: int) -> int:
        """Owners whose name begins so are known to be dead: what they held is due now; how much.

        At the start of the only process there is, `owner_prefix` is "": everybody else is dead.
        """
        held = (_c.state == _SENDING, _c.owner.startswith(owner_prefix, autoescape=True))
        with storage_errors("taking over deliveries"):
            async with self._engine.begin() as connection:
                done = await connection.execute(update(outbox).where(*held).values(lease_ms=now_ms))
        return done.rowcount

    async def depth(self, now_ms: int) -> OutboxDepth:
        """How much waits, by state."""
        due_ms = case((_c.next_try_ms <= now_ms, _c.next_try_ms))
        statement = (
            select(_c.state, func.count().label("rows"), func.min(due_ms).label("oldest_ms"))
            # Named one by one: "not sent" would walk through all that was ever sent.
            .where(_c.state.in_([state.value for state in DeliveryState if state is not DeliveryState.SENT]))
            .group_by(_c.state)
        )
        with storage_errors("reading the outbox"):
            async with self._engine.connect() as connection:
                found = {row.state: row for row in await connection.execute(statement)}
        counts = {state: int(found[state].rows) if state in found else 0 for state in DeliveryState}
        return OutboxDepth(
            pending=counts[DeliveryState.PENDING],
            sending=counts[DeliveryState.SENDING],
            failed=counts[DeliveryState.FAILED],
            uncertain=counts[DeliveryState.UNCERTAIN],
            oldest_ms=found[_PENDING].oldest_ms if _PENDING in found else None,
        )

    async def _mark(self, statement: Update, deliveries: Sequence[Delivery]) -> None:
        # In the order of the key: two processes that mark the same rows must not lock each other out.
        ordered = sorted(deliveries, key=lambda delivery: (delivery.alert_id, delivery.chat))
        needs_revision = "b_revision" in statement.compile().params
        rows = [
            {"b_alert_id": delivery.alert_id, "b_chat": delivery.chat}
            | ({"b_revision": delivery.revision} if needs_revision else {})
            for delivery in ordered
        ]
        if not rows:
            return
        with storage_errors("marking deliveries"):
            async with self._engine.begin() as connection:
                await connection.execute(statement, rows)


async def queue(
    connection: AsyncConnection, messages: Sequence[tuple[Alert, str, str]], *, now_ms: int
) -> None:
    """Put (alert, chat, alert as text) into the outbox, within the transaction that stores the alerts.

    A chat that was told is due again with the newer revision; one that waits waits on, with the newer text;
    what failed for good or may have arrived twice stays as it is.
    """
    if not messages:
        return
    insert = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(outbox)
    is_sent = _c.state == DeliveryState.SENT.value
    statement = insert.on_conflict_do_update(
        index_elements=["alert_id", "chat"],
        set_={
            "revision": insert.excluded.revision,
            "body": insert.excluded.body,
            "state": case((is_sent, _PENDING), else_=_c.state),
            "next_try_ms": case((is_sent, now_ms), else_=_c.next_try_ms),
        },
        where=_c.revision < insert.excluded.revision,
    )
    new = {"state": _PENDING, "sent_revision": 0, "attempts": 0, "repeats": 0}
    new |= {"next_try_ms": now_ms, "ts_init_ms": now_ms}
    rows = [
        {"alert_id": alert.id, "chat": chat, "revision": alert.revision, "body": text} | new
        for alert, chat, text in messages
    ]
    await connection.execute(statement, rows)


def _first_to_send(row: RowMapping) -> tuple[Any, ...]:
    return (-row["is_urgent"], row["next_try_ms"], row["alert_id"], row["chat"])


def _failed(error: str, now_ms: int) -> dict[str, Any]:
    return {"state": DeliveryState.FAILED.value, "next_try_ms": now_ms, "last_error": error, **_FREE}


def _not_of(held: str) -> ColumnElement[bool]:
    """Neither this chat nor a chat of this scheme."""
    return and_(_c.chat != held, ~_c.chat.startswith(f"{held}:", autoescape=True))


def _is_urgent_alert() -> ColumnElement[int]:
    urgent = (
        select(func.count())
        .select_from(alert_history)
        .where(alert_history.c.id == _c.alert_id, alert_history.c.severity == Severity.URGENT.value)
    )
    return urgent.correlate(outbox).scalar_subquery().label("is_urgent")
