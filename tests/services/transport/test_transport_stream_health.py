"""How a stream is judged: live, silent, unreadable; and what it missed."""

from __future__ import annotations

from app.core.clock import ManualClock
from app.services.transport.socket import SocketState
from app.services.transport.stream_health import ALARM_AFTER_S, Missed, StreamHealth

OPEN = SocketState.OPEN


def build() -> tuple[StreamHealth, ManualClock]:
    clock = ManualClock()
    health = StreamHealth(now_ms=clock.now_ms, monotonic=clock.monotonic_s, expected_gap_s=30.0)
    return health, clock


def test_a_stream_is_live_while_its_data_is_young() -> None:
    health, clock = build()
    assert health.state(SocketState.CONNECTING) == "connecting"
    health.opened()
    assert health.state(OPEN) == "silent"
    health.note(3, {}, ["orders"])
    assert health.state(OPEN) == "live"
    clock.tick(29.0)
    assert health.state(OPEN) == "live"
    clock.tick(1.0)
    assert health.state(OPEN) == "silent"
    assert health.state(SocketState.REFUSED) == "refused"


def unreadable(health: StreamHealth, kind: str = "") -> None:
    health.note(0, {"unknown_shape": 2}, [])
    health.note_unreadable(kind)


def test_only_unreadable_frames_for_almost_a_minute_are_an_alarm_also_across_reconnects() -> None:
    health, clock = build()
    health.opened()
    for _ in range(int(ALARM_AFTER_S)):
        unreadable(health)
        assert health.state(OPEN) == "silent"
        clock.tick(1.0)
    health.lost("stall")
    unreadable(health)
    assert health.state(SocketState.WAITING) == "alarm"
    assert health.rejects == {"unknown_shape": 2 * (int(ALARM_AFTER_S) + 1)}
    health.opened()
    health.note(1, {"bad_price": 5}, ["orders"])
    assert health.state(OPEN) == "live"


def test_one_odd_frame_and_then_silence_is_silence() -> None:
    health, clock = build()
    health.opened()
    unreadable(health)
    clock.tick(70.0)
    assert health.state(OPEN) == "silent"


def test_prices_that_can_be_read_are_no_comfort_when_orders_cannot() -> None:
    health, clock = build()
    health.opened()
    for _ in range(60):
        unreadable(health, "orders")
        unreadable(health)  # noise of no known kind is forgiven while anything can be read
        health.note(1, {}, ["prices"])
        clock.tick(1.0)
    assert (health.state(OPEN), health.alarms()) == ("alarm", ("orders",))
    health.note(1, {}, ["orders"])
    assert (health.state(OPEN), health.alarms()) == ("live", ())


def test_a_loss_before_the_first_data_misses_nothing_that_is_known() -> None:
    health, _ = build()
    health.opened()
    health.lost("drop")
    health.opened()
    assert health.note(1, {}, ["orders"]) is None
    assert (health.reconnects, health.gaps) == (1, 0)


def test_the_first_data_after_a_loss_says_what_was_missed_and_why_it_began() -> None:
    health, clock = build()
    health.opened()
    health.note(1, {}, ["orders"])
    last_ms = clock.now_ms()
    clock.tick(5.0)
    health.lost("no_pong")
    health.lost("unreachable")
    assert health.connected_ms is None
    health.opened()
    clock.tick(5.0)
    assert health.note(0, {"bad_price": 1}, []) is None
    assert health.note(1, {}, ["orders"]) == Missed(last_ms, last_ms + 10_000, "no_pong")
    assert health.note(1, {}, ["orders"]) is None
    assert (health.last_data_ms, health.frames, health.events) == (clock.now_ms(), 4, 3)


def test_a_wall_clock_set_back_makes_an_empty_gap_and_no_negative_one() -> None:
    health, clock = build()
    health.opened()
    health.note(1, {}, ["orders"])
    health.lost("drop")
    clock.set(clock.now_ms() - 3_600_000)
    assert health.note(1, {}, ["orders"]) == Missed(clock.now_ms(), clock.now_ms(), "drop")
