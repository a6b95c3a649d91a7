"""The acts of the scale demo: each asks the running processes, prints what came and judges it.

One function per promise: shared cache, shared stream, one outbox, one quota, exchangeable web processes.
Called by `scale_demo` in this order; the quota is spent near the end, because nobody gets calls after that.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import httpx2

from app.core.domain.partition import Partitioning
from app.sim.coinglass_plans import CALLS_PER_MINUTE
from bench.scale_stack import DemoFailed, Member
from bench.scale_stage import PATIENCE_S, Stage, until
from bench.scale_verdicts import (
    Call,
    Verdict,
    calls_about,
    is_shared,
    judge_cache,
    judge_outbox,
    judge_quota,
    judge_stream,
    judge_web,
    per_resource,
)

PARTITIONS = len(Partitioning().all)
WAVE_S = 2.0
# Signals do without CoinGlass where the plan is spent; the others say so.
COLD_PATHS = (
    "/signals/{}",
    "/coinglass/dashboard/{}",
    "/coinglass/markets/{}",
    "/coinglass/open-interest/{}",
    "/coinglass/long-short-ratio/{}",
    "/coinglass/liquidations/{}",
    "/coinglass/funding-rate/{}",
    "/coinglass/perpetual-market/{}",
    "/coinglass/liquidations/{}/heatmap",
    "/smc/{}",
)
_HOUR_S = 3_600


async def share_cache(stage: Stage) -> Verdict:
    """Cold questions at both web processes at once; then a question at one and again at the other."""
    many, one = stage.coins[:4], stage.coins[4]
    before = len(await stage.calls())
    asked = [(web, coin) for coin in many for web in stage.stack.webs for _ in range(5)]
    answers = await asyncio.gather(*(stage.get(web, f"/signals/{coin}") for web, coin in asked))
    together = per_resource(calls_about(await stage.calls(before), many))
    told, counts = [], []
    for web in stage.stack.webs:
        begun = len(await stage.calls())
        answer = await stage.get(web, f"/signals/{one}", debug="true")
        counts.append(len(calls_about(await stage.calls(begun), [one])))
        inputs = answer.json()["debug"]["inputs"]
        told.append({item["input"]: item["asOf"] for item in inputs if item["asOf"] is not None})
    stage.table(
        f"CACHE  {len(asked)} cold questions about {', '.join(many)} at two web processes at once",
        [
            ("answered", sum(answer.status_code == 200 for answer in answers)),
            ("upstream calls, distinct resources", f"{sum(together.values())}, {len(together)}"),
            (f"{one} at web-1 first: upstream calls", counts[0]),
            (f"{one} at web-2 then: upstream calls", counts[1]),
            (
                "inputs whose time both tell the same",
                sum(told[0][name] == told[1].get(name) for name in told[0]),
            ),
        ],
    )
    return judge_cache(together, further=counts[1], first=told[0], second=told[1])


async def share_stream(stage: Stage) -> Verdict:
    """Waves of events while one of two detect processes is killed and comes back."""
    both = ("detect-1", "detect-2")
    await until(lambda: _is_shared(stage, both))
    await _wave(stage)
    shares: list[tuple[str, object]] = [(f"{name} holds partitions", _numbers(stage, name)) for name in both]
    await _is_stored_in_time(stage)
    analysed = await _analysed(stage)

    stage.stack.members["detect-1"].kill()
    killed_s = time.monotonic()
    await _wave(stage)
    moved = await until(lambda: _is_shared(stage, both[1:]))
    moved_s = None if moved is None else time.monotonic() - killed_s
    await _is_stored_in_time(stage)
    await stage.stack.restart("detect-1")
    again_s = await until(lambda: _is_shared(stage, both))
    await _wave(stage)
    stored = await _is_stored_in_time(stage)
    same = await until(lambda: _are_sums_the_truth(stage)) is not None
    sockets = [
        call for call in await stage.calls() if call["endpoint"] == "ws" and call["provider"] == "coinglass"
    ]
    stage.table(
        f"STREAM  {stage.sent} liquidations of {len(stage.streamed)} coins in three waves; "
        "detect-1 killed after the first",
        [
            ("upstream sockets opened in the whole run", len(sockets)),
            *shares,
            ("first wave: sent, analysed", f"{stage.sent // 3}, {analysed}"),
            ("after kill -9: detect-2 has all in", "never" if moved_s is None else f"{moved_s:.1f} s"),
            ("after its return shared again in", "never" if again_s is None else f"{again_s:.1f} s"),
            *((f"{name} holds partitions", _numbers(stage, name)) for name in both),
            ("events sent, stored", f"{stage.sent}, {stored}"),
            ("sums of an hour at both web processes", "as sent" if same else "NOT as sent"),
        ],
    )
    return judge_stream(
        sockets=len(sockets),
        sent=stage.sent,
        stored=stored,
        moved_s=moved_s,
        shared_again_s=again_s,
        same=same,
    )


async def share_outbox(stage: Stage) -> Verdict:
    """One cascade while two deliver processes look for work, and both live feeds listen."""
    await stage.stack.add_deliver()
    coin = "CASC"  # listed nowhere, so that nothing else speaks of it
    webs = stage.stack.webs
    ears = [asyncio.create_task(_hears(stage, web, f'"symbol":"{coin}"')) for web in webs]
    await asyncio.sleep(0.5)
    await stage.stream([_row(coin, "long", 60_000, number, in_ms=50 * number) for number in range(5)])

    async def is_told() -> bool:
        return bool(await _messages(stage, coin))

    told_s = await until(is_told)
    heard = [await ear for ear in ears]
    await asyncio.sleep(2.0)  # for a second message that must not come
    messages = await _messages(stage, coin)
    lists = [(await stage.get(web, "/api/alerts")).json()["items"] for web in webs]
    listed = sum(any(item["symbol"] == coin for item in items) for items in lists)
    rows = stage.rows_of(
        "SELECT state, sent_revision FROM outbox JOIN alert_history ON alert_history.id = outbox.alert_id "
        "WHERE symbol = 'CASC'"
    )
    stage.table(
        f"OUTBOX  a cascade of 5 longs of {coin}, with deliver-1 and deliver-2",
        [
            ("first Telegram message after", "never" if told_s is None else f"{told_s:.1f} s"),
            ("messages of that coin in the chat", len(messages)),
            ("its rows in the outbox (state, revision sent)", ", ".join(map("/".join, rows)) or "none"),
            ("live feeds that told it", f"{sum(heard)} of 2"),
            ("web processes that list it", f"{listed} of 2"),
        ],
    )
    return judge_outbox(messages=len(messages), stored=len(rows), feeds=sum(heard), listed=listed, delivers=2)


async def share_quota(stage: Stage) -> Verdict:
    """More cold questions than the plan has calls, in rounds, half of each at either web process."""
    coins = stage.coins[5:]
    limit = CALLS_PER_MINUTE[stage.stack.plan]
    answers: list[httpx2.Response] = []
    before = len(await stage.calls())
    begun_s = time.monotonic()
    for path in COLD_PATHS:
        if len(_metered(await stage.calls())) >= limit:
            break  # the plan is spent
        asked = ((stage.stack.webs[number % 2], path.format(coin)) for number, coin in enumerate(coins))
        answers += await asyncio.gather(*(stage.get(web, path) for web, path in asked))
    took_s = time.monotonic() - begun_s
    states = Counter(answer.status_code for answer in answers)
    signals = Counter(answer.status_code for answer in answers if "/signals/" in str(answer.url))
    calls = await stage.calls()
    own = _metered(calls)
    stage.table(
        f"QUOTA  {len(answers)} cold questions about {len(coins)} coins, {limit} calls a minute",
        [
            ("all told after", f"{took_s:.1f} s"),
            ("by status", ", ".join(f"{count} x {status}" for status, count in sorted(states.items()))),
            ("signals among them, by status", dict(signals)),
            ("of them short of an input for want of calls", sum("rate_limited" in it.text for it in answers)),
            ("upstream calls of all providers", len(calls) - before),
            ("CoinGlass calls of the whole run", len(own)),
            ("of those refused by CoinGlass (429)", sum(call["status"] == 429 for call in own)),
            ("questions to Redis that failed, both processes", await _redis_faults(stage)),
        ],
    )
    return judge_quota(calls, limit=limit, states=states, signals=signals)


async def exchange_webs(stage: Stage) -> Verdict:
    """Questions in turns; then one web process is stopped."""
    coin, (stays, goes) = stage.coins[0], stage.stack.webs
    said: dict[str, set[str]] = {stays.name: set(), goes.name: set()}
    for number in range(20):
        web = (stays, goes)[number % 2]
        body = (await stage.get(web, f"/signals/{coin}")).json()
        said[web.name].add(f"{body.get('signal')} {body.get('score')}")
    status = await asyncio.to_thread(goes.stop)
    asked = 10
    alone = 0
    for _ in range(asked):
        alone += (await stage.get(stays, f"/signals/{coin}")).status_code == 200
    with suppress(httpx2.TransportError):
        await stage.get(goes, "/health/live")
        raise DemoFailed(f"{goes.name} was stopped and still answers")
    stage.table(
        f"WEB  20 questions about {coin} in turns, then web-2 stopped",
        [
            *((f"{name} said", ", ".join(sorted(texts))) for name, texts in said.items()),
            ("exit status of web-2", status),
            ("web-1 alone answered", f"{alone} of {asked}"),
        ],
    )
    return judge_web(said, alone=alone, asked=asked, status=status)


# --- parts ------------------------------------------------------------------------------------------------


def _row(coin: str, side: str, usd: float, number: int, *, in_ms: int) -> dict[str, Any]:
    """One forced order that arrives in `in_ms`."""
    return {
        "base": coin,
        "exchange": "Binance",
        "liquidated": side,
        "price_usd": 5.0 + number / 10_000,
        "usd": usd,
        "in_ms": in_ms,
    }


async def _wave(stage: Stage) -> None:
    """Small orders of many coins over two seconds; too small for any alert."""
    each_ms, coins = 1_000 * WAVE_S / stage.wave, stage.streamed
    await stage.stream(
        [
            _row(coins[n % len(coins)], ("long", "short")[n % 2], 20.0 + n % 7, n, in_ms=int(n * each_ms))
            for n in range(stage.wave)
        ]
    )
    await asyncio.sleep(WAVE_S)


async def _is_shared(stage: Stage, among: Sequence[str]) -> bool:
    return is_shared(await asyncio.to_thread(stage.leases), among, PARTITIONS)


def _numbers(stage: Stage, name: str) -> str:
    numbers = stage.leases().get(name, [])
    return f"{len(numbers)}: {' '.join(map(str, numbers))}"


async def _is_stored_in_time(stage: Stage) -> int:
    """Events in the database once all are there, or after a while."""

    async def count() -> int:
        return int((await asyncio.to_thread(stage.rows_of, "SELECT count(*) FROM liquidations"))[0][0])

    async def is_whole() -> bool:
        return await count() >= stage.sent

    await until(is_whole)
    return await count()


async def _analysed(stage: Stage) -> int:
    """Events that the detect processes have taken; the market's own partition takes each once more."""
    found = 0

    async def is_whole() -> bool:
        nonlocal found
        workers = (await stage.get(stage.stack.webs[0], "/stream/status")).json()["workers"]
        found = sum(int(worker["pipeline"]["events"]) for worker in workers if worker["pipeline"]) // 2
        return found >= stage.sent

    await until(is_whole, 15.0)
    return found


