"""Prints signals of a few coins at a few moments of the simulated market, the same in every process."""

from __future__ import annotations

import asyncio
import sys

from tests.live_rig import live_rig

COINS = ("BTC", "ETH", "SOL", "DOGE")
STEP_S = 900


async def tell() -> None:
    async with live_rig({"REQUEST_DEADLINE_SECONDS": "30"}) as rig:
        for _ in range(3):
            for coin in COINS:
                for mode in ("conservative", "balanced", "aggressive"):
                    answer = await rig.app.get(f"/signals/{coin}", mode=mode)
                    sys.stdout.write(f"{answer.status_code} {answer.text}\n")
            await rig.app.application.settled()
            rig.advance(STEP_S)


if __name__ == "__main__":
    asyncio.run(tell())
