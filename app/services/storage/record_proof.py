"""Is the record as it was written? Signals, the ends of their trades, and the hours they were claimed for.

Owns what is compared with what; chains are walked by `chains`. All that is stored is walked, in the store of
a replay also what is still to come. Covered: every stored signal; every outcome of a scheduled one that has
its end; that each scheduled evaluation has an hour of its own that somebody claimed. Not covered: outcomes
that are still open, and why an hour failed.
"""

from __future__ import annotations

from sqlalchemy import RowMapping, and_, select, tuple_

from app.core.domain.evaluations import HourState
from app.core.domain.formatting import format_moment
from app.core.domain.history import END_OF_TIME_MS
from app.core.domain.market import HOUR_MS
from app.core.domain.outcomes import OutcomeState
from app.core.domain.stored import ChainReport, Trigger
from app.services.storage import outcome_ledger as ledger
from app.services.storage.chains import MAX_BROKEN, WALK_ROWS, Broken, ChainTable, ChainWalk, read_rows
from app.services.storage.gate import Access
from app.services.storage.signal_rows import SIGNAL_END_KEY, hash_of, stored_signal
from app.services.storage.tables import evaluation_hours, outcome_ledger, signal_outcomes, signals

_ENDED = (OutcomeState.SCORED.value, OutcomeState.UNSCORABLE.value)
_NOW = "outcome_"  # before the columns of an outcome as it is now
_SIGNALS = ChainTable(signals, SIGNAL_END_KEY, lambda row: hash_of(stored_signal(row)), select(signals))
_SAME_TRADE = and_(
    signal_outcomes.c.trade_id == outcome_ledger.c.trade_id,
    signal_outcomes.c.horizon == outcome_ledger.c.horizon,
)
_OUTCOMES = ChainTable(
    outcome_ledger,
    ledger.LEDGER_END_KEY,
    ledger.hash_of,
    select(outcome_ledger, *(column.label(f"{_NOW}{column.name}") for column in signal_outcomes.columns))
    .select_from(outcome_ledger)
    .outerjoin(signal_outcomes, _SAME_TRADE),
)


async def verify_record(engine: Access) -> ChainReport:
    """Walk everything; each query is short, however long the record is.

    Raises:
        StorageUnavailable: the database does not answer.
    """
    hours = _Hours(engine)
    await hours.read()
    told = ChainWalk(engine, _SIGNALS, hours.meet)
    await told.run()
    kept = ChainWalk(engine, _OUTCOMES, _changed)
    await kept.run()
    broken = (*told.broken, *await hours.broken(), *kept.broken, *await _without_entry(engine))
    return ChainReport(told.chains + kept.chains, told.rows, kept.rows, broken[:MAX_BROKEN])


def _changed(row: RowMapping) -> str | None:
    """Is the outcome of this entry what it was when it ended?"""
    name = f"the outcome of trade {row['trade_id']} at {row['horizon']}"
    now = {column.name: row[f"{_NOW}{column.name}"] for column in signal_outcomes.columns}
    if now["trade_id"] is None:
        return f"{name} is gone"
    if now["state"] not in _ENDED:
        return f"{name} was over and is {now['state']} again"
    try:
        is_same = ledger.outcome_hash_of(now) == row["outcome_hash"]
    except (ValueError, TypeError):  # such as an infinite return
        is_same = False
    return None if is_same else f"{name} was changed after it had ended"


async def _without_entry(engine: Access) -> list[Broken]:
    """Outcomes with an end that nobody wrote into the ledger."""
    column = signal_outcomes.c
    order = column.trade_id, column.horizon
    query = (
        select(*order, outcome_ledger.c.seq)
        .select_from(signal_outcomes)
        .outerjoin(outcome_ledger, _SAME_TRADE)
        .where(column.state.in_(_ENDED))
        .order_by(*order)
        .limit(WALK_ROWS)
    )
    found: list[Broken] = []
    page = await read_rows(engine, query)
    while page and len(found) < MAX_BROKEN:
        extra = [f"trade {row['trade_id']} at {row['horizon']}" for row in page if row["seq"] is None]
        found += [Broken("-", 0, f"nobody wrote the end of the outcome of {name}") for name in extra]
        last = page[-1]
        page = await read_rows(
            engine, query.where(tuple_(*order) > tuple_(last["trade_id"], last["horizon"]))
        )
    return found


class _Hours:
    """The hours that somebody claimed, against the scheduled signals that a walk meets."""

    def __init__(self, engine: Access) -> None:
        self._engine = engine
        self._states: dict[tuple[str, int], str] = {}
        self._met: set[tuple[str, int]] = set()
        self._unknown: list[tuple[str, int, str, int]] = []

    async def read(self) -> None:
        """Before the walk: what is made by then has its signal."""
        column = evaluation_hours.c
        order = column.symbol, column.hour_ms
        query = select(*order, column.state).order_by(*order).limit(WALK_ROWS)
        page = await read_rows(self._engine, query)
        while page:
            self._states |= {(row["symbol"], row["hour_ms"]): row["state"] for row in page}
            last = tuple_(page[-1]["symbol"], page[-1]["hour_ms"])
            page = await read_rows(self._engine, query.where(tuple_(*order) > last))

    def meet(self, row: RowMapping) -> str | None:
        """What is wrong with the hour of a stored signal; of one that is not known yet nothing."""
        if row["trigger"] != Trigger.SCHEDULE.value:
            return None
        key = row["symbol"], row["as_of_ms"] // HOUR_MS * HOUR_MS
        if key in self._met:
            return f"it is not the only evaluation of {_name(*key)}"
        self._met.add(key)
        state = self._states.get(key)
        if state is None:
            self._unknown.append((*key, row["chain"], row["seq"]))
        return f"the evaluation of {_name(*key)} was not kept" if state == HourState.FAILED.value else None

    async def broken(self) -> list[Broken]:
        """After the walk: evaluations whose hour nobody claimed, and hours whose evaluation is gone."""
        found = [
            Broken(chain, seq, f"nobody claimed {_name(symbol, hour_ms)}")
            for symbol, hour_ms, chain, seq in self._unknown
            if not await self._is_claimed(symbol, hour_ms)
        ]
        made = {key for key, state in self._states.items() if state == HourState.MADE.value}
        gone = sorted(made - self._met)
        return found + [Broken("-", 0, f"the evaluation of {_name(*key)} is gone") for key in gone]

    async def _is_claimed(self, symbol: str, hour_ms: int) -> bool:
        """Asked again: it may have been claimed after the hours were read."""
        column = evaluation_hours.c
        query = select(column.state).where(column.symbol == symbol, column.hour_ms == hour_ms)
        return bool(await read_rows(self._engine, query))


def _name(symbol: str, hour_ms: int) -> str:
    moment = format_moment(hour_ms, 0) if 0 <= hour_ms < END_OF_TIME_MS else f"{hour_ms} ms"
    return f"{symbol} in the hour of {moment}"