async def _are_sums_the_truth(stage: Stage) -> bool:
    """Both web processes tell of an hour what was sent, coin by coin."""
    for coin in stage.streamed[::8]:
        for web in stage.stack.webs:
            body = (await stage.get(web, f"/flow/{coin}")).json()
            hour = [one for one in body.get("windows", ()) if one["windowS"] == _HOUR_S]
            if not hour or abs(hour[0]["longUsd"] + hour[0]["shortUsd"] - stage.usd[coin]) > 0.01:
                return False
    return True


def _metered(calls: Iterable[Call]) -> list[Call]:
    """Calls that the plan counts."""
    return [call for call in calls if call["provider"] == "coinglass" and call["endpoint"] != "ws"]


async def _redis_faults(stage: Stage) -> int:
    """By the metrics of the web processes; each is a moment in which nothing is shared."""
    texts = [(await stage.get(web, "/metrics")).text for web in stage.stack.webs]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("redis_faults_total{")]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


async def _messages(stage: Stage, coin: str) -> list[str]:
    found = (await stage.simulator("telegram/messages"))["messages"]
    return [str(message["text"]) for message in found if coin in message["text"]]


async def _hears(stage: Stage, web: Member, word: str) -> bool:
    """Whether the live feed of this process tells it in time."""
    with suppress(TimeoutError, httpx2.TransportError):
        async with asyncio.timeout(PATIENCE_S), stage.client.stream("GET", f"{web.url}/events") as answer:
            async for line in answer.aiter_lines():
                if word in line.replace(": ", ":") and '"alerts"' in line:
                    return True
    return False
