"""What other systems hear of the same alert: a signed webhook, the Redis channel; and signals on theirs."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.core.alerting.codec import decode_alert
from app.core.domain.signal import Mode
from tests.live_rig import listening
from tests.services.transport.conftest import RedisServer, redis_process
from tests.stream_rig import until
from tests.worker_parts_rig import liquidation, worker_rig

__all__ = ["redis_process"]

SECRET = "canary-Vr5tLw9pQxKb3Nm7"
PREFIX = "signals:demo:"


@dataclass
class Receiver:
    """Another system: checks the signature as docs/alerts.md says, before it reads the body."""

    alerts: list[tuple[str, str, bytes]] = field(default_factory=list)
    refused: int = 0

    async def take(self, request: Request) -> Response:
        raw_body = await request.body()
        expected = "sha256=" + hmac.new(SECRET.encode(), raw_body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers["X-Signature"]):
            self.refused += 1
            return Response(status_code=401)
        names = request.headers["X-Alert-Id"], request.headers["X-Alert-Revision"]
        self.alerts.append((*names, raw_body))
        return Response(status_code=204)


@asynccontextmanager
async def listening_to(server: RedisServer, *names: str) -> AsyncIterator[dict[str, list[bytes]]]:
    """What is published on these channels meanwhile."""
    heard: dict[str, list[bytes]] = {name: [] for name in names}

    async def listen(channel: Any) -> None:
        async for item in channel.listen():
            if item["type"] == "message":
                heard[item["channel"].decode()].append(item["data"])

    async with Redis.from_url(server.url) as redis, redis.pubsub() as channel:
        await channel.subscribe(*names)
        task = asyncio.create_task(listen(channel))
        try:
            yield heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_every_system_gets_the_same_alert_and_every_signal_is_published(
    tmp_path: Path, redis_process: RedisServer
) -> None:
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])
    alerts, signals = f"{PREFIX}alerts", f"{PREFIX}signals"
    async with listening(app) as url, listening_to(redis_process, alerts, signals) as heard:
        settings = {"ALERT_WEBHOOK_URL": f"{url}/hook", "ALERT_WEBHOOK_SECRET": SECRET}
        settings |= {"REDIS_URL": redis_process.url, "ALERT_CHANNELS": "on"}
        async with worker_rig(tmp_path, settings) as rig:
            for step in range(6):
                await rig.play(liquidation("SOL", "short", 500_000.0, 150.0 + step))
            await rig.delivered()
            signal = (await rig.use_cases.api.signals.signal("BTC", Mode.BALANCED)).signal
            await until(lambda: heard[signals])
            (stored,) = await rig.alerts()
            assert rig.sends == 1

    newest = [
        max(group, key=lambda body: json.loads(body)["revision"])
        for group in (_bodies(receiver), heard[alerts])
    ]
    assert [decode_alert(body.decode()) for body in newest] == [stored.alert] * 2
    assert (stored.alert.usd, stored.alert.symbol) == (3_000_000.0, "SOL")
    assert receiver.refused == 0
    for alert_id, revision, body in receiver.alerts:
        told = json.loads(body)
        assert (told["id"], str(told["revision"])) == (alert_id, revision)
    revisions = [json.loads(body)["revision"] for body in heard[alerts]]
    assert revisions == sorted(set(revisions))

    (published,) = heard[signals]
    told = json.loads(published)
    assert (told["symbol"], told["direction"], told["score"]) == ("BTC", signal.direction, signal.score)


def _bodies(receiver: Receiver) -> list[bytes]:
    return [body for _, _, body in receiver.alerts]
