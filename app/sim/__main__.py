"""`python -m app.sim`: the simulator as a process of its own, for the demo, replays, benches and chaos runs.

Prints one line, `simulator ready http://HOST:PORT`, when it listens. Bad arguments end it with status 2.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import socket
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from app.sim.app import SimConfig, create_simulator
from app.sim.coinglass_plans import PLANS
from app.sim.faults import Fault, parse_faults
from app.sim.market import MarketSource


class _Announcing(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, url: str, market: MarketSource) -> None:
        super().__init__(config)
        self._url = url
        self._market = market
        self._warming: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"simulator ready {self._url}\n")
            sys.stdout.flush()
            self._warming = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        """Touch every coin once, so that the first list over all coins does not hold up other answers."""
        for coin in self._market.coins():
            self._market.last_price(coin.base)
            await asyncio.sleep(0.002)  # a made coin costs about 20 ms: let calls in between


class _NoDropNoise(logging.Filter):
    """Cut connections are this server's job, so uvicorn's report of each one is dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "returned without" not in record.getMessage()


def _parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app.sim", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100, help="0 takes a free port")
    parser.add_argument("--source", default="synthetic", help="synthetic, or a folder of recorded data")
    parser.add_argument("--plan", default="standard", choices=PLANS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--faults", type=Path, help="JSON list of faults")
    parser.add_argument("--speed", type=float, default=1.0, help="market seconds per second")
    parser.add_argument("--start", type=_moment_ms, help="market time at start, ISO-8601 or epoch ms")
    parser.add_argument("--anchor", type=float, help="monotonic second that --start belongs to")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--lunarcrush-per-minute", type=int, default=10)
    parser.add_argument("--ws-text-numbers", action="store_true", help="streams send numbers as text")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin is closed")
    return parser.parse_args(argv)


def _moment_ms(text: str) -> int:
    """Epoch ms out of digits or ISO-8601; a time without a zone is UTC."""
    if text.isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _read_faults(path: Path | None) -> tuple[Fault, ...]:
    # Their time is set when they are installed.
    return tuple(parse_faults(json.loads(path.read_text()), now_ms=0)) if path else ()


def _end_with_stdin(server: uvicorn.Server) -> None:
    """Stop the server when the parent's end of stdin closes: no orphan survives its parent."""

    def watch() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()


def main(argv: list[str] | None = None) -> int:
    """Run until interrupted; returns the exit status."""
    args = _parse_args(argv)
    try:
        config = SimConfig(
            source=args.source,
            plan=args.plan,
            seed=args.seed,
            speed=args.speed,
            start_ms=args.start,
            anchor_s=args.anchor,
            latency_ms=args.latency_ms,
            faults=_read_faults(args.faults),
            lunarcrush_per_minute=args.lunarcrush_per_minute,
            ws_text_numbers=args.ws_text_numbers,
        )
        app = create_simulator(config)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    listener = socket.create_server((args.host, args.port))
    url = f"http://{args.host}:{listener.getsockname()[1]}"
    logging.getLogger("uvicorn.error").addFilter(_NoDropNoise())
    # Protocol pings off: streams keep alive by the providers' own ping and pong words.
    server = _Announcing(
        uvicorn.Config(app, log_level="warning", access_log=False, ws_ping_interval=None, lifespan="off"),
        url,
        app.state.simulator.market,
    )
    if args.exit_with_parent:
        _end_with_stdin(server)
    server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
