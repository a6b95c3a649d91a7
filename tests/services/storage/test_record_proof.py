"""The record on both databases: ends are written once, and whatever was changed afterwards is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.chain import GENESIS
from app.core.clock import ManualClock
from app.core.domain.evaluations import EvaluationRef
from app.core.domain.outcomes import OutcomeRow, Touch, Unscorable
from app.core.domain.signal import Direction
from app.core.domain.stored import Trigger
from app.core.outcomes.first_touch import Ending
from app.core.outcomes.rows import ended, entered, entry_of, given_up, plan_entry
from app.core.outcomes.sides import begin_side
from app.services.storage.outcome_ledger import OutcomeLedger, hash_of, outcome_hash_of
from app.services.storage.outcomes import SqlOutcomes
from app.services.storage.store import SqlStore
from app.services.storage.tables import outcome_ledger, signal_outcomes
from tests.outcome_facts import HOUR_MS, T0_MS
from tests.record_rig import made, store_of

MADE_MS = T0_MS + 75_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MADE_MS)


@pytest.fixture
async def store(database_url: str, clock: ManualClock) -> AsyncIterator[SqlStore]:
    store = store_of(database_url, clock)
    await store.opened()
    yield store
    await store.close()


def over(row: OutcomeRow, touch: Touch = Touch.STOP) -> OutcomeRow:
    """The row entered at the whole number 100, and lost (or won) after an hour."""
    plan = plan_entry(row, entered_ms=MADE_MS + 1_000, entry=100, atr_usd=1.0)
    assert not isinstance(plan, Unscorable)
    price = 100 + plan.sign if touch is Touch.TARGET else 100 - plan.sign
    ending = Ending(touch, T0_MS + HOUR_MS, price, 0.0, -0.01)
    into = entered(row, entry_of(row, plan))
    return ended(into, ending, path="1m", settlements=None, now_ms=T0_MS + 2 * HOUR_MS)


async def evaluate(store: SqlStore, symbol: str = "BTC", hour: int = 0) -> str:
    """A claimed, made and settled evaluation; its id."""
    hour_ms = T0_MS + hour * HOUR_MS
    assert await store.evaluations.claim(symbol, hour_ms)
    store.signals.append(*made(hour_ms + 75_000, symbol), Trigger.SCHEDULE)
    await store.signals.flush()
    await store.evaluations.settle(symbol, hour_ms, None)
    (ref,) = (one for one in await store.evaluations.unfollowed(0, 99) if one.symbol == symbol)
    return ref.id


def sides(name: str) -> list[OutcomeRow]:
    ref = EvaluationRef(name, "BTC", MADE_MS)
    return [*begin_side(ref, Direction.LONG, tier=1), *begin_side(ref, Direction.SHORT, tier=1)]


async def fill(store: SqlStore) -> str:
    """One evaluation with eight outcomes: five lost, one won, one unscorable, one open; its id."""
    name = await evaluate(store)
    rows = sides(name)
    # Two had ended when they were opened; the rest later, and one of it not yet.
    await store.signal_outcomes.open([over(rows[0]), over(rows[1]), *rows[2:]])
    lost = given_up(rows[6], Unscorable.HOLES, now_ms=T0_MS + 9 * HOUR_MS)
    await store.signal_outcomes.resolve([over(rows[2], Touch.TARGET), *map(over, rows[3:6]), lost])
    return name


async def entries(store: SqlStore) -> list[tuple[str, str, int]]:
    statement = text("SELECT trade_id, horizon, seq FROM outcome_ledger ORDER BY chain, seq")
    async with store._engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(statement)]


async def run(store: SqlStore, statement: str) -> None:
    async with store._engine.begin() as connection:
        await connection.execute(text(statement))


async def why(store: SqlStore) -> list[str]:
    return [one[2] for one in (await store.verify()).broken]


async def test_every_end_enters_the_ledger_once_with_the_row_that_is_stored(store: SqlStore) -> None:
    name = await fill(store)
    assert [seq for *_, seq in await entries(store)] == list(range(7))
    report = await store.verify()
    assert (report.chains, report.signals, report.outcomes, report.broken) == (2, 1, 7, ())
    async with store._engine.connect() as connection:
        kept = {(row.trade_id, row.horizon): row for row in await connection.execute(outcome_ledger.select())}
        found = (await connection.execute(signal_outcomes.select())).mappings().all()
    for row in found:
        entry = kept.pop((row["trade_id"], row["horizon"]), None)
        assert (entry is None) is (row["state"] == "waiting")
        assert entry is None or entry.outcome_hash == outcome_hash_of(row)
    assert kept == {}
    assert name


async def test_what_has_ended_is_not_ended_again(store: SqlStore) -> None:
    name = await fill(store)
    before = await entries(store)
    again = [over(row, Touch.TARGET) for row in sides(name)]
    await store.signal_outcomes.open(again)
    await store.signal_outcomes.resolve(again[:7])
    assert await entries(store) == before
    await store.signal_outcomes.resolve(again)
    assert (await entries(store))[7:] == [(f"{name}:SHORT", "24h", 7)]
    assert await why(store) == []


async def test_two_processes_end_each_row_once_in_chains_of_their_own(
    store: SqlStore, database_url: str, clock: ManualClock
) -> None:
    name = await fill(store)
    other = store_of(database_url, clock)
    await other.opened()
    try:
        more = [f"{name}x{n}" for n in range(6)]
        rows = [[over(row) for row in sides(one)] for one in more]
        both = (one.signal_outcomes.open(found) for found in rows for one in (store, other))
        await asyncio.gather(*both)
        last = [over(row) for row in sides(name)]
        await asyncio.gather(store.signal_outcomes.resolve(last), other.signal_outcomes.resolve(last))
    finally:
        await other.close()
    found = [(trade, horizon) for trade, horizon, _ in await entries(store)]
    assert len(found) == len(set(found)) == 8 + 6 * 8
    assert await why(store) == []


async def test_an_end_and_its_entry_are_written_together_or_not_at_all(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await evaluate(store)
    rows = sides(name)
    await store.signal_outcomes.open(rows)

    async def dies(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(OutcomeLedger, "append", dies)
        with pytest.raises(RuntimeError):
            await store.signal_outcomes.resolve([over(rows[0])])
    assert {row.state for row in await store.signal_outcomes.of_trades([rows[0].trade_id])} == {"waiting"}
    await store.signal_outcomes.resolve([over(rows[0])])
    assert len(await entries(store)) == 1
    assert await why(store) == []


async def test_a_second_chain_is_tied_to_the_end_of_the_first(store: SqlStore) -> None:
    name = await fill(store)
    later = SqlOutcomes(store._gate, signal_outcomes, OutcomeLedger(now_ms=lambda: MADE_MS + 1))
    await later.resolve([over(sides(name)[7])])
    statement = text("SELECT seq, prev_hash, hash FROM outcome_ledger")
    async with store._engine.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(statement)]
    (end,) = (digest for seq, _, digest in rows if seq == 6)
    assert {previous for seq, previous, _ in rows if seq == 0} == {GENESIS, end}
    await run(store, "DELETE FROM outcome_ledger WHERE seq = 6")
    assert "the row it was tied to is gone" in await why(store)


TAMPERED = {
    "losses made wins": (
        "UPDATE signal_outcomes SET net_return_frac = abs(net_return_frac), first_touch = 'target' "
        "WHERE state = 'scored' AND horizon = '1h'",
        "the outcome of trade {name}:LONG at 1h was changed after it had ended",
    ),
    "a little less lost": (
        "UPDATE signal_outcomes SET net_return_frac = net_return_frac + 0.0001 WHERE state = 'scored'",
        "at 15m was changed after it had ended",
    ),
    "losing rows taken out": (
        "DELETE FROM signal_outcomes WHERE net_return_frac < 0",
        "the outcome of trade {name}:LONG at 15m is gone",
    ),
    "one to be ended anew": (
        "UPDATE signal_outcomes SET state = 'open' WHERE horizon = '15m'",
        "the outcome of trade {name}:LONG at 15m was over and is open again",
    ),
    "a loss made unscorable": (
        "UPDATE signal_outcomes SET state = 'unscorable' WHERE horizon = '15m'",
        "the outcome of trade {name}:LONG at 15m was changed",
    ),
    "an end for what is open": (
        "UPDATE signal_outcomes SET state = 'scored', net_return_frac = 0.01 WHERE state = 'waiting'",
        "nobody wrote the end of the outcome of trade {name}:SHORT at 24h",
    ),
    "another body": (
        "UPDATE signal_outcomes SET body = body || ' ' WHERE horizon = '15m'",
        "at 15m was changed",
    ),
    "an endless return": (
        "UPDATE signal_outcomes SET net_return_frac = 1e308 * 10 WHERE horizon = '15m' AND state = 'scored'",
        "at 15m was changed",
    ),
    "loss and entry taken out": (
        "DELETE FROM signal_outcomes WHERE horizon = '1h'; DELETE FROM outcome_ledger WHERE seq = 1",
        "rows 1 to 1 are gone",
    ),
    "the end of the ledger cut off": (
        "DELETE FROM outcome_ledger WHERE seq > 4",
        "rows 5 to 6, its end, are gone",
    ),
    "the whole ledger taken out": ("DELETE FROM outcome_ledger", "all of its rows, 0 to 6, are gone"),
    "an entry for another row": (
        "UPDATE outcome_ledger SET horizon = '8h' WHERE seq = 2",
        "its hash does not fit its content",
    ),
    "another engine's word": (
        "UPDATE signals SET score = 1e308 * 10, trigger = 'schedule!'",
        "its hash does not fit its content",
    ),
    "the claim of an hour taken out": (
        "DELETE FROM evaluation_hours",
        "nobody claimed BTC in the hour of {hour}",
    ),
    "an hour called failed": (
        "UPDATE evaluation_hours SET state = 'failed', reason = 'no_price'",
        "the evaluation of BTC in the hour of {hour} was not kept",
    ),
    "an hour that was never evaluated": (
        "UPDATE evaluation_hours SET symbol = 'ETH'",
        "the evaluation of ETH in the hour of {hour} is gone",
    ),
    "the end of the ledger cut off with the note of it": (
        "DELETE FROM outcome_ledger WHERE seq > 4; "
        "DELETE FROM worker_state WHERE key LIKE 'outcome_chain_end:%'",
        "where it ends is noted nowhere",
    ),
    "a noted end nobody can read": (
        "UPDATE worker_state SET value = 'x' WHERE key LIKE 'outcome_chain_end:%'",
        "it is not the row that was written as the end of the chain",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampering_is_found(store: SqlStore, what: str) -> None:
    name = await fill(store)
    assert await why(store) == []
    statements, finding = TAMPERED[what]
    if store._engine.dialect.name == "postgresql":
        statements = statements.replace("1e308 * 10", "'Infinity'")
    for statement in statements.split("; "):
        await run(store, statement)
    said = await why(store)
    hour = "2027-01-15 08:00 UTC"
    assert any(finding.format(name=name, hour=hour) in one for one in said), said


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE signals SET as_of_ms = 'abc'", "it cannot be read"),
        ("UPDATE outcome_ledger SET seq = 'abc' WHERE seq = 6", "its hash does not fit its content"),
        ("UPDATE outcome_ledger SET seq = 5.5 WHERE seq = 6", "its hash does not fit its content"),
    ],
)
async def test_what_is_of_no_possible_type_is_refused_or_found(
    store: SqlStore, statement: str, finding: str
) -> None:
    """SQLite keeps any value in any column."""
    await fill(store)
    if store._engine.dialect.name == "postgresql":
        with pytest.raises(DBAPIError):
            await run(store, statement.replace("5.5", "'5.5'"))
        return
    await run(store, statement)
    report = await store.verify()
    assert finding in {reason for _, _, reason in report.broken}
    assert all(isinstance(seq, int) for _, seq, _ in report.broken)


async def test_a_forged_outcome_with_a_fitting_entry_breaks_the_next_link(store: SqlStore) -> None:
    await fill(store)
    async with store._engine.begin() as connection:
        query = outcome_ledger.select().where(outcome_ledger.c.seq == 1)
        entry = dict((await connection.execute(query)).mappings().one())
        same = signal_outcomes.c.trade_id == entry["trade_id"], signal_outcomes.c.horizon == entry["horizon"]
        await connection.execute(signal_outcomes.update().where(*same).values(net_return_frac=0.01))
        row = (await connection.execute(signal_outcomes.select().where(*same))).mappings().one()
        entry |= {"outcome_hash": outcome_hash_of(row)}
        changed = {"outcome_hash": entry["outcome_hash"], "hash": hash_of(entry)}
        await connection.execute(outcome_ledger.update().where(outcome_ledger.c.seq == 1).values(changed))
    assert await why(store) == ["it does not follow from the row before"]


async def test_two_evaluations_of_one_coin_and_hour_are_found(store: SqlStore) -> None:
    await fill(store)
    await evaluate(store, "ETH")
    await evaluate(store, "ETH", hour=1)
    assert await why(store) == []
    store.signals.append(*made(MADE_MS + 9_000, "ETH"), Trigger.SCHEDULE)
    store.signals.append(*made(MADE_MS + 9_000, "BTC"), Trigger.REQUEST)
    await store.signals.flush()
    (said,) = await why(store)
    assert said.startswith("it is not the only evaluation of ETH in the hour of ")


async def test_a_record_of_many_pages_is_walked_whole(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.storage.chains.WALK_ROWS", 3)
    monkeypatch.setattr("app.services.storage.record_proof.WALK_ROWS", 2)
    await fill(store)
    for hour in range(4):
        await evaluate(store, "ETH", hour)
    report = await store.verify()
    assert (report.signals, report.outcomes, report.broken) == (5, 7, ())
    await run(store, "DELETE FROM outcome_ledger")
    assert sum(one.startswith("nobody wrote") for one in await why(store)) == 7
