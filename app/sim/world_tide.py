"""The synthetic market's common driver: hourly return and volatility of the whole market, seeded.

Owns the absolute hourly grid, the regimes and the chained filters. Coins (world_hours) add their own part.
Hours are made in chunks of a fixed size, each with its own generator and chained by the last state, so the
past never depends on how far ahead the world was made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.domain.market import HOUR_MS
from app.sim.market import Floats

EPOCH_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC: hour 0 of the world
CHUNK = 1024  # hours per chunk
_BLOCK = 64  # the filter works on blocks of this many hours

TIDE_VOL_FRAC = 0.0042  # hourly volatility of the whole market in a normal hour, about 40 % a year
# Mean life of a deviation from the middle price: 200 days keeps prices on their scale for years.
PRICE_PHI = 1 - 1 / 4800


def hour_of(ts_ms: int) -> int:
    """Hour of the world that holds `ts_ms`; negative before the world began."""
    return (ts_ms - EPOCH_MS) // HOUR_MS


def generator(seed: int, *stream: int) -> np.random.Generator:
    """Independent random numbers for one purpose, the same in every process."""
    return np.random.default_rng([seed & 0xFFFF_FFFF, *stream])


class Decay:
    """First-order filters y[t] = phi y[t-1] + x[t], several at once, one chunk at a time.

    Done with small triangular matrices: the same shapes every time give the same bits every time.
    Worked number: phi 0.5, state 4, shocks 0 0 -> 2, 1.
    """

    def __init__(self, phis: tuple[float, ...]) -> None:
        phi = np.array(phis)[:, None, None]
        lag = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)[None, :]
        self._inside = np.where(lag >= 0, phi ** np.maximum(lag, 0), 0.0).transpose(0, 2, 1)
        self._fade = phi ** np.arange(1, _BLOCK + 1)[None, None, :]
        count = CHUNK // _BLOCK
        back = np.arange(count)[:, None] - np.arange(count)[None, :]
        far = phi**_BLOCK
        self._between = np.where(back >= 1, far ** np.maximum(back - 1, 0), 0.0)
        self._lead = far[:, :, 0] ** np.arange(count)[None, :]

    def run(self, shocks: Floats, state: Floats) -> Floats:
        """Filter shocks (filters, CHUNK), starting from the state (filters,)."""
        rows = shocks.shape[0]
        blocks = shocks.reshape(rows, -1, _BLOCK) @ self._inside
        carried = (self._between @ blocks[:, :, -1:])[:, :, 0] + self._lead * state[:, None]
        return np.asarray(blocks + carried[:, :, None] * self._fade).reshape(rows, CHUNK)


@dataclass(frozen=True, slots=True)
class TideChunk:
    """ret: market log return per hour; vol: volatility multiple, 1 in a normal hour."""

    ret: Floats
    vol: Floats


# drift per hour, volatility multiple, mean length in hours: rise, quiet, fall, panic
_REGIMES = ((0.00026, 0.9, 260), (0.0, 0.65, 200), (-0.00024, 1.15, 200), (-0.0008, 2.1, 36))
_NEXT = np.array([[0, 0.6, 0.3, 0.1], [0.5, 0, 0.45, 0.05], [0.35, 0.45, 0, 0.2], [0.5, 0.2, 0.3, 0]])


class Tide:
    """The common driver, made chunk by chunk on demand."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._chunks: list[TideChunk] = []
        self._regime, self._hours_left = 1, 60
        self._log_vol: Floats = np.zeros(1)
        self._decay = Decay((0.97,))

    def chunk(self, index: int) -> TideChunk:
        while len(self._chunks) <= index:
            self._chunks.append(self._make(len(self._chunks)))
        return self._chunks[index]

    def _make(self, index: int) -> TideChunk:
        rng = generator(self._seed, 7, index)
        drift, level = self._draw_regimes(rng)
        log_vol = self._decay.run(rng.normal(0, 0.085, (1, CHUNK)), self._log_vol)
        self._log_vol = log_vol[:, -1]
        vol = level * np.exp(log_vol[0])
        # Student's t with 4 degrees of freedom: hours of five sigma do happen in this market.
        shocks = np.clip(rng.standard_t(4, CHUNK) / np.sqrt(2), -7, 7)
        return TideChunk(ret=drift + TIDE_VOL_FRAC * vol * shocks, vol=vol)

    def _draw_regimes(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        states: NDArray[np.int64] = np.empty(CHUNK, np.int64)
        at = 0
        while at < CHUNK:
            if self._hours_left == 0:
                self._regime = int(rng.choice(4, p=_NEXT[self._regime]))
                self._hours_left = 1 + int(rng.exponential(_REGIMES[self._regime][2]))
            step = min(self._hours_left, CHUNK - at)
            states[at : at + step] = self._regime
            self._hours_left -= step
            at += step
        table = np.array(_REGIMES)
        return table[states, 0], table[states, 1]
