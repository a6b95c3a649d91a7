"""BENCH live: 200 WebSocket clients of one web process, sixty updates a second, memory and delivery times."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import AsyncExitStack

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from bench.children import child, cores, free_port, provider_env, simulator, wait_until_answers
from bench.report import Figure
from bench.start import resident_mb

CLIENTS = 200
PER_ADDRESS = 20
WARM_S = 15.0
MEASURED_S = 45.0
_MADE = re.compile(r'"madeS": ([0-9.]+)')


def run() -> list[Figure]:
    """ws_clients: told to the end; rss_growth_mb: of the process, after a warm-up; delivery_p99_ms: from the
    newest update in a message to its arrival, without what waits for the pace; updates_per_s: per client."""
    server_core, other_core = cores()
    port = free_port()
    with simulator(core=other_core) as base:
        env = {**provider_env(base), "PORT": str(port), "HOST": "127.0.0.1", "WORKER": "embedded"}
        with child("bench.live_server", env=env, core=server_core) as process:
            wait_until_answers(f"http://127.0.0.1:{port}/health/ready", 60)
            crowd = Crowd(port, process.pid)
            asyncio.run(crowd.run())
    late_ms = sorted(crowd.late_ms)
    told = [count for count in crowd.counts if count > MEASURED_S]
    context = f"{CLIENTS} clients, 60 updates/s at the default pace of 4 deltas/s, {MEASURED_S:.0f} s"
    return [
        Figure("live", "ws_clients", len(told), "clients", f"told to the end; {context}"),
        Figure("live", "rss_growth_mb", crowd.growth_mb, "MB", f"after {WARM_S:.0f} s; aim <= 5; {context}"),
        Figure("live", "delivery_p99_ms", late_ms[int(0.99 * len(late_ms))], "ms", context),
        Figure("live", "delivery_p50_ms", late_ms[len(late_ms) // 2], "ms", context),
        Figure("live", "updates_per_s", sum(told) / len(told) / MEASURED_S, "1/s", f"each; {context}"),
        Figure("live", "rss_mb", crowd.rss_mb, "MB", context),
    ]


class Crowd:
    """All clients, in one loop beside the server."""

    def __init__(self, port: int, pid: int) -> None:
        self._url, self._pid = f"ws://127.0.0.1:{port}/ws", pid
        self.late_ms: list[float] = []
        self.counts = [0] * CLIENTS
        self.growth_mb = self.rss_mb = 0.0
        self._measures = False

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(self._client(number)) for number in range(CLIENTS)]
            listening = [asyncio.create_task(self._listen(n, client)) for n, client in enumerate(clients)]
            await asyncio.sleep(WARM_S)
            before_mb, self._measures = resident_mb(self._pid), True
            await asyncio.sleep(MEASURED_S)
            self._measures = False
            self.rss_mb = resident_mb(self._pid)
            self.growth_mb = self.rss_mb - before_mb
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)

    def _client(self, number: int) -> connect:
        """Each twenty from a loopback address of their own: that is how many one may have."""
        address = f"127.0.1.{1 + number // PER_ADDRESS}"
        return connect(
            self._url, origin=Origin("http://localhost"), local_addr=(address, 0), compression=None
        )

    async def _listen(self, number: int, client: ClientConnection) -> None:
        await client.send(json.dumps({"type": "hello", "token": None, "resume": None}))
        async for message in client:
            found = _MADE.search(str(message))
            if self._measures and found is not None:
                self.counts[number] += 1
                self.late_ms.append(1000 * (time.monotonic() - float(found[1])))
