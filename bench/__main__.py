"""`python -m bench [NAME]`: run every benchmark, or one, print its figures and store them."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench import (
    backtest,
    capacity,
    freshness,
    live,
    overload,
    report,
    scale,
    signals,
    smc,
    start,
    storage,
    stream,
    web,
)

BENCHES: dict[str, Callable[[], list[report.Figure]]] = {
    "signals": signals.run,
    "freshness": freshness.run,
    "start": start.run,
    "smc": smc.run,
    "storage": storage.run,
    "scale": scale.run,
    "stream": stream.run,
    "backtest": backtest.run,
    "capacity": capacity.run,
    "live": live.run,
    "overload": overload.run,
    "web": web.run,
}


def main(argv: list[str]) -> int:
    names = [name for name in argv if name] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    for name in names:
        figures = BENCHES[name]()
        for figure in figures:
            print(figure.line(), flush=True)
        report.write(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
