"""Probes of the streams and of the worker that reads them: do the sockets connect, does a worker speak.

The sockets are the service's own, with quick pings: one that stays open for seconds has answered them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from app.core.domain.flow import LinkState, LinkStatus, StreamFrame
from app.core.domain.flow_answer import MAX_SNAPSHOT_AGE_S, StreamReport
from app.core.stream_ports import EventSource, WarmCache
from app.doctor_deployment import Deployment, NothingToCheck
from app.doctor_run import Finding, Probe, fail, ok, warn
from app.services.bus.warm import RedisWarmCache
from app.services.coinglass.stream import CoinGlassStream, keyed_socket
from app.services.okx.stream import OkxStream, public_socket
from app.services.storage.state import SqlState
from app.services.storage.warm import StoreWarmCache
from app.services.streaming.status_board import StatusBoard
from app.services.streaming.warm_cache import MemoryWarmCache
from app.services.transport.redis_link import RedisLink

GROUP = "stream"
# A link that answers no ping is given up within two of these and a little.
_PING_S = 2.0
_START_S = 5.0
_LOOK_S = 0.1
_NO_SOCKET = "let WebSockets out: wss:// to that host and port, through firewall and proxy"


async def coinglass_stream(deployment: Deployment) -> Finding:
    settings = deployment.settings
    key = settings.coinglass_api_key
    if key is None:
        raise NothingToCheck("no CoinGlass key: the worker streams from OKX")
    base = deployment.base()
    with suppress(TimeoutError):  # the pairs of a coin: without them there are liquidations all the same
        async with asyncio.timeout(_START_S):
            await base.coinglass.start()
    socket = keyed_socket(settings.coinglass_ws_url, key.get_secret_value(), reconnect_s=deployment.listen_s)
    stream = CoinGlassStream(
        None if socket is None else replace(socket, ping_s=_PING_S),
        channel=settings.coinglass_liquidations_channel,
        exchanges=settings.exchanges,
        pairs=base.coinglass.stream_pairs,
        least_usd=lambda symbol: base.flow.tier(symbol).large_usd / 5,
        now_ms=base.clock.now_ms,
    )
    return judge_link(await _listened(stream, deployment))


async def okx_stream(deployment: Deployment) -> Finding:
    settings, base = deployment.settings, deployment.base()
    stream = OkxStream(
        replace(
            public_socket(settings.okx_ws_url, reconnect_s=deployment.listen_s),
            ping_s=_PING_S,
            missed_pongs=2,
        ),
        contract_values=base.okx.contract_values,
        now_ms=base.clock.now_ms,
    )
    return judge_link(await _listened(stream, deployment))


async def _listened(stream: EventSource, deployment: Deployment) -> LinkStatus:
    """How the link does when the first data is there, it is refused or lost, or the time is up."""
    heard = asyncio.Event()

    async def hear(_: StreamFrame) -> None:
        heard.set()

    stream.watch(deployment.settings.symbols[:1])
    listening = asyncio.create_task(stream.run(hear))
    try:
        for _ in range(round(deployment.listen_s / _LOOK_S)):
            if heard.is_set() or _is_over(stream.status()):
                break
            await asyncio.sleep(_LOOK_S)
        return stream.status()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def _is_over(status: LinkStatus) -> bool:
    """It ended, and says why: the next attempt would come too late."""
    return status.state in (LinkState.REFUSED, LinkState.CONNECTING) and bool(status.detail)


def judge_link(status: LinkStatus) -> Finding:
    """What a link did while it was listened to."""
    whose = status.source
    if status.state is LinkState.REFUSED:
        mend = "the stream needs CoinGlass' Standard plan or above, and a good key; OKX streams meanwhile"
        return fail(f"{whose} refuses the stream: {status.detail}", mend)
    if status.events:
        return ok(f"{whose} streams: {status.events} events heard")
    if status.connected_ms is None:
        return fail(f"no stream from {whose}: {status.detail or 'no connection in time'}", _NO_SOCKET)
    if status.rejects:
        return warn(
            f"{whose} streams what cannot be read: {', '.join(status.rejects)}", "update this service"
        )
    return ok(f"{whose} is connected and answers pings; nothing happened meanwhile")


async def worker(deployment: Deployment) -> Finding:
    reports = await _reports(deployment)
    if not reports:
        return warn(
            "no worker has spoken within ten minutes: no stream, no alerts",
            "start python -m app.worker with the same settings, or set WORKER=embedded",
        )
    ages_s = {one.worker: _age_s(deployment, one) for one in reports}
    living = [name for name, age_s in ages_s.items() if age_s <= MAX_SNAPSHOT_AGE_S]
    if not living:
        name, age_s = min(ages_s.items(), key=lambda item: item[1])
        mend = "read its log and start it again"
        return fail(f"the worker {name} fell silent {age_s:.0f} s ago", mend)
    speak = "1 worker process speaks" if len(living) == 1 else f"{len(living)} worker processes speak"
    return ok(f"{speak}: {', '.join(living)}")


async def worker_alarms(deployment: Deployment) -> Finding:
    reports = [one for one in await _reports(deployment) if _age_s(deployment, one) <= MAX_SNAPSHOT_AGE_S]
    if not reports:
        raise NothingToCheck("no worker speaks")
    alarms = [f"{one.worker}, {alarm}" for one in reports for alarm in one.alarms]
    links = [link for one in reports for link in one.links]
    bad = [link for link in links if link.state in (LinkState.ALARM, LinkState.REFUSED, LinkState.SILENT)]
    alarms += [f"{link.source} is {link.state}" for link in bad]
    if alarms:
        return warn(f"workers raise alarms: {'; '.join(alarms)}", "docs/streaming.md says what each means")
    return ok("no worker raises an alarm")


def _age_s(deployment: Deployment, report: StreamReport) -> float:
    """In real seconds, whatever the pace of the market's clock."""
    return (deployment.clock.now_ms() - report.as_of_ms) / 1000 / deployment.settings.market_speed()


async def _reports(deployment: Deployment) -> tuple[StreamReport, ...]:
    """What workers said lately. Raises: NothingToCheck: nobody would say it where it can be read."""
    settings, clock = deployment.settings, deployment.clock
    memory = MemoryWarmCache(now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    warm: WarmCache
    link = None
    if settings.redis_url is not None:
        await deployment.redis()
        link = RedisLink(settings.redis_url.get_secret_value(), timeout_s=1.0)
        warm = RedisWarmCache(
            link,
            prefix=f"signals:{settings.data_mode}:",
            memory=memory,
            now_ms=clock.now_ms,
            monotonic=clock.monotonic_s,
        )
    elif settings.runs_worker_embedded():
        raise NothingToCheck("the worker is inside of the web process, which answers for it")
    else:
        state = SqlState(await deployment.migrated_engine(), now_ms=clock.now_ms)
        warm = StoreWarmCache(state, memory=memory, now_ms=clock.now_ms, monotonic=clock.monotonic_s)
    try:
        board = StatusBoard(warm, now_ms=clock.now_ms, speed=settings.market_speed())
        return await board.read()
    finally:
        if link is not None:
            await link.aclose()


PROBES = (
    Probe("coinglass_stream", GROUP, coinglass_stream, is_remote=True, limit_s=14.0),
    Probe("okx_stream", GROUP, okx_stream, is_remote=True, limit_s=14.0),
    Probe("worker", GROUP, worker),
    Probe("worker_alarms", GROUP, worker_alarms),
)
