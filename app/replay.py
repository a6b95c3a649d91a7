"""`python -m app.replay measure`: step market time through data, ask the running API, publish the shares.

Starts the simulator (recorded folder or synthetic world) and the application on loopback in this process,
with one stepped clock between them: market time moves only after an answer, so a slow machine measures the
same. Writes the distribution as JSON and Markdown; every number comes from answers of the API.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import uvicorn

from app.bootstrap import build
from app.core.backtest.distribution import AnsweredStep, build_distribution
from app.core.clock import SteppedClock
from app.core.domain.market import INTERVAL_MS
from app.core.domain.signal import Mode
from app.replay_report import Measurement, render_markdown
from app.settings import SettingsError, load_settings
from app.sim.app import SimConfig, create_simulator
from app.sim.recorded import RecordedSource
from app.sim.world import SyntheticWorld
from app.simulator_child import LUNARCRUSH_PER_MINUTE, provider_settings

SYNTHETIC = "synthetic"
_BAR_WIDTH = 40


async def measure(
    *,
    data: str,
    symbol: str,
    start_ms: int,
    end_ms: int,
    step: str,
    seed: int,
    progress: Callable[[float], None],
) -> Measurement:
    """Ask `/signals/{symbol}` once per step and mode from `start_ms` up to and including `end_ms`.

    Raises:
        ValueError: the window is empty, the folder holds nothing to replay, or nothing was answered.
    """
    if end_ms < start_ms:
        raise ValueError(f"--to ({_iso(end_ms)}) lies before --from ({_iso(start_ms)})")
    clock = SteppedClock(start_ms)
    step_ms = INTERVAL_MS[step]
    steps: list[AnsweredStep] = []
    unanswered: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        url, settled = await stack.enter_async_context(_serve(data, clock, seed))
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=60))
        while clock.now_ms() <= end_ms:
            answer = await _ask(client, symbol, clock.now_ms())
            if isinstance(answer, str):
                unanswered[answer] = unanswered.get(answer, 0) + 1
            else:
                steps.append(answer)
            progress((clock.now_ms() - start_ms) / max(end_ms - start_ms, 1))
            # A call that runs on behind the answer would find its deadline over in one leap.
            await settled()
            clock.advance(step_ms)
    if not steps:
        raise ValueError(f"no step was answered: {unanswered}")
    return Measurement(
        symbol=symbol,
        start_ms=start_ms,
        end_ms=end_ms,
        step=step,
        command=_command(data, symbol, start_ms, end_ms, step, seed),
        distribution=build_distribution(steps),
        unanswered=unanswered,
    )


async def _ask(client: httpx2.AsyncClient, symbol: str, now_ms: int) -> AnsweredStep | str:
    """One step: the same moment in every mode; a problem answers its code."""
    directions: dict[str, str] = {}
    body: dict[str, Any] = {}
    for mode in Mode:
        answer = await client.get(f"/signals/{symbol}", params={"mode": mode.value})
        body = answer.json()
        if answer.status_code != 200:
            return str(body.get("code", answer.status_code))
        directions[mode.value] = body["signal"]
    return AnsweredStep(
        as_of_ms=now_ms,
        score=body["score"],
        coverage=body["coverage"],
        price_usd=body["price"],
        directions=directions,
        missing=tuple(factor["name"] for factor in body["factors"] if factor["status"] != "ok"),
    )


@asynccontextmanager
async def _serve(
    data: str, clock: SteppedClock, seed: int
) -> AsyncIterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """Simulator and application on free loopback ports, sharing `clock`; yields the application's URL, and
    what waits until it asks nobody."""
    source = SyntheticWorld(seed, clock.now_ms) if data == SYNTHETIC else RecordedSource(data, clock.now_ms)
    simulator = create_simulator(
        SimConfig(
            plan="professional", lunarcrush_per_minute=LUNARCRUSH_PER_MINUTE, monotonic_s=clock.monotonic_s
        ),
        source,
    )
    # What is measured is no history: its signals go into a database that goes with them.
    with TemporaryDirectory(prefix="measure-") as folder:
        async with _listening(simulator) as (sim_url, _):
            given = {
                **(
                    {"DATA_MODE": "demo"}
                    if data == SYNTHETIC
                    else {"DATA_MODE": "replay", "REPLAY_DATA": data}
                ),
                "RATE_LIMIT_PER_MINUTE": "1000000000",
                "LOG_LEVEL": "ERROR",
                "PLANNER": "off",  # market time stands still between steps: there is nothing to ask ahead of
                "DATABASE_URL": f"sqlite:///{folder}/signals.db",
                **provider_settings(sim_url),
            }
            application = build(load_settings(given), clock=clock)
            async with _listening(application.api) as (url, _):
                await application.providers_started.wait()
                yield url, application.settled


@asynccontextmanager
async def _listening(app: Any) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.should_exit = True
        await task


def _command(data: str, symbol: str, start_ms: int, end_ms: int, step: str, seed: int) -> str:
    shown = SYNTHETIC if data == SYNTHETIC else "FOLDER"
    tail = f" --seed {seed}" if data == SYNTHETIC else ""
    return (
        f".venv/bin/python -m app.replay measure --data {shown} --symbol {symbol} "
        f"--from {_iso(start_ms)} --to {_iso(end_ms)} --step {step}{tail}"
    )


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _parse_time(text: str) -> int:
    """ISO date or time (UTC unless it says otherwise), or epoch milliseconds."""
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time such as 2026-01-15 or 2026-01-15T12:00Z"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _progress_bar(done_frac: float) -> None:
    if not sys.stderr.isatty():
        return  # in a log a bar that redraws itself is one endless line
    filled = int(_BAR_WIDTH * min(done_frac, 1.0))
    bar = "#" * filled + "." * (_BAR_WIDTH - filled)
    sys.stderr.write(f"\r[{bar}] {done_frac:5.1%}")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.replay", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    measured = commands.add_parser("measure", help="score distribution over a window of market time")
    measured.add_argument("--data", required=True, help=f"folder of recorded data, or '{SYNTHETIC}'")
    measured.add_argument("--symbol", default="BTC")
    measured.add_argument("--from", dest="start_ms", type=_parse_time, required=True, metavar="TIME")
    measured.add_argument("--to", dest="end_ms", type=_parse_time, required=True, metavar="TIME")
    measured.add_argument("--step", choices=sorted(INTERVAL_MS), default="1h")
    measured.add_argument("--seed", type=int, default=7, help="seed of the synthetic world")
    measured.add_argument(
        "--out", type=Path, default=Path("data/measured"), help="folder for JSON and Markdown"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0 on success, 2 when the arguments or settings make no sense."""
    args = _parser().parse_args(argv)
    if args.data != SYNTHETIC and not Path(args.data).is_dir():
        sys.stderr.write(f"no folder named {args.data}\n")
        return 2
    try:
        found = asyncio.run(
            measure(
                data=args.data,
                symbol=args.symbol,
                start_ms=args.start_ms,
                end_ms=args.end_ms,
                step=args.step,
                seed=args.seed,
                progress=_progress_bar,
            )
        )
    except (SettingsError, ValueError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 2
    sys.stderr.write("\n")
    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / f"{args.symbol.lower()}-{'synthetic' if args.data == SYNTHETIC else 'recorded'}"
    stem.with_suffix(".json").write_text(json.dumps(asdict(found), indent=2) + "\n")
    text = render_markdown(found)
    stem.with_suffix(".md").write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
