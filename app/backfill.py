"""`python -m app.backfill --symbols BTC,ETH --days 30` or `--from FOLDER`: fill the store with the past.

From OKX and CoinGlass within their call budgets, resumable, or from a folder of recorded data. Exit status: 0
all done, 1 something failed (named in the summary), 2 arguments or settings make no sense, 130 stopped by
Ctrl-C: after the page under way; what was stored stays, and the next run goes on from there.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from app.backfill_parts import OpenStore, kept_days, kept_rows_days, open_providers, open_store
from app.backfill_text import file_table, series_table, told_again
from app.core.clock import Clock, SystemClock
from app.core.domain.context import DataMode
from app.core.domain.market import INTERVAL_MS
from app.core.domain.stored import SeriesName
from app.core.domain.symbol import Symbol, parse_symbol, resolve_symbol
from app.core.errors import ConfigurationError, InputError, StorageRefused, StorageUnavailable
from app.core.history_ports import HistoryProvider
from app.progress_line import ProgressLine
from app.recorded_import import import_folder
from app.services.backfill_plan import BackfillRequest
from app.services.backfill_report import Outcome
from app.services.backfill_service import BackfillService
from app.services.transport.redact import Redactor
from app.settings import Settings, SettingsError, load_settings
from app.simulator_child import SimulatorChild, provider_settings
from app.telemetry import configure_logging

MAX_DAYS = 3650
STOPPED = 130  # as a shell says it of a program that Ctrl-C ended
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
DEFAULT_DAYS = 30
DEFAULT_INTERVAL = "1h"


def main(argv: Sequence[str] | None = None, *, open_store: OpenStore = open_store) -> int:
    """Run the command line; see above for the status. open_store: tests bring a store in memory."""
    parser = _parser()
    args = parser.parse_args(argv)
    _check(parser, args)
    try:
        settings = load_settings(**({} if args.data_mode is None else {"data_mode": args.data_mode}))
        with ExitStack() as stack:
            if args.folder is None:
                settings = _with_simulator(settings, stack)
            configure_logging(
                level=settings.log_level,
                json=settings.env == "prod",
                redact=Redactor(settings.secret_values()).text,
                data_mode=DataMode(settings.data_mode),
            )
            return asyncio.run(_run(args, settings, SystemClock(), open_store))
    except (SettingsError, ConfigurationError, InputError, StorageRefused) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 2
    except StorageUnavailable as error:
        sys.stderr.write(f"the store could not be used: {error}\n")
        return 1
    except KeyboardInterrupt:
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.backfill", description=(__doc__ or "").partition("\n")[2]
    )
    parser.add_argument("--symbols", help="coins, such as BTC,ETH; with --from: only these")
    parser.add_argument("--days", type=int, help=f"how far back (default {DEFAULT_DAYS})")
    parser.add_argument(
        "--interval", choices=sorted(INTERVAL_MS), help=f"bar size (default {DEFAULT_INTERVAL})"
    )
    names = ", ".join(SeriesName)
    parser.add_argument("--series", help=f"which histories, of {names} (default all)")
    parser.add_argument(
        "--from", dest="folder", type=Path, metavar="FOLDER", help="load recorded data instead"
    )
    parser.add_argument(
        "--demo", dest="data_mode", action="store_const", const="demo", help="from the bundled simulator"
    )
    return parser


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what does not go together, as argparse does: usage and status 2."""
    if args.folder is not None:
        asked = [name for name in ("days", "interval", "series") if getattr(args, name) is not None]
        if asked:
            parser.error(f"--from loads whole files: --{asked[0]} does not apply")
        return
    if not _list(args.symbols):
        parser.error("--symbols is needed, such as --symbols BTC,ETH (or --from FOLDER)")
    if args.days is not None and not 1 <= args.days <= MAX_DAYS:
        parser.error(f"--days: expected 1 to {MAX_DAYS}")
    unknown = set(_list(args.series)) - set(SeriesName)
    if unknown:
        parser.error(f"--series: {', '.join(sorted(unknown))} is none of {', '.join(SeriesName)}")


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def _with_simulator(settings: Settings, stack: ExitStack) -> Settings:
    """Demo gets a simulator that lives as long as `stack`.

    Raises:
        ConfigurationError: replay, whose data is loaded from its folder.
    """
    if settings.data_mode == "replay":
        raise ConfigurationError("DATA_MODE=replay: load recorded data with --from FOLDER")
    if settings.data_mode == "live":
        return settings
    child = stack.enter_context(
        SimulatorChild(["--seed", str(settings.sim_seed), "--plan", settings.sim_plan])
    )
    return load_settings(data_mode=settings.data_mode, **provider_settings(child.base_url))


