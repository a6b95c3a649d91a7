"""Walking the record of signals: is every row as it was written, and is none gone?

A chain is one process's signals. Each row's hash covers the row before it, so nothing in the middle can go
unseen; the first row of a chain names the newest row there was, and each chain's end is noted with every
write, so nothing can be cut off either end. Whoever may write the database can also write both anew: hashes
show accidents and careless hands; against the owner only a copy kept elsewhere helps.
"""

from __future__ import annotations

from sqlalchemy import select, tuple_

from app.core.chain import GENESIS
from app.core.domain.stored import ChainReport, StoredSignal
from app.services.storage.faults import storage_errors
from app.services.storage.gate import Access
from app.services.storage.signal_rows import hash_of, stored_signal
from app.services.storage.tables import signals, worker_state

CHAIN_END_KEY = "chain_end:"
_VERIFY_ROWS = 2_000
_MAX_BROKEN = 100


def end_text(row: StoredSignal) -> str:
    """How the end of a chain is noted: `seq:hash`."""
    return f"{row.seq}:{row.hash}"


async def verify_chains(engine: Access) -> ChainReport:
    """Compute every hash again; each query is short, however long the record is.

    Raises:
        StorageUnavailable: the database does not answer.
    """
    ends = await _noted_ends(engine)  # first: what is written during the walk only lengthens chains
    broken: list[tuple[str, int, str]] = []
    firsts: list[StoredSignal] = []
    lasts: dict[str, int] = {}
    count = 0
    previous: StoredSignal | None = None
    while rows := await _after(engine, previous):
        for row in rows:
            if previous is None or previous.chain != row.chain:
                firsts.append(row)
            fault = _fault(row, previous)
            if ends.get(row.chain) == (row.seq, row.hash):
                del ends[row.chain]  # found
            if fault:
                broken.append((row.chain, row.seq, fault))
            lasts[row.chain] = row.seq
            previous = row
        count += len(rows)
    broken.extend(_cut_off(ends, lasts))
    broken.extend(
        [
            (row.chain, row.seq, "the row it was tied to is gone")
            for row in firsts
            if row.prev_hash != GENESIS and not await _is_there(engine, row.prev_hash)
        ]
    )
    return ChainReport(len(firsts), count, tuple(broken[:_MAX_BROKEN]))


def _cut_off(ends: dict[str, tuple[int, str]], lasts: dict[str, int]) -> list[tuple[str, int, str]]:
    """Chains whose noted end was not met."""
    found = []
    for chain, (seq, _) in sorted(ends.items()):
        last = lasts.get(chain)
        if last is None:
            found.append((chain, 0, f"all of its rows, 0 to {seq}, are gone"))
        elif last < seq:
            found.append((chain, last + 1, f"rows {last + 1} to {seq}, its end, are gone"))
        else:
            found.append((chain, seq, "it is not the row that was written as the end of the chain"))
    return found


async def _noted_ends(engine: Access) -> dict[str, tuple[int, str]]:
    notes = select(worker_state.c.key, worker_state.c.value).where(
        worker_state.c.key.startswith(CHAIN_END_KEY, autoescape=True)
    )
    with storage_errors("verifying the record"):
        async with engine.connect() as connection:
            rows = (await connection.execute(notes)).all()
    ends = {}
    for key, value in rows:
        seq, _, digest = value.partition(":")
        ends[key.removeprefix(CHAIN_END_KEY)] = int(seq), digest
    return ends


async def _after(engine: Access, row: StoredSignal | None) -> list[StoredSignal]:
    statement = select(signals).order_by(signals.c.chain, signals.c.seq).limit(_VERIFY_ROWS)
    if row is not None:
        statement = statement.where(tuple_(signals.c.chain, signals.c.seq) > tuple_(row.chain, row.seq))
    with storage_errors("verifying the record"):
        async with engine.connect() as connection:
            return [stored_signal(found) for found in (await connection.execute(statement)).mappings()]


async def _is_there(engine: Access, wanted: str) -> bool:
    known = select(signals.c.seq).where(signals.c.hash == wanted).limit(1)
    with storage_errors("verifying the record"):
        async with engine.connect() as connection:
            return (await connection.execute(known)).first() is not None


def _fault(row: StoredSignal, previous: StoredSignal | None) -> str | None:
    if hash_of(row) != row.hash:
        return "its hash does not fit its content"
    if previous is None or previous.chain != row.chain:
        return None if row.seq == 0 else "the beginning of the chain is gone"
    if row.seq != previous.seq + 1:
        return f"rows {previous.seq + 1} to {row.seq - 1} are gone"
    return None if row.prev_hash == previous.hash else "it does not follow from the row before"
