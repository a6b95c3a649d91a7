"""`python -m bench.scale_demo`: every role of the service as processes of their own on loopback, and the
proof that they share quota, cache, stream and outbox.

Starts Redis, PostgreSQL, the simulator, two web processes, one ingest, two detect and one deliver; prints
what they did in tables and ends with a PASS or FAIL line for each promise. Exit status 0 when all passed, 1
when one did not, 2 when something is missing here. It lives beside the benchmarks because it needs what only
a developer's machine has: the PostgreSQL wheel and redis-server. Started by `make scale-demo`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2

from app.services.transport.connection import tls_context
from bench.scale_acts import exchange_webs, share_cache, share_outbox, share_quota, share_stream
from bench.scale_stack import DemoFailed, Stack, missing_parts
from bench.scale_stage import Stage
from bench.scale_verdicts import Verdict, judge_end

# The smallest plan with a stream.
PLAN = "standard"
ACTS: tuple[Callable[[Stage], Awaitable[Verdict]], ...] = (
    share_cache,
    share_stream,
    share_outbox,
    share_quota,
    exchange_webs,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit status."""
    args = _parser().parse_args(argv)
    lacking = missing_parts()
    if lacking:
        sys.stderr.write(f"the scale demo needs {' and '.join(lacking)}\n")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    verdicts: list[Verdict] = []
    try:
        with tempfile.TemporaryDirectory(prefix="scale-demo-") as folder:
            stack = Stack(Path(folder), PLAN)
            try:
                with stack:
                    asyncio.run(_play(stack, args, verdicts))
            finally:
                verdicts.append(_ended(stack))
    except (DemoFailed, TimeoutError) as error:
        sys.stderr.write(f"the scale demo failed: {error}\n")
        return 1
    except KeyboardInterrupt:
        _say(f"\nstopped; {verdicts[-1].detail}")
        return 130
    _say("")
    for verdict in verdicts:
        _say(verdict.line())
    return 0 if all(verdict.passed for verdict in verdicts) else 1


async def _play(stack: Stack, args: argparse.Namespace, verdicts: list[Verdict]) -> None:
    begun_s = time.monotonic()
    await stack.start()
    limits = httpx2.Limits(max_connections=400)
    async with httpx2.AsyncClient(verify=tls_context(), timeout=60, limits=limits) as client:
        stage = Stage(stack, client, _say, args.events)
        known = (await stage.simulator("state"))["coins"]
        stage.coins = tuple(coin for coin in known if coin != "BTC")[: args.coins]
        _show_processes(stack)
        for act in ACTS:
            verdict = await act(stage)
            verdicts.append(verdict)
    _say(f"\n{time.monotonic() - begun_s:.0f} s in all, start included")
    if args.seconds:
        await _stay(stack, args.seconds)


def _show_processes(stack: Stack) -> None:
    _say(f"PROCESSES  ready after {stack.started_s:.1f} s")
    for name, member in stack.members.items():
        _say(f"  {name:<12} {member.pid:>8}  {member.url if member.port else ''}".rstrip())


async def _stay(stack: Stack, seconds: float) -> None:
    await stack.restart("web-2")
    _say(f"\nrunning for {seconds:.0f} s more; Ctrl-C ends it")
    for web in stack.webs:
        _say(f"  {web.name}  {web.url}/dashboard/  {web.url}/stream/status  {web.url}/metrics")
    _say(f"  simulator  {stack.simulator}/__sim__/calls  {stack.simulator}/__sim__/telegram/messages")
    await asyncio.sleep(seconds)


def _ended(stack: Stack) -> Verdict:
    """After the end of all."""
    return judge_end(
        listening=[port for port in stack.ports() if port and _listens(port)],
        left=[pid for pid in stack.pids() if Path(f"/proc/{pid}").exists()],
    )


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scale_demo", description="Show processes sharing.")
    parser.add_argument("--seconds", type=float, default=0.0, help="keep it running so long for looking")
    parser.add_argument("--coins", type=int, default=60, help="coins that are asked about")
    parser.add_argument("--events", type=int, default=2_000, help="streamed events of each of three waves")
    return parser


if __name__ == "__main__":
    sys.exit(main())
