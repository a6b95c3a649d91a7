"""Stored evaluations and outcomes, page by page, into the columns that the record is made of. Pure.

Owns what a row that is not there means, what is not known yet at a moment, and that only one engine's
evaluations are pooled. Numbers lie in flat arrays, so that a year of many coins is some hundred megabytes
less than as objects.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from app.core.domain.evaluations import EvaluationRow
from app.core.domain.outcomes import HORIZONS_MS, OutcomeRow, trade_of
from app.core.domain.signal import ConfidenceLevel, Direction
from app.core.record.columns import (
    FACTOR_ORDER,
    LEVELS,
    LONG,
    NEUTRAL,
    OPEN,
    SCORED,
    SHORT,
    UNKNOWN,
    UNSCORABLE,
    Evaluations,
    Floats,
    HorizonOutcomes,
    SideOutcomes,
)
from app.core.record.gaps import REASONS, Gaps
from app.core.record.regimes import CoinRegimes
from app.core.record.verdicts import Running, Unscored, is_over, verdict_of

_DIRECTIONS = {Direction.LONG: LONG, Direction.NEUTRAL: NEUTRAL, Direction.SHORT: SHORT}
_SIDES = (Direction.LONG, Direction.SHORT)
_FIELDS = 8  # state, win, net, cost, barrier, end, is funding unknown, reason
_NONE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class RecordRows:
    """Evaluations of one engine with their outcomes in the order in which they were added."""

    def __init__(self, engine_version: str) -> None:
        self._engine_version = engine_version
        self._at_ms = array("q")
        self._coins: list[str] = []
        self._codes = array("b")  # direction, level
        self._figures = array("d")  # score, coverage, v
        self._outcomes = array("d")  # by side, horizon and field
        self._others: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return len(self._at_ms)

    def add(self, row: EvaluationRow, outcomes: Mapping[tuple[str, str], OutcomeRow], now_ms: int) -> None:
        """One evaluation; one of another engine is counted and left out. outcomes: by (trade's id, horizon),
        maybe of others too; what was resolved after now_ms (market time) is not known."""
        if row.engine_version != self._engine_version:
            self._others[row.engine_version, row.symbol] += 1
            return
        self._at_ms.append(row.as_of_ms)
        self._coins.append(row.symbol)
        self._codes.extend((_DIRECTIONS[Direction(row.direction)], LEVELS.index(ConfidenceLevel(row.level))))
        self._figures.extend((row.score, row.coverage, *row.v))
        for side in _SIDES:
            for horizon, length_ms in HORIZONS_MS.items():
                found = outcomes.get((trade_of(row.id, side.value), horizon))
                self._outcomes.extend(_fields(found, row.as_of_ms, length_ms, now_ms))

    def joined(self, other: RecordRows) -> RecordRows:
        """These, then the other ones."""
        both = RecordRows(self._engine_version)
        both._at_ms = self._at_ms + other._at_ms
        both._coins = self._coins + other._coins
        both._codes = self._codes + other._codes
        both._figures = self._figures + other._figures
        both._outcomes = self._outcomes + other._outcomes
        both._others = self._others + other._others
        return both

    def drop_oldest(self, count: int) -> None:
        """Forget the rows that were added first."""
        del self._at_ms[:count], self._coins[:count]
        del self._codes[: 2 * count], self._figures[: (2 + len(FACTOR_ORDER)) * count]
        del self._outcomes[: len(_SIDES) * len(HORIZONS_MS) * _FIELDS * count]

    def coins(self) -> Mapping[str, int]:
        """When each coin was first evaluated, by name."""
        first: dict[str, int] = {}
        for coin, at_ms in zip(self._coins, self._at_ms, strict=True):
            first[coin] = min(at_ms, first.get(coin, at_ms))
        return dict(sorted(first.items()))

    def columns(
        self, *, tier_of: Callable[[str], int], regimes: Mapping[str, CoinRegimes], read_ms: int
    ) -> RecordColumns:
        """All of them in order of (at_ms, symbol). regimes: by coin; of one that is not there all is
        unknown. read_ms: as of when outcomes were known (market time)."""
        symbols = tuple(sorted(set(self._coins)))
        number = {symbol: index for index, symbol in enumerate(symbols)}
        coin = np.array([number[symbol] for symbol in self._coins], dtype=np.int64)
        at_ms = np.array(self._at_ms, dtype=np.int64)
        codes = np.array(self._codes, dtype=np.int8).reshape(-1, 2)
        figures = np.array(self._figures, dtype=np.float64).reshape(-1, 2 + len(FACTOR_ORDER))
        volatility = np.full(at_ms.size, UNKNOWN, dtype=np.int8)
        trend = volatility.copy()
        for symbol, found in regimes.items():
            if symbol in number:
                here = coin == number[symbol]
                volatility[here], trend[here] = found.volatility_at(at_ms[here]), found.trend_at(at_ms[here])
        tiers = np.array([tier_of(symbol) for symbol in symbols], dtype=np.int8)
        order = np.lexsort((coin, at_ms))
        evaluations = Evaluations(
            symbols=symbols,
            versions=(self._engine_version,) if at_ms.size else (),
            at_ms=at_ms[order],
            coin=coin[order],
            tier=tiers[coin][order] if tiers.size else np.zeros(0, dtype=np.int8),
            score=figures[order, 0],
            coverage=figures[order, 1],
            direction=codes[order, 0],
            level=codes[order, 1],
            v=figures[order, 2:],
            volatility=volatility[order],
            trend=trend[order],
        )
        table = np.array(self._outcomes, dtype=np.float64)
        table = table.reshape(-1, len(_SIDES), len(HORIZONS_MS), _FIELDS)[order]
        outcomes = tuple(
            HorizonOutcomes(horizon, length_ms, _side(table[:, 0, place]), _side(table[:, 1, place]))
            for place, (horizon, length_ms) in enumerate(HORIZONS_MS.items())
        )
        gaps = Gaps(table[..., 6].astype(np.bool_), table[..., 7].astype(np.int8))
        return RecordColumns(evaluations, outcomes, read_ms, gaps, dict(self._others))


def is_final(row: EvaluationRow, outcomes: Sequence[OutcomeRow], now_ms: int) -> bool:
    """Will nothing of this evaluation change any more? outcomes: of its trades."""
    ended = sum(is_over(one, now_ms) for one in outcomes)
    is_old = now_ms - row.as_of_ms > 2 * max(HORIZONS_MS.values())
    return is_old or ended == len(_SIDES) * len(HORIZONS_MS)


def _fields(row: OutcomeRow | None, made_ms: int, length_ms: int, now_ms: int) -> tuple[float, ...]:
    """State and figures of one side at one horizon."""
    found = verdict_of(row, made_ms=made_ms, length_ms=length_ms, now_ms=now_ms)
    if isinstance(found, Running):
        return (OPEN, *_NONE, 0)
    if isinstance(found, Unscored):
        return (UNSCORABLE, *_NONE, REASONS.index(found.reason))
    paid, end_ms = found.facts.funding_frac, float(found.ended_ms or 0)
    cost = found.cost_frac + (paid or 0.0)
    barrier = abs(found.target - found.entry) / found.entry
    return SCORED, float(found.is_win), found.net_frac, cost, barrier, end_ms, float(paid is None), 0


def _side(table: Floats) -> SideOutcomes:
    return SideOutcomes(
        state=table[:, 0].astype(np.int8),
        win=table[:, 1].astype(np.bool_),
        net_frac=table[:, 2],
        cost_frac=table[:, 3],
        barrier_frac=table[:, 4],
        end_ms=table[:, 5].astype(np.int64),
    )


class RecordColumns(NamedTuple):
    """Evaluations with their outcomes at every horizon, as known at read_ms (market time). others: how many
    evaluations of other engines were left out, by (engine version, symbol)."""

    evaluations: Evaluations
    outcomes: tuple[HorizonOutcomes, ...]
    read_ms: int
    gaps: Gaps
    others: Mapping[tuple[str, str], int]

    def of(self, symbol: str | None) -> RecordColumns:
        """Those of one coin; None: all."""
        if symbol is None:
            return self
        known = self.evaluations.symbols
        kept = self.evaluations.coin == (known.index(symbol) if symbol in known else -1)
        outcomes = tuple(one.where(kept) for one in self.outcomes)
        others = {key: count for key, count in self.others.items() if key[1] == symbol}
        rows = self.evaluations.where(kept)
        return RecordColumns(rows, outcomes, self.read_ms, self.gaps.where(kept), others)

    def at(self, horizon: str) -> HorizonOutcomes:
        """The outcomes of one horizon. Raises: StopIteration for one that there is not."""
        return next(one for one in self.outcomes if one.horizon == horizon)
