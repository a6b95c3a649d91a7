"""Made-up but repeatable figures: noise and slow curves that give the same value for the same moment, always.

Owns no meaning and no unit. Used by the CoinGlass families that no market source can answer (on-chain, ETF,
options, indexes), so that a chart does not jump about between two calls.
"""

from __future__ import annotations

import zlib

import numpy as np

from app.sim.market import Floats, Int64s

# Periods in steps and their weight; with the noise they fill [0, 1].
_WAVES = ((173, 0.26), (47, 0.15), (11, 0.06))
_NOISE_WEIGHT = 0.06


def noise(key: str, steps: Int64s) -> Floats:
    """One number in [0, 1) per integer step, unrelated to its neighbours (splitmix64)."""
    mixed = steps.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(zlib.crc32(key.encode()))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), np.float64) / 2.0**53


def curve(key: str, steps: Int64s, low: float, high: float) -> Floats:
    """A slow wave between `low` and `high`, a little rough; a step is usually a day."""
    level = np.full(steps.size, 0.5)
    for index, (period, weight) in enumerate(_WAVES):
        phase = zlib.crc32(f"{key}|{index}".encode()) / 2**32
        level += weight * np.sin(2 * np.pi * (steps / period + phase))
    level += _NOISE_WEIGHT * (noise(key, steps) - 0.5)
    return np.asarray(low + (high - low) * level)
