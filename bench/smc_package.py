"""Runs the public package over candles and prints its best time as JSON. A child of `bench.smc`, in an
environment of its own; imports nothing of this project."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from smartmoneyconcepts import smc

SWING = 5
# Of the long history one run takes the better part of a minute.
RUNS_UNTIL_S = 20.0


def main(path: str) -> None:
    stored = np.load(path)
    index = pd.to_datetime(stored["time_ms"], unit="ms")
    names = ("open", "high", "low", "close", "volume")
    candles = pd.DataFrame({name: stored[name] for name in names}, index=index)
    everything(candles.iloc[:500])  # compiles
    best, begun, held = float("inf"), time.perf_counter(), None
    while best == float("inf") or time.perf_counter() - begun < RUNS_UNTIL_S:
        begin = time.perf_counter()
        found = everything(candles)
        best = min(best, time.perf_counter() - begin)
        held = found
    del held
    print(json.dumps({"best_s": best}))


def everything(candles: pd.DataFrame) -> list[object]:
    swings = smc.swing_highs_lows(candles, swing_length=SWING)
    return [
        swings,
        smc.fvg(candles),
        smc.bos_choch(candles, swings, close_break=True),
        smc.ob(candles, swings),
        smc.liquidity(candles, swings),
        smc.previous_high_low(candles, time_frame="1D"),
        smc.sessions(candles, session="London"),
        smc.retracements(candles, swings),
    ]


if __name__ == "__main__":
    main(sys.argv[1])
