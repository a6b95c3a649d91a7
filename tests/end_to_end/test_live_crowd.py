"""Two hundred clients of one process: all are told, and what they cost does not grow with the telling."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from tests.live_process import Service, running
from tests.web_sockets_rig import HELLO, WAIT_S, socket_url

CLIENTS = 200
PER_ADDRESS = 20
WARM, MEASURED = 10, 30
# Two hundred clients that each kept what they were told would hold ten times as much.
MOST_GROWTH_MB = 12.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running("--demo", folder=tmp_path) as found:
        yield found


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


async def hear(client: ClientConnection, wanted: int) -> None:
    """`wanted` messages that tell something."""
    while wanted:
        async with asyncio.timeout(WAIT_S):
            message = json.loads(await client.recv())
        wanted -= message["type"] != "beat"


async def test_two_hundred_clients_are_all_told_in_flat_memory(service: Service) -> None:
    async with AsyncExitStack() as stack:
        clients = []
        for number in range(CLIENTS):
            address = f"127.0.1.{1 + number // PER_ADDRESS}"
            opening = connect(
                socket_url(service.url),
                origin=Origin("http://localhost"),
                local_addr=(address, 0),
                compression=None,
                open_timeout=WAIT_S,
            )
            clients.append(await stack.enter_async_context(opening))
        for client in clients:
            await client.send(json.dumps(HELLO))
        await asyncio.gather(*(hear(client, WARM) for client in clients))
        before_mb = resident_mb(service.process.pid)
        await asyncio.gather(*(hear(client, MEASURED) for client in clients))
        growth_mb = resident_mb(service.process.pid) - before_mb
        assert 'live_clients{kind="ws"} 200.0' in service.get("/metrics").text
        assert growth_mb < MOST_GROWTH_MB