async def _run(args: argparse.Namespace, settings: Settings, clock: Clock, open_store: OpenStore) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        sys.stderr.write("\nstopping after the page under way; once more ends it at once\n")
        stopping.set()
        _let_go(loop)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        if args.folder is not None:
            return await _load_folder(args, settings, clock, open_store, stopping)
        return await _fill_back(args, settings, clock, open_store, stopping)
    finally:
        _let_go(loop)


def _let_go(loop: asyncio.AbstractEventLoop) -> None:
    for number in _SIGNALS:
        loop.remove_signal_handler(number)


async def _fill_back(
    args: argparse.Namespace,
    settings: Settings,
    clock: Clock,
    open_store: OpenStore,
    stopping: asyncio.Event,
) -> int:
    async with open_providers(settings, clock) as providers, open_store(settings, clock) as store:
        request = BackfillRequest(
            symbols=_symbols(args.symbols, providers),
            days=args.days or DEFAULT_DAYS,
            interval=args.interval or DEFAULT_INTERVAL,
            series=frozenset(map(SeriesName, _list(args.series))) or frozenset(SeriesName),
            kept_days=kept_days(settings),
        )
        service = BackfillService(
            [source for provider in providers for source in provider.histories()],
            writer=store.writer,
            reader=store.reader,
            states=store.states,
            now_ms=clock.now_ms,
        )
        line = ProgressLine(sys.stderr, unit="pages", monotonic=clock.monotonic_s)
        try:
            tasks = await service.plan(request)
            reports = await service.run(tasks, stopping=stopping, on_progress=line.show)
        finally:
            line.close()
        told = told_again(store.health.status())
    silent = [provider.name for provider in providers if not provider.histories()]
    sys.stdout.write(
        series_table(reports) + told + "".join(f"{name}: not asked, no key is set\n" for name in silent)
    )
    return _status(stopping, has_failed=any(report.outcome is Outcome.ERROR for report in reports))


def _symbols(text: str, providers: Sequence[HistoryProvider]) -> tuple[Symbol, ...]:
    """Raises: InvalidParameter, UnknownSymbol (no provider lists it)."""
    lists = [provider.known_bases() for provider in providers if provider.histories()]
    # A list that could not be loaded knows nothing: then every well-formed symbol is asked for.
    known = frozenset().union(*lists) if all(lists) else frozenset()
    return tuple(dict.fromkeys(resolve_symbol(part, known) for part in _list(text)))


async def _load_folder(
    args: argparse.Namespace,
    settings: Settings,
    clock: Clock,
    open_store: OpenStore,
    stopping: asyncio.Event,
) -> int:
    coins = None if args.symbols is None else frozenset(parse_symbol(s).base for s in _list(args.symbols))
    line = ProgressLine(sys.stderr, unit="files", monotonic=clock.monotonic_s)
    async with open_store(settings, clock) as store:
        try:
            reports = await import_folder(
                args.folder,
                store.writer,
                coins=coins,
                now_ms=clock.now_ms,
                stopping=stopping,
                on_progress=line.show,
                kept_days=kept_rows_days(settings),
            )
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        finally:
            line.close()
        told = told_again(store.health.status())
    sys.stdout.write(file_table(reports) + told)
    return _status(stopping, has_failed=any(report.error for report in reports))


def _status(stopping: asyncio.Event, *, has_failed: bool) -> int:
    return STOPPED if stopping.is_set() else int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
