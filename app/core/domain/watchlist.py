"""The coins that the service follows: how one is stored, shown and changed.

A coin is on, off, or removed: one of the configuration that somebody took out. Times UTC epoch milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

# What the smallest plans and one connection of a venue can carry, several times over.
MAX_COINS = 200


@dataclass(frozen=True, slots=True)
class StoredCoin:
    """One row of the stored list. is_removed: a coin of the configuration that is not to come back by itself;
    never on. added_ms: when it was first written."""

    symbol: str
    is_on: bool
    is_removed: bool
    added_ms: int


@dataclass(frozen=True, slots=True)
class WatchedCoin:
    """One coin of the list. is_configured: of `SYMBOLS`. is_saved: a restart keeps it as it is.

    added_ms: when somebody added it, None for a coin of the configuration.
    """

    symbol: str
    is_on: bool
    is_configured: bool
    is_saved: bool
    added_ms: int | None


@dataclass(frozen=True, slots=True)
class WatchChange:
    """What became of a wish. did_change: False where the list was so already."""

    symbol: str
    did_change: bool
    is_saved: bool
