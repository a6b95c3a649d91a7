"""`python -m app.worker`: streams, analyses and alerts beside the web process, or as one of several roles.

Parses flags, starts the simulator a demo or replay needs, runs until told to stop. Composition is
`app.bootstrap_stream`'s. SIGTERM ends it within ten seconds with everything stored; a kill costs at most the
rows that were not written yet.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from app.bootstrap_base import Base, accepted_keys, build_base, settle_memory
from app.bootstrap_stream import Role, StreamProcess, build_stream
from app.bootstrap_use_cases import build_use_cases
from app.core.clock import Clock
from app.core.errors import ConfigurationError
from app.data_modes import prepare
from app.listening import listen
from app.settings import Settings, SettingsError, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped; 2 when a setting makes no sense (the message names it)."""
    args = _parser().parse_args(argv)
    try:
        settings = load_settings(data_mode=args.data_mode)
        with ExitStack() as stack:
            clock, settings = prepare(settings, stack)
            asyncio.run(run(settings, clock, Role(args.role), _listener(settings, stack)))
    except (SettingsError, ConfigurationError) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 2
    return 0


def _listener(settings: Settings, stack: ExitStack) -> socket.socket | None:
    """Where METRICS_PORT says, taken before anything is begun; None without it."""
    if settings.metrics_port is None:
        return None
    listener = listen(settings.metrics_host, settings.metrics_port, settings="METRICS_")
    return stack.enter_context(listener)


async def run(settings: Settings, clock: Clock, role: Role, listener: socket.socket | None) -> None:
    """One worker until SIGTERM or SIGINT. listener: of its door, None without one.

    Raises:
        SettingsError, ConfigurationError: a file or a setting makes no sense.
    """
    base = build_base(settings, clock=clock, plans_ahead=False)
    use_cases = build_use_cases(base)
    process = build_stream(base, use_cases, role)
    if listener is not None:
        _open_door(listener, base, process, role)
    settle_memory()
    running = asyncio.ensure_future(_ready(process, role))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    async with base.running(), use_cases.running():
        with suppress(asyncio.CancelledError):
            await running


def _open_door(listener: socket.socket, base: Base, process: StreamProcess, role: Role) -> None:
    """Beside the loops of the ground: up before the past is restored, and until the stream has ended."""
    from app.worker_door import DoorParts, WorkerDoor  # its server weighs something, and few ask for it

    keys = accepted_keys(base.settings)
    settings = base.settings
    is_open = not keys and settings.dashboard_token is None and settings.env != "prod"
    parts = DoorParts(role, base.metrics.metrics_text, process.health, keys, is_open, base.metrics.http)
    base.stages[0].add("door", WorkerDoor(listener, parts).run)


async def _ready(process: StreamProcess, role: Role) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(process.run())
        await process.worker.ready.wait()
        sys.stdout.write(f"worker ready: {role}\n")
        sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.worker", description="Stream, analyse and alert.")
    parser.add_argument(
        "--role",
        choices=[role.value for role in Role],
        default=Role.ALL.value,
        help="all in one process (default), or one part of several that meet over Redis",
    )
    parser.add_argument(
        "--demo", dest="data_mode", action="store_const", const="demo", help="with a simulator of its own"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
