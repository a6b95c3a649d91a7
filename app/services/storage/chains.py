"""Walking hash chains in the database: is every row as it was written, and is none gone?

A chain is what one process wrote into one table. Each row's hash covers the row before it, so nothing in the
middle can go unseen; the first row of a chain names the newest row there was, and each chain's end is noted
with every write, so nothing can be cut off either end. Whoever may write the database can also write all of
it anew: hashes show accidents and careless hands; against the owner only a copy kept elsewhere helps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Executable, RowMapping, Select, Table, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from app.core.chain import GENESIS
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.tables import worker_state

WALK_ROWS = 2_000
MAX_BROKEN = 100  # more are not told


class Broken(NamedTuple):
    """A place that does not hold. chain: `-` for what is in no chain."""

    chain: str
    seq: int
    why: str


@dataclass(frozen=True, slots=True)
class ChainTable:
    """A table with the columns chain, seq, prev_hash and hash.

    end_key: before a chain's id, the key of its noted end. hash_of: what the hash of a row must be; raises
    ValueError or TypeError for one that no service wrote. rows: what a walk reads of it, more columns
    perhaps.
    """

    table: Table
    end_key: str
    hash_of: Callable[[RowMapping], str]
    rows: Select[Any]


def end_note(dialect: str, key: str, seq: int, digest: str, now_ms: int) -> Executable:
    """Writes where a chain ends now: to be part of the transaction that writes its rows."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    note = insert(worker_state).values(key=key, value=f"{seq}:{digest}", ts_init_ms=now_ms)
    changed = {name: note.excluded[name] for name in ("value", "ts_init_ms")}
    return note.on_conflict_do_update(index_elements=["key"], set_=changed)


class ChainWalk:
    """One walk over all chains of a table."""

    def __init__(self, engine: Access, chains: ChainTable, look: Callable[[RowMapping], str | None]) -> None:
        """look: called with every row in a thread, what else is wrong with it."""
        self._engine = engine
        self._of = chains
        self._look = look
        self._ends: dict[str, tuple[int, str]] = {}
        self._noted = frozenset[str]()
        self._ties: dict[str, list[str]] = {}
        self._previous: RowMapping | None = None
        self._lasts: dict[str, int] = {}
        self.rows = 0
        self.broken: list[Broken] = []

    @property
    def chains(self) -> int:
        """Chains that have a row."""
        return len(self._lasts)

    async def run(self) -> None:
        """Compute every hash again; each query is short, however long the chains are.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        self._ends = await self._noted_ends()  # first: what is written meanwhile only lengthens chains
        self._noted = frozenset(self._ends)
        self._ties = await self._tied()
        while rows := await self._after(self._previous):
            # Some ten milliseconds: not on the event loop.
            await asyncio.to_thread(self._take, rows)
        self.broken.extend(self._cut_off())
        self.broken.extend(await self._without_note())
        gone = sorted(chain for chains in self._ties.values() for chain in chains)
        self.broken.extend(Broken(chain, 0, "the row it was tied to is gone") for chain in gone)

    def _take(self, rows: Sequence[RowMapping]) -> None:
        for row in rows:
            chain, digest = row["chain"], row["hash"]
            # SQLite keeps whatever somebody put there.
            seq = row["seq"] if isinstance(row["seq"], int) else 0
            for why in (self._fault(row), self._seen(row)):
                if why is not None and len(self.broken) < MAX_BROKEN:
                    self.broken.append(Broken(chain, seq, why))
            if self._ends.get(chain) == (seq, digest):
                del self._ends[chain]  # found
            self._ties.pop(digest, None)
            self._lasts[chain] = seq
            self._previous = row
        self.rows += len(rows)

    def _seen(self, row: RowMapping) -> str | None:
        try:
            return self._look(row)
        except (ValueError, TypeError):  # such as a time that is no number
            return "it cannot be read"

    def _fault(self, row: RowMapping) -> str | None:
        try:
            is_whole = self._of.hash_of(row) == row["hash"]
        except (ValueError, TypeError):  # such as a trigger that there is not, or infinity
            is_whole = False
        if not is_whole:
            return "its hash does not fit its content"
        before = self._previous
        if before is None or before["chain"] != row["chain"]:
            return None if row["seq"] == 0 else "the beginning of the chain is gone"
        if row["seq"] != before["seq"] + 1:
            return f"rows {before['seq'] + 1} to {row['seq'] - 1} are gone"
        return None if row["prev_hash"] == before["hash"] else "it does not follow from the row before"

    def _cut_off(self) -> list[Broken]:
        """Chains whose noted end was not met."""
        found = []
        for chain, (seq, _) in sorted(self._ends.items()):
            last = self._lasts.get(chain)
            if last is None:
                found.append(Broken(chain, 0, f"all of its rows, 0 to {seq}, are gone"))
            elif last < seq:
                found.append(Broken(chain, last + 1, f"rows {last + 1} to {seq}, its end, are gone"))
            else:
                why = "it is not the row that was written as the end of the chain"
                found.append(Broken(chain, seq, why))
        return found

    async def _without_note(self) -> list[Broken]:
        """Chains whose end is noted nowhere: nobody would miss rows that were taken from it."""
        if self._lasts.keys() <= self._noted:
            return []
        noted = await self._noted_ends()  # asked again: a chain may have begun meanwhile
        why = "where it ends is noted nowhere"
        return [Broken(chain, seq, why) for chain, seq in self._lasts.items() if chain not in noted]

    async def _noted_ends(self) -> dict[str, tuple[int, str]]:
        key = worker_state.c.key
        notes = select(key, worker_state.c.value).where(key.startswith(self._of.end_key, autoescape=True))
        ends = {}
        for row in await read_rows(self._engine, notes):
            seq, _, digest = row["value"].partition(":")
            known = int(seq) if seq.isdecimal() else 0, digest
            ends[row["key"].removeprefix(self._of.end_key)] = known
        return ends

    async def _tied(self) -> dict[str, list[str]]:
        """The chains that were tied to a row, by its hash: one short look per chain."""
        column = self._of.table.c
        ties: dict[str, list[str]] = {}
        query = select(column.chain, column.prev_hash).order_by(column.chain, column.seq).limit(1)
        found = await read_rows(self._engine, query)
        while found:
            chain, tie = found[0]["chain"], found[0]["prev_hash"]
            if tie != GENESIS:
                ties.setdefault(tie, []).append(chain)
            found = await read_rows(self._engine, query.where(column.chain > chain))
        return ties

    async def _after(self, row: RowMapping | None) -> Sequence[RowMapping]:
        place = self._of.table.c.chain, self._of.table.c.seq
        query = self._of.rows.order_by(*place).limit(WALK_ROWS)
        if row is not None:
            query = query.where(tuple_(*place) > tuple_(row["chain"], row["seq"]))
        return await read_rows(self._engine, query)


async def read_rows(engine: Access, query: Select[Any]) -> Sequence[RowMapping]:
    """All rows of one query. Raises: StorageUnavailable."""
    with storage_errors("verifying the record"):
        async with engine.connect() as connection:
            found: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
            return found
