"""Do equal highs and lows draw price, and does their sweep turn it? Pools and single swings against mirrored
control levels on recorded candles. Section 7's second half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.domain.market import DAY_MS
from app.core.smc.bars import NEVER, Bars, Floats, Ints
from app.core.smc.config import SmcConfig
from app.core.smc.crossing import Maxima
from app.core.smc.run import run_smc

SWING_BARS = 10
HORIZON_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class Attraction:
    """Levels of one kind. touched / mirrored: share of levels, and of mirrored control levels as far away on
    the other side of price, that traded within 24 h; closed_back / mirrored_back: share of the crossing bars
    that closed back inside. difference_se: standard error of touched - mirrored, paired."""

    name: str
    n: int
    touched: float
    mirrored: float
    difference_se: float
    closed_back: float
    mirrored_back: float


@dataclass(frozen=True, slots=True)
class PoolReport:
    """Pools and single swings, N = 10."""

    attractions: tuple[Attraction, ...]


def measure_pools(histories: Sequence[Bars]) -> PoolReport:
    """Every level from the bar at which it is known."""
    rows: dict[str, list[np.ndarray]] = {"equal highs and lows": [], "single swings": []}
    for bars in histories:
        run = run_smc(bars, SmcConfig(left=SWING_BARS, right=SWING_BARS))
        for name, table, level in (
            ("equal highs and lows", run.pools, run.pools.edge),
            ("single swings", run.swings, run.swings.level),
        ):
            rows[name].append(_resolve(bars, table.confirmed_at, level, table.dir))
    found = [_summed(name, np.concatenate(parts)) for name, parts in rows.items() if parts]
    return PoolReport(tuple(found))


def _resolve(bars: Bars, known: Ints, level: Floats, direction: Ints) -> np.ndarray:
    """Columns: touched, mirror touched, closed back, mirror closed back (NaN where not crossed)."""
    span = HORIZON_MS // bars.interval_ms
    kept = np.flatnonzero(known + span < len(bars))
    known, level, direction = known[kept], level[kept], direction[kept]
    price = bars.close[known]
    kept = np.flatnonzero((level - price) * direction > 0)
    known, level, direction, price = known[kept], level[kept], direction[kept], price[kept]
    up, down = Maxima(bars.high), Maxima(-bars.low)
    columns = []
    for levels, sides in ((level, direction), (2.0 * price - level, -direction)):
        hit = np.where(
            sides > 0,
            up.first_above(known + 1, levels, within=span),
            down.first_above(known + 1, -levels, within=span),
        )
        touched = (hit < NEVER).astype(np.float64)
        at = np.where(hit < NEVER, hit, 0)
        back = (bars.close[at] - levels) * sides <= 0
        columns.append((touched, np.where(hit < NEVER, back.astype(np.float64), np.nan)))
    return np.column_stack((columns[0][0], columns[1][0], columns[0][1], columns[1][1]))


def _summed(name: str, rows: np.ndarray) -> Attraction:
    difference = rows[:, 0] - rows[:, 1]
    return Attraction(
        name=name,
        n=rows.shape[0],
        touched=float(rows[:, 0].mean()),
        mirrored=float(rows[:, 1].mean()),
        difference_se=float(difference.std() / np.sqrt(max(rows.shape[0], 1))),
        closed_back=float(np.nanmean(rows[:, 2])),
        mirrored_back=float(np.nanmean(rows[:, 3])),
    )
