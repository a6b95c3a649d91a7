"""`python -m app.worker` with METRICS_PORT: a real door on the loop of a real worker."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2

from tests.live_rig import closed_port
from tests.worker_rig import Child, until, upstream

READ, ADMIN = "wdreader-5Vb9Xk27qLw4", "wdowner-8Hd4Xc52kUj7"


async def test_it_shows_figures_and_state_to_the_operator_and_ends_with_the_worker(tmp_path: Path) -> None:
    port = closed_port()
    door = {"METRICS_PORT": str(port), "API_KEYS": f"reader:{READ}:read,owner:{ADMIN}:admin"}
    async with (
        upstream(tmp_path, f"sqlite:///{tmp_path / 'signals.db'}", **door) as around,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        worker = await around.start()
        taken = await Child.start("app.worker", (), around.settings, tmp_path)
        assert (await client.get("/health/live")).status_code == 200
        for key, status in ((None, 401), (READ, 403)):
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            assert (await client.get("/metrics", headers=headers)).status_code == status
        client.headers["Authorization"] = f"Bearer {ADMIN}"

        async def is_ready() -> bool:
            return (await client.get("/health/ready")).status_code == 200

        await until(is_ready, why=worker.log)
        around.cascade("UNI")

        async def is_told() -> bool:
            text = (await client.get("/metrics")).text
            return 'deliveries_total{outcome="sent",scheme="telegram"} 3.0' in text

        await until(is_told, why=worker.log)
        text = (await client.get("/metrics")).text
        assert 'alerts_total{fate="kept"} 1.0' in text
        assert 'stream_link_up{source="' in text
        assert READ not in text
        assert ADMIN not in text

        # The port is taken: refused at once, in one line, and the other goes on.
        async with asyncio.timeout(30):
            assert await taken.process.wait() == 2
        said = taken.log().splitlines()
        assert len(said) == 1
        assert said[0].startswith(f"cannot start: METRICS_HOST=127.0.0.1 METRICS_PORT={port}: cannot listen")
        assert await is_ready()
        # With a connection of ours still open.
        status, took_s = await worker.stop()
        assert (status, took_s <= 10) == (0, True)
        assert "Traceback" not in worker.log()
