"""A coin added over HTTP is asked for ahead and streamed without a restart, also where the worker is another
process than the one that was told."""

from __future__ import annotations

import re
from pathlib import Path

from tests.live_rig import LiveApp, live_app
from tests.worker_parts_rig import WorkerRig, worker_rig
from tests.worker_rig import until


async def planned(web: LiveApp) -> set[str]:
    """Coins that the planner keeps warm."""
    rows = (await web.get("/coinglass/status")).json()["resources"]
    named = (
        re.search(r"\bsymbol=([A-Z0-9]+?)(?:USDT)?(?:&|$)", row["params"]) for row in rows if row["watched"]
    )
    return {found[1] for found in named if found is not None}


def is_asked(rig: WorkerRig, coin: str) -> bool:
    rig.clock.advance(1_000)
    return any(call["params"].get("symbol") == coin for call in rig.sim.calls("coinglass"))


async def test_planner_and_stream_follow_the_list_without_a_restart(tmp_path: Path) -> None:
    async with worker_rig(tmp_path) as rig:
        split = {"DATABASE_URL": f"sqlite:///{tmp_path / 'worker.db'}", "SYMBOLS": "BTC"}
        async with live_app(rig.sim, rig.clock, {**split, "PLANNER": "on", "WORKER": "off"}) as web:
            coins = rig.base.watchlist.symbols
            assert coins() == ("BTC",)
            assert "DOGE" not in await planned(web)
            assert not any(shot.price is not None for shot in rig.pipeline.snapshots(["DOGE"]))

            answer = await web.client.post("/api/coins/add", json={"symbol": "dogeusdt"})
            assert (answer.status_code, answer.json()["changed"]) == (200, "DOGE")
            assert await planned(web) >= {"BTC", "DOGE"}  # at once
            await until(lambda: is_asked(rig, "DOGE"))
            await until(lambda: coins() == ("BTC", "DOGE"))
            await rig.subscribed("DOGE")  # prices of it arrive in the other process

            assert (await web.client.patch("/api/coins/DOGE/toggle")).json()["on"] == 1
            assert "DOGE" not in await planned(web)
            assert (await web.client.delete("/api/coins/remove/BTC")).status_code == 200
            assert await planned(web) == set()
            await until(lambda: coins() == ())

        async with live_app(rig.sim, rig.clock, {**split, "PLANNER": "on", "WORKER": "off"}) as again:

            async def is_kept() -> bool:
                items = (await again.get("/api/coins")).json()["items"]
                return [(item["symbol"], item["on"]) for item in items] == [("DOGE", False)]

            await until(is_kept)
