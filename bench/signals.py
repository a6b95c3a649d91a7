"""BENCH signals: what one answer costs, cold, warm and with instant upstreams, against the simulator.

The application runs in this process on one core behind a real uvicorn; simulator and load run on the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn

from app.api.schemas.signal import SignalResponse
from app.bootstrap import Application, build
from app.bootstrap_base import settle_memory
from app.services.transport.http import CallRecord
from app.settings import load_settings
from bench.children import cores, free_port, provider_env, simulator
from bench.report import Figure

COLD_SAMPLES = 7
INSTANT_SAMPLES = 40
LOAD_CLIENTS = 50
LOAD_S = 6.0
LOAD_ROUNDS = 3
UPSTREAM_MS = 200
PATH = "/signals/BTC"
DASHBOARD_PATH = "/coinglass/dashboard/BTC"


@dataclass
class Served:
    """An application behind uvicorn on loopback, with every upstream call it made."""

    app: Application
    url: str
    port: int
    calls: list[CallRecord] = field(default_factory=list)


@asynccontextmanager
async def serve(base: str) -> AsyncIterator[Served]:
    """A fresh application (no cache, no open connection), its providers started, on a free port."""
    port = free_port()
    calls: list[CallRecord] = []
    settings = load_settings({**provider_env(base), "PORT": str(port)})
    app = build(settings, observe_call=calls.append)
    settle_memory()
    config = uvicorn.Config(app.api, port=port, log_level="warning", access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
            await asyncio.sleep(0.01)
        await app.providers_started.wait()
        yield Served(app, f"http://127.0.0.1:{port}", port, calls)
    finally:
        server.should_exit = True
        await task


def _control(base: str, method: str, route: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - loopback only
        f"{base}/__sim__/{route}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback only
        return json.loads(answer.read() or b"null")


@dataclass(frozen=True, slots=True)
class Cold:
    """Cold answers of one path: total over slowest upstream call, upstream calls and size of each."""

    ratios: list[float]
    calls: list[int]
    sizes: list[int]


async def _ask_cold(base: str, path: str, require: Callable[[httpx2.Response], None]) -> Cold:
    """Total time over the slowest upstream call as the client saw it, every upstream 200 ms."""
    found = Cold([], [], [])
    for _ in range(COLD_SAMPLES):
        async with serve(base) as served, httpx2.AsyncClient() as client:
            await client.get(f"{served.url}/health/live")
            _control(base, "PUT", "latency", {"ms": UPSTREAM_MS})
            served.calls.clear()
            begun = time.perf_counter()
            answer = await client.get(served.url + path)
            total_ms = (time.perf_counter() - begun) * 1000
            _control(base, "PUT", "latency", {"ms": 0})
            require(answer)
            found.ratios.append(total_ms / max(call.elapsed_ms for call in served.calls))
            found.calls.append(len(served.calls))
            found.sizes.append(len(answer.content))
    return found


async def _cold(base: str) -> list[Figure]:
    found = await _ask_cold(base, PATH, _require_all_factors)
    ratios, counts = found.ratios, found.calls
    return [
        Figure(
            "signals",
            "cold_ratio",
            statistics.median(ratios),
            "x",
            f"200 ms upstreams, median of {COLD_SAMPLES}, worst {max(ratios):.3f}; aim <= 1.15",
        ),
        Figure("signals", "cold_calls", max(counts), "calls", "upstream calls of one cold answer; aim <= 12"),
    ]


async def _cold_dashboard(base: str) -> list[Figure]:
    found = await _ask_cold(base, DASHBOARD_PATH, _require_all_parts)
    context = f"200 ms upstreams, median of {COLD_SAMPLES}, worst {max(found.ratios):.3f}, "
    context += f"{max(found.calls)} upstream calls; aim <= 1.15"
    size_kb = max(found.sizes) / 1000
    return [
        Figure("signals", "dashboard_cold_ratio", statistics.median(found.ratios), "x", context),
        Figure("signals", "dashboard_kb", size_kb, "kB", "largest cold answer; aim <= 20"),
    ]


def _require_all_parts(answer: httpx2.Response) -> None:
    if answer.status_code != 200 or answer.json()["missing"]:
        raise RuntimeError(f"not a complete answer: {answer.status_code} {answer.text[:500]}")


def _require_all_factors(answer: httpx2.Response) -> None:
    """A fast answer that misses inputs is not the answer being measured."""
    states = [factor["status"] for factor in answer.json()["factors"]]
    if answer.status_code != 200 or states != ["ok"] * 8:
        raise RuntimeError(f"not a complete answer: {answer.status_code} {states}")


async def _instant(base: str) -> list[Figure]:
    """0 ms upstreams: the price is asked anew each time, histories once per closed bar."""
    times_ms: list[float] = []
    async with serve(base) as served, httpx2.AsyncClient() as client:
        _require_all_factors(await client.get(served.url + PATH))
        served.calls.clear()
        for _ in range(INSTANT_SAMPLES):
            await asyncio.sleep(1.05)  # past the one second for which an answer or a price is reused
            begun = time.perf_counter()
            answer = await client.get(served.url + PATH)
            times_ms.append((time.perf_counter() - begun) * 1000)
            _require_all_factors(answer)
        fetched = len(served.calls) / INSTANT_SAMPLES
    worst = max(times_ms)
    return [
        Figure(
            "signals",
            "zero_latency_p50_ms",
            statistics.median(times_ms),
            "ms",
            f"{INSTANT_SAMPLES} answers, {fetched:.1f} upstream calls each, worst {worst:.1f}; aim <= 20",
        ),
    ]


async def _coalesced(base: str) -> list[Figure]:
    """50 concurrent cold requests make one set of upstream calls."""
    async with serve(base) as served, httpx2.AsyncClient(limits=httpx2.Limits(max_connections=60)) as client:
        _control(base, "POST", "reset")
        _control(base, "PUT", "latency", {"ms": UPSTREAM_MS})
        answers = await asyncio.gather(*(client.get(served.url + PATH) for _ in range(LOAD_CLIENTS)))
        _control(base, "PUT", "latency", {"ms": 0})
        for answer in answers:
            _require_all_factors(answer)
    calls = _control(base, "GET", "calls")["calls"]
    distinct = {
        (call["provider"], call["path"], json.dumps(call["params"], sort_keys=True)) for call in calls
    }
    return [
        Figure(
            "signals",
            "calls_per_resource",
            len(calls) / len(distinct),
            "x",
            f"{LOAD_CLIENTS} concurrent cold requests, {len(calls)} upstream calls; aim 1.0",
        )
    ]


async def _load(port: int, path: str, core: int) -> float:
    url, clients = f"http://127.0.0.1:{port}", str(LOAD_CLIENTS)
    args = ("--url", url, "--path", path, "--clients", clients, "--seconds", str(LOAD_S), "--core", str(core))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", *args, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    (phase,) = json.loads(out)["phases"]
    if set(phase["statuses"]) != {"200"} or phase["lost"]:
        raise RuntimeError(f"not every answer of {path} was 200: {phase['statuses']}, {phase['lost']} lost")
    return float(phase["admitted"]["perS"])


async def _warm(base: str, other_core: int) -> list[Figure]:
    """Requests per second of a warm answer over an equal route with a constant model, rounds interleaved."""
    ratios: list[float] = []
    rates: list[tuple[float, float]] = []
    async with serve(base) as served, httpx2.AsyncClient() as client:
        sample = SignalResponse.model_validate_json((await client.get(served.url + PATH)).content)

        async def constant() -> Any:
            return sample

        served.app.api.add_api_route("/__bench__/constant", constant, response_model=SignalResponse)
        size = len((await client.get(served.url + "/__bench__/constant")).content)
        for _ in range(LOAD_ROUNDS):
            fixed = await _load(served.port, "/__bench__/constant", other_core)
            warm = await _load(served.port, PATH, other_core)
            ratios.append(warm / fixed)
            rates.append((warm, fixed))
    warm, fixed = rates[len(rates) // 2]
    return [
        Figure(
            "signals",
            "warm_vs_constant",
            statistics.median(ratios),
            "x",
            f"{LOAD_CLIENTS} clients, {size} B, {warm:.0f} vs {fixed:.0f} req/s; aim >= 0.7",
        )
    ]


async def _all(other_core: int) -> list[Figure]:
    plan = ("--plan", "professional")
    with simulator(*plan, core=other_core) as base:
        figures = await _cold(base)
        _control(base, "POST", "reset")
        figures += await _cold_dashboard(base)
        _control(base, "POST", "reset")
        figures += await _instant(base)
        _control(base, "POST", "reset")
        figures += await _coalesced(base)
        _control(base, "POST", "reset")
        figures += await _warm(base, other_core)
    return figures


def run() -> list[Figure]:
    """All figures of this benchmark, app and load pinned apart."""
    server_core, other_core = cores()
    os.sched_setaffinity(0, {server_core})
    try:
        return asyncio.run(_all(other_core))
    finally:
        os.sched_setaffinity(0, {server_core, other_core})
