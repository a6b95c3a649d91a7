"""R09: whatever happens to a connection, the stream comes back in bounded time and says what it missed."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.core.domain.flow import LinkState
from tests.live_rig import fault
from tests.stream_rig import StreamRig, running, stream_rig, until

CANARY = "canary-stream-key-0815"
STREAM_LOG = "app.services.transport.stream_log"
CAP_S = 60
# What the simulator calls the sockets of each.
SOCKETS = {"coinglass": "ws", "okx": "ws_public"}


def ws(kind: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return fault("coinglass", kind, value, endpoint="ws", **more)


def told(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    """Lines of the streams that have this field."""
    found = [vars(record) for record in caplog.records if record.name == STREAM_LOG]
    return [line for line in found if name in line]


async def until_events(rig: StreamRig, count: int = 1) -> None:
    await rig.flow(lambda: len(rig.kept.liquidations) >= count)


async def test_liquidations_trades_and_prices_of_both_streams_arrive() -> None:
    async with stream_rig() as rig:
        for stream in (rig.coinglass, rig.okx):
            stream.watch(["BTC", "ETH"])
        async with running(rig.coinglass.run(rig.kept)), running(rig.okx.run(rig.kept)):
            for source in ("coinglass", "okx"):
                await rig.flow(
                    lambda source=source: all(
                        any(getattr(frame, part) for frame in rig.kept.frames if frame.source == source)
                        for part in ("liquidations", "trades", "ticks")
                    )
                )
            assert [s.status().state for s in (rig.coinglass, rig.okx)] == [LinkState.LIVE] * 2
            assert (rig.coinglass.status().rejects, rig.okx.status().rejects) == ({}, {})
        trades = [trade for frame in rig.kept.frames if frame.source == "coinglass" for trade in frame.trades]
        assert {trade.symbol for trade in trades} <= {"BTC", "ETH"}
        assert min(trade.usd for trade in trades) >= 2000
        assert {tick.symbol for frame in rig.kept.frames for tick in frame.ticks} == {"BTC", "ETH"}


async def test_a_frame_of_the_stream_agrees_with_the_market_in_side_and_size() -> None:
    async with stream_rig() as rig:
        start_ms = rig.time.now_ms()
        async with running(rig.coinglass.run(rig.kept)):
            await until_events(rig, 20)
        truth = {
            (e.ts_ms, e.base, e.exchange, e.liquidated.upper(), round(e.usd, 4))
            for e in rig.sim.state.market.liquidation_events(start_ms, rig.time.now_ms())
        }
        got = {(e.ts_event_ms, e.symbol, e.exchange, e.liquidated_side, e.usd) for e in rig.kept.liquidations}
        assert got
        assert got <= truth


@pytest.mark.parametrize(
    ("broken", "reason", "seen_within_s"),
    [
        (ws("drop", {"after": 1}, count=1), "drop", 5),
        (ws("drop", {"after": 1, "code": 1000}, count=1), "drop", 5),
        (ws("drop", {"after": 1, "code": 1012}, count=1), "drop", 5),
        (ws("huge", 64, count=1), "too_large", 15),
        (ws("silence"), "no_pong", 65),
        (ws("silence", "data"), "stall", 65),
        (ws("no_pong"), "no_pong", 65),
    ],
    ids=["1006", "1000", "1012", "64 MB", "half open", "subscribed but silent", "no pong"],
)
@pytest.mark.parametrize("source", ["coinglass", "okx"])
async def test_the_stream_comes_back_and_states_the_gap(
    source: str, broken: dict[str, Any], reason: str, seen_within_s: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger=STREAM_LOG)
    async with stream_rig() as rig:
        stream: Any = getattr(rig, source)
        stream.watch(["BTC"])
        async with running(stream.run(rig.kept)):
            await rig.flow(lambda: rig.time.now_ms() and stream.status().last_data_ms)
            await rig.time.pass_s(25.0)  # one ping was answered
            rig.sim.break_with({**broken, "provider": source, "endpoint": SOCKETS[source]})
            last_ms = stream.status().last_data_ms
            await rig.flow(
                lambda: stream.status().connected_ms is None, step_s=0.5, most_s=seen_within_s + 25
            )
            assert stream.status().state is LinkState.CONNECTING
            rig.sim.break_with()
            await rig.flow(lambda: rig.kept.gaps, most_s=CAP_S)
            status = stream.status()
            assert (status.state, status.reconnects, status.gaps) == (LinkState.LIVE, 1, 1)
    (gap,) = rig.kept.gaps
    assert (gap.source, gap.reason) == (source, reason)
    assert last_ms is not None
    assert last_ms <= gap.from_ms <= gap.to_ms
    frame = next(frame for frame in rig.kept.frames if frame.gap is not None)
    assert gap.to_ms == frame.ts_init_ms
    *_, broke, mended = told(caplog, "new")
    assert (broke["source"], broke["new"], broke["why"].split(";")[0]) == (source, "connecting", reason)
    assert (mended["new"], mended["reconnects"]) == ("live", 1)


async def test_accept_then_drop_a_hundred_times_is_neither_hammered_nor_the_end() -> None:
    async with stream_rig() as rig:
        rig.sim.break_with(ws("drop", {"after": 0}, count=100))
        async with running(rig.coinglass.run(rig.kept)):
            started_ms = rig.time.now_ms()
            for drop in range(1, 101):
                await until(lambda drop=drop: rig.coinglass._socket.opens >= drop)  # type: ignore[union-attr]
                await until(lambda: rig.coinglass.status().connected_ms is None)
                await rig.time.pass_s(CAP_S, step_s=CAP_S, turns=1)
            attempts_a_second = 100 / ((rig.time.now_ms() - started_ms) / 1000)
            await until_events(rig)
        assert attempts_a_second < 1
        assert max(rig.time.sleeps) <= CAP_S
        assert rig.coinglass.status().state is LinkState.LIVE


async def test_a_refused_plan_is_a_state_and_heals_without_a_restart() -> None:
    async with stream_rig(plan="startup") as rig, running(rig.coinglass.run(rig.kept)):
        await until(lambda: rig.coinglass.status().state is LinkState.REFUSED)
        assert "Standard plan" in rig.coinglass.status().detail
        await rig.time.pass_s(50.0, step_s=10)
        assert len(rig.sim.calls("coinglass", "ws")) == 1
        rig.sim.state.plan = "standard"
        await rig.flow(lambda: rig.kept.liquidations, step_s=5)


async def test_without_a_key_the_stream_is_off_and_says_so() -> None:
    async with stream_rig(key="") as rig, running(rig.coinglass.run(rig.kept)):
        await rig.time.pass_s(3.0)
        status = rig.coinglass.status()
        assert (status.state, status.detail) == (LinkState.OFF, "no key is set")
        assert rig.sim.calls("coinglass", "ws") == []


@pytest.mark.parametrize("dialect", ["envelope", "channel", "rows"])
@pytest.mark.parametrize("provider", ["coinglass", "okx"])
async def test_a_wholly_unknown_dialect_is_an_alarm_within_a_minute(
    provider: str, dialect: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger=STREAM_LOG)
    async with stream_rig() as rig:
        stream = rig.coinglass if provider == "coinglass" else rig.okx
        stream.watch(["BTC"])
        rig.sim.break_with(fault(provider, "dialect", dialect))
        async with running(stream.run(rig.kept)):
            await rig.flow(lambda: stream.status().rejects, step_s=0.5)
            assert stream.status().state is not LinkState.ALARM
            await rig.flow(lambda: stream.status().state is LinkState.ALARM, most_s=60)
            assert set(stream.status().rejects) <= {"unknown_shape", "unknown_channel"}
            assert rig.kept.frames == []
            rig.sim.break_with()
            await rig.flow(lambda: stream.status().state is LinkState.LIVE)
        samples = {(record["source"], record["reason"]) for record in told(caplog, "sample")}
        assert samples == {(provider, reason) for reason in stream.status().rejects}
        assert "alarm" in [record["new"] for record in told(caplog, "new")]


async def test_noise_between_the_frames_costs_nothing() -> None:
    async with stream_rig() as rig:
        rig.sim.break_with(ws("garbage", 500, probability=0.5))
        async with running(rig.coinglass.run(rig.kept)):
            await rig.flow(lambda: rig.coinglass.status().rejects.get("not_json", 0) >= 3)
            assert rig.coinglass.status().state is LinkState.LIVE
            assert rig.coinglass.status().reconnects == 0


async def test_what_is_watched_changes_without_a_reconnect() -> None:
    async with stream_rig() as rig:
        rig.coinglass.watch(["BTC"])
        rig.okx.watch(["BTC"])
        async with running(rig.coinglass.run(rig.kept)), running(rig.okx.run(rig.kept)):
            await rig.flow(lambda: {"coinglass", "okx"} <= {f.source for f in rig.kept.frames if f.trades})
            rig.coinglass.watch(["SOL"])
            rig.okx.watch(["SOL"])
            await rig.time.pass_s(3.0, turns=10)
            before = len(rig.kept.frames)
            await rig.flow(
                lambda: {"coinglass", "okx"} <= {f.source for f in rig.kept.frames[before:] if f.trades}
            )
            assert {trade.symbol for f in rig.kept.frames[before:] for trade in f.trades} == {"SOL"}
            assert rig.coinglass.status().reconnects == rig.okx.status().reconnects == 0


async def test_an_instrument_okx_does_not_list_costs_only_itself() -> None:
    async with stream_rig() as rig:
        rig.okx.watch(["NOSUCHCOIN", "BTC"])
        async with running(rig.okx.run(rig.kept)):
            await rig.flow(lambda: rig.kept.trades)
            assert rig.okx.status().state is LinkState.LIVE


async def test_the_key_is_in_no_log_status_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    """S02 on the stream: the key travels in the address."""
    caplog.set_level(logging.DEBUG)
    seen: list[str] = []
    async with stream_rig(key=CANARY) as rig, running(rig.coinglass.run(rig.kept)):
        for broken in (ws("drop", {"after": 0}, count=1), ws("status", 403, count=1), ws("huge", 5, count=1)):
            rig.sim.break_with(broken)
            await rig.time.pass_s(70.0, step_s=10)
            seen += [repr(rig.coinglass.status()), repr(rig.coinglass), repr(vars(rig.coinglass))]
    # The simulator is in this process: its server may log what it was asked.
    own = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    assert CANARY not in "".join(own)
    assert CANARY not in "".join(seen)
    assert rig.coinglass.status().reconnects
