"""Turning a signal and its context into the row that is kept, and that row's hash. Pure; no I/O."""

from __future__ import annotations

from dataclasses import asdict, replace
from hashlib import sha256

import msgspec
from sqlalchemy import RowMapping

from app.core.chain import link
from app.core.domain.context import EnhancedSignalContext
from app.core.domain.quality import Missing, Reading
from app.core.domain.signal import Signal
from app.core.domain.stored import StoredSignal, Trigger

SIGNAL_END_KEY = "chain_end:"  # before a chain's id: where its end is noted


def context_digest(context: EnhancedSignalContext) -> str:
    """SHA-256 (hex) of what the engine saw: every value with its source and two times, every reason.

    How long a source took is left out, so equal inputs have equal digests.
    """
    seen: list[object] = [context.symbol, context.as_of_ms, context.data_mode]
    for capability, found in context.inputs():
        match found:
            case Reading():
                seen.append(
                    (
                        capability,
                        found.provider,
                        found.endpoint,
                        found.ts_event_ms,
                        found.ts_init_ms,
                        found.value,
                    )
                )
            case Missing():
                seen.append((capability, found.reason))
    return sha256(msgspec.json.encode(seen)).hexdigest()


def build_row(
    signal: Signal, context: EnhancedSignalContext, trigger: Trigger, *, chain: str, ts_init_ms: int
) -> StoredSignal:
    """The row without its place in the chain (`place` gives it one)."""
    return StoredSignal(
        id="",
        symbol=signal.symbol.base,
        as_of_ms=signal.as_of_ms,
        trigger=trigger,
        data_mode=signal.data_mode.value,
        mode=signal.mode.value,
        direction=signal.direction.value,
        # A whole number would come back as 5.0, and its hash would not fit.
        score=float(signal.score),
        confidence=float(signal.confidence.score),
        coverage=float(signal.coverage),
        price_usd=float(signal.price.value.price_usd),
        reason=signal.reason,
        engine_version=signal.engine_version,
        context_digest=context_digest(context),
        chain=chain,
        seq=-1,
        prev_hash="",
        hash="",
        ts_init_ms=ts_init_ms,
        body=msgspec.json.encode(signal).decode(),
    )


def place(row: StoredSignal, seq: int, prev_hash: str) -> StoredSignal:
    """The row as number `seq` of its chain, after the row with `prev_hash`."""
    placed = replace(row, id=f"{row.chain}-{seq}", seq=seq, prev_hash=prev_hash)
    return replace(placed, hash=hash_of(placed))


def hash_of(row: StoredSignal) -> str:
    """What `row.hash` must be: everything else in the row counts."""
    facts = asdict(row)
    del facts["hash"], facts["prev_hash"]
    return link(row.prev_hash, facts)


def stored_signal(row: RowMapping) -> StoredSignal:
    """The row again as a database gives it back, by column."""
    return StoredSignal(**{**row, "trigger": Trigger(row["trigger"])})
