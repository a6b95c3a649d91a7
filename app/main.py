"""The web process: `python -m app.main [--demo | --replay]`.

Reads the settings, starts the simulator beside it in demo and replay, serves until told to stop. Composition
is `app.bootstrap`'s.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from app.api.page_policies import DASHBOARD_PATH
from app.bootstrap import Application, build
from app.bootstrap_base import settle_memory
from app.core.errors import ConfigurationError
from app.data_modes import prepare
from app.listening import listen
from app.settings import Settings, SettingsError, load_settings
from app.web_server import web_server

_NO_DASHBOARD = "dashboard: not built: `make web` builds it (Node 20.19 or newer and npm)"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until stopped; 2 when a setting makes no sense (the message names it)."""
    args = _parser().parse_args(argv)
    try:
        settings = load_settings(data_mode=args.data_mode)
        with ExitStack() as stack:
            clock, settings = prepare(settings, stack)
            listener = stack.enter_context(listen(settings.host, settings.port))
            if settings.data_mode == "demo" and settings.runs_worker_embedded():
                from app.demo_past import fill_past_day  # the market's own arithmetic, for nothing else

                fill_past_day(settings, clock)
            application = build(settings, clock=clock)
            sys.stdout.write(_what_to_open(settings, has_dashboard=application.has_dashboard))
            sys.stdout.flush()
            settle_memory()
            _serve(application, listener, is_behind_proxy=settings.trusted_proxy_hops > 0)
    except (SettingsError, ConfigurationError) as error:
        sys.stderr.write(f"cannot start: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.main", description="Serve crypto-futures signals.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--demo", dest="data_mode", action="store_const", const="demo", help="with the bundled simulator"
    )
    mode.add_argument(
        "--replay",
        dest="data_mode",
        action="store_const",
        const="replay",
        help="on recorded data (REPLAY_DATA)",
    )
    return parser


def _serve(application: Application, listener: socket.socket, *, is_behind_proxy: bool) -> None:
    # uvicorn stops gracefully and then raises the signal again: being told to stop is not a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    web_server(
        application.api,
        close_listeners=application.live.close,
        admission=application.admission,
        refusals=application.refusals,
        is_behind_proxy=is_behind_proxy,
    ).run(sockets=[listener])


def _what_to_open(settings: Settings, *, has_dashboard: bool) -> str:
    everywhere = {"127.0.0.1", "0.0.0.0", "::", "::1"}  # noqa: S104 - compared, not bound
    host = "localhost" if settings.host in everywhere else settings.host
    base = f"http://{host}:{settings.port}"
    lines = [
        f"data mode: {settings.data_mode}",
        f"dashboard: {base}{DASHBOARD_PATH}" if has_dashboard else _NO_DASHBOARD,
        f"signal:    {base}/signals/BTC?debug=true",
        f"market:    {base}/market/BTC",
        f"alerts:    {base}/api/alerts",
        f"stream:    {base}/stream/status",
        f"health:    {base}/health/ready",
        f"docs:      {base}/docs",
    ]
    if settings.data_mode == "demo":
        # The simulator's own door: what Telegram would show, and where scripted events go in.
        simulator = settings.telegram_base_url.removesuffix("/telegram")
        lines += [
            f"messages:  {simulator}/__sim__/telegram/messages",
            f"events:    POST {simulator}/__sim__/events (docs/streaming.md)",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
