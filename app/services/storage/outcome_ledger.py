"""The append-only ledger of outcomes: what each row of `signal_outcomes` said when it got its end.

A trade's row at a horizon enters once, in the transaction that writes its end, as one link of this process's
chain. Walking it is `record_proof`'s.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.chain import GENESIS, digest, link
from app.core.domain.outcomes import OutcomeRow
from app.services.storage.chains import end_note
from app.services.storage.tables import outcome_ledger, signal_outcomes, worker_state

Row: TypeAlias = RowMapping | Mapping[str, Any]

LEDGER_END_KEY = "outcome_chain_end:"
_NUMBERS = ("entry_price", "target_price", "stop_price", "net_return_frac", "mfe_frac", "mae_frac")


def outcome_hash_of(outcome: Row) -> str:
    """SHA-256 (hex) of all columns of an outcome's row. Raises: ValueError, TypeError for one that no service
    wrote."""
    facts = {column.name: outcome[column.name] for column in signal_outcomes.columns}
    # A whole number would come back as 5.0, and the digest would not fit.
    numbers = {name: float(facts[name]) for name in _NUMBERS if facts[name] is not None}
    return digest(facts | numbers)


def hash_of(entry: Row) -> str:
    """What an entry's hash must be: everything else in it counts."""
    named = [column.name for column in outcome_ledger.columns if column.name not in ("hash", "prev_hash")]
    facts = {name: entry[name] for name in named}
    return link(entry["prev_hash"], facts)


class OutcomeLedger:
    """One chain. `turn` is held until the transaction is committed: links are written one after another."""

    def __init__(self, *, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._chain = secrets.token_hex(6)
        self.turn = asyncio.Lock()

    async def append(self, connection: AsyncConnection, ended: Sequence[OutcomeRow]) -> None:
        """Rows that got their end in this transaction, and where the chain ends now.

        Where it ended is read again each time: whether an earlier transaction was committed may be unknown.
        """
        if not ended:
            return
        seq, head = await self._newest(connection)
        now_ms, entries = self._now_ms(), []
        for row in ended:
            seq += 1
            entry = {
                "chain": self._chain,
                "seq": seq,
                "trade_id": row.trade_id,
                "horizon": row.horizon,
                "outcome_hash": outcome_hash_of(row._asdict()),
                "prev_hash": head,
                "ts_init_ms": now_ms,
            }
            head = hash_of(entry)
            entries.append(entry | {"hash": head})
        await connection.execute(outcome_ledger.insert(), entries)
        key = f"{LEDGER_END_KEY}{self._chain}"
        await connection.execute(end_note(connection.dialect.name, key, seq, head, now_ms))

    async def _newest(self, connection: AsyncConnection) -> tuple[int, str]:
        """Number and hash of this chain's last entry; before its first: -1 and whatever it is tied to."""
        column = outcome_ledger.c
        mine = select(column.seq, column.hash).where(column.chain == self._chain)
        found = (await connection.execute(mine.order_by(column.seq.desc()).limit(1))).first()
        if found is not None:
            return found[0], found[1]
        note = worker_state.c
        ends = select(note.value).where(note.key.startswith(LEDGER_END_KEY, autoescape=True))
        newest = await connection.scalar(ends.order_by(note.ts_init_ms.desc(), note.key).limit(1))
        return -1, GENESIS if newest is None else newest.partition(":")[2]
