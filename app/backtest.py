"""`python -m app.backtest --data FOLDER`: what the engine's signals were worth, on history.

Also `weights` (what a walk-forward would have chosen), `sweep` (were levels reached as often as said) and
`setups` (how often the confluence model has a plan). Prints the Markdown of docs/measured.md; the first one
writes report.html, too. Deterministic: same data, same bytes. No network.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from app.backtest_data import Recording, load_recordings, load_with_interest
from app.backtest_figures import moment
from app.backtest_files import check_writable, write_files
from app.backtest_report import render_pools, render_setups, render_sweeps
from app.backtest_run import add_run_flags, add_weights_flags, run_backtest, run_weights
from app.core.backtest.pools import measure_pools
from app.core.backtest.setups import measure_setups
from app.core.backtest.sweep import (
    DISTANCES_ATR,
    TABLE_DISTANCES_ATR,
    SweepReport,
    join_windows,
    measure_sweeps,
    resolve_windows,
)
from app.core.calibration.hit_rates import build_hit_rates
from app.core.domain.hit_rates import HitRates
from app.core.domain.market import INTERVAL_MS
from app.core.errors import InvariantViolation, StorageUnavailable
from app.settings import SettingsError

HORIZONS_H = (4.0, 24.0)
# What a shell reports of a command that Ctrl-C ended.
_STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one measurement; 0 when it was made, 2 when it could not be, 130 when it was stopped."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Without a command it is the backtest itself.
    if given and given[0].startswith("-") and given[0] not in ("-h", "--help"):
        given.insert(0, "run")
    options = _parser().parse_args(given)
    try:
        text = _COMMANDS[options.command](options)
    except (ValueError, InvariantViolation, SettingsError, StorageUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'a file'}: {error.strerror or error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return _STOPPED
    sys.stdout.write(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.backtest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="signals, trades, record, factors (the default command)")
    add_run_flags(run)
    parser.epilog = f"Without a command it is run:\n\n{run.format_help()}"
    add_weights_flags(commands.add_parser("weights", help="what weights a walk-forward would have chosen"))
    sweep = commands.add_parser("sweep", help="hit rates of price levels, and the ways to foretell them")
    sweep.add_argument("--data", type=Path, required=True, help="folder of recorded candles")
    sweep.add_argument("--bars", choices=("5m", "1h"), default="5m", help="size of the bars looked at")
    setups = commands.add_parser("setups", help="how often there is a plan, and what became of it")
    setups.add_argument(
        "--data", type=Path, required=True, help="folder of recorded candles and open interest"
    )
    for command in (sweep, setups):
        command.add_argument("--json", type=Path, default=None, help="write the figures here, too")
    return parser


def _sweep(options: argparse.Namespace) -> str:
    _check(options.json)
    text, figures = _measured_sweep(options.data, options.bars)
    return _written(text, figures, options.json)


def _setups(options: argparse.Namespace) -> str:
    _check(options.json)
    reports = [
        measure_setups(one.name, one.base, one.candles, one.interest)
        for one in load_with_interest(options.data)
    ]
    return _written(render_setups(reports), {"setups": [asdict(report) for report in reports]}, options.json)


def _check(path: Path | None) -> None:
    if path is not None:
        check_writable(path.parent, [path.name])


def _written(text: str, figures: dict[str, object], path: Path | None) -> str:
    if path is not None:
        write_files(path.parent, [(path.name, json.dumps(figures, indent=1) + "\n")])
    return text


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], str]] = {
    "run": run_backtest,
    "weights": run_weights,
    "sweep": _sweep,
    "setups": _setups,
}


def _measured_sweep(folder: Path, bar_size: str) -> tuple[str, dict[str, object]]:
    recordings = load_recordings(folder, INTERVAL_MS[bar_size])
    longest = max(recordings, key=lambda one: len(one.bars)).bars
    # The longest recording's middle: shorter ones lie wholly on one side of it or are split there, too.
    split_ms = int(longest.close_ms[len(longest) // 2])
    reports, tables = [], {}
    for horizon_h in HORIZONS_H:
        windows = join_windows([resolve_windows(one.bars, horizon_h, DISTANCES_ATR) for one in recordings])
        reports.append(measure_sweeps(windows, split_ms, horizon_h))
        tables[horizon_h] = _whole_table(recordings, horizon_h)
    pools = measure_pools([one.bars for one in recordings])
    names = [one.name for one in recordings]
    text = render_sweeps(names, bar_size, moment(split_ms), reports) + render_pools(pools)
    figures: dict[str, object] = {
        "recordings": names,
        "bars": bar_size,
        "split": moment(split_ms),
        "horizons": [_plain(report) for report in reports],
        "hit_rates": {f"{horizon:g}": asdict(table) for horizon, table in tables.items()},
        "pools": asdict(pools),
    }
    return text, figures


def _whole_table(recordings: Sequence[Recording], horizon_h: float) -> HitRates:
    """Of all windows, both halves: what is shipped once the split has been scored."""
    windows = join_windows([resolve_windows(one.bars, horizon_h, TABLE_DISTANCES_ATR) for one in recordings])
    return build_hit_rates(horizon_h, windows.distance_atr, windows.hit)


def _plain(report: SweepReport) -> dict[str, object]:
    return asdict(report)


if __name__ == "__main__":
    sys.exit(main())
