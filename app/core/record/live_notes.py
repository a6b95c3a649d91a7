"""What a reader of the live record has to know beside its figures, in plain sentences.

Owns words only: of hours without an evaluation, of other engines' evaluations, of unknown funding, and of why
trades could not be scored. A backtest has no such gaps, or names them itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from app.core.domain.evaluations import EvaluationFailure, HourCount
from app.core.domain.formatting import format_count
from app.core.domain.outcomes import Unscorable
from app.core.record.gaps import NOT_FOLLOWED

_MAX_VERSIONS: Final = 5
_WHY: Final[Mapping[str, str]] = {
    Unscorable.NO_ENTRY.value: "no 1m or 5m candle says at what price they began",
    Unscorable.NO_BARRIERS.value: "no ATR of 1 h was known when they began",
    Unscorable.MISSED.value: "the price had passed the target before anybody could enter",
    Unscorable.HOLES.value: "1m and 5m candles are missing on their way",
    NOT_FOLLOWED: "nobody followed them while their prices were known",
}


def hours_notes(counts: Sequence[HourCount]) -> tuple[str, ...]:
    """What became of coins' hours, in a sentence; none where nothing was ever tried.

    Due is every hour of each coin from the first that was tried to the last. Worked number: 100 coin-hours,
    90 evaluations, 3 without a usable price, 1 too late -> 6 missed.
    """
    expected = sum(one.expected for one in counts)
    if not expected:
        return ()
    made = sum(one.made for one in counts)
    failed = sum(sum(one.failed.values()) for one in counts)
    late = sum(one.failed.get(EvaluationFailure.LATE.value, 0) for one in counts)
    missed = max(0, expected - made - failed)
    return (
        f"Of {format_count(expected, 'coin-hour')} that {_was(expected)} due, {made:,} {_was(made)} "
        f"evaluated, {failed - late:,} had no usable price, {late:,} came too late and {missed:,} "
        f"{_was(missed)} missed.",
    )


def version_notes(others: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """Evaluations that were left out, by (engine version, coin), in a sentence."""
    count = sum(others.values())
    if not count:
        return ()
    versions = sorted({version for version, _ in others})
    named = versions[:_MAX_VERSIONS] + (["others"] if len(versions) > _MAX_VERSIONS else [])
    words = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    is_not = "is not" if count == 1 else "are not"
    engines = "engine" if len(named) == 1 else "engines"
    return (f"{format_count(count, 'evaluation')} of {engines} {words} {is_not} counted here.",)


def funding_notes(unpaid: int, scored: int) -> tuple[str, ...]:
    """Scored trades without their funding, in a sentence."""
    if not unpaid:
        return ()
    them = "it" if unpaid == 1 else "them"
    return (
        f"Funding was not known for {unpaid:,} of {format_count(scored, 'scored trade')} and is not charged "
        f"in {them}.",
    )


def unscorable_notes(reasons: Mapping[str, int]) -> tuple[str, ...]:
    """Why most trades without a score have none, in a sentence. reasons: the most frequent first."""
    if not reasons:
        return ()
    reason, count = next(iter(reasons.items()))
    return (
        f"Most often trades could not be scored because {_WHY[reason]}: {count:,} of "
        f"{sum(reasons.values()):,}.",
    )


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
