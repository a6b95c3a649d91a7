"""The buffer between socket and bus: bounded, in order, and honest about what it had to drop."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.core.domain.flow import StreamFrame, StreamGap
from app.core.domain.partition import Partitioning, events_in
from app.services.streaming.frame_buffer import FrameBuffer
from tests.bus_rig import frame, frames

ONE = Partitioning(1)


def buffer(max_events: int = 80, batch_parts: int = 4) -> FrameBuffer:
    return FrameBuffer(ONE, max_events=max_events, batch_parts=batch_parts)


def coins_of(batch: list[tuple[int, StreamFrame]]) -> list[StreamFrame]:
    return [part for partition, part in batch if partition == 0]


def test_a_batch_stays_the_same_until_it_is_confirmed() -> None:
    held = buffer()
    held.add(frame(0))
    first = list(held.batch())
    held.add(frame(1))
    assert held.batch() == first == [(0, frame(0)), (1, frame(0))]
    held.confirm()
    assert coins_of(held.batch()) == [frame(1)]
    held.confirm()
    assert held.batch() == []
    assert held.is_empty
    assert (held.published_frames, held.published_events) == (2, 16)


def test_the_oldest_frames_are_dropped_counted_and_told_with_the_next_one() -> None:
    held = buffer(max_events=80)  # ten frames of eight
    held.add(frame(0))
    held.batch()  # under way: does not count, and is not dropped
    for one in frames(1, 15):
        held.add(one)
    assert held.events == 80
    assert held.lost_events == 4 * 8
    held.confirm()
    parts = coins_of(held.batch())
    assert parts[0] == replace(
        frame(5), gap=StreamGap("bus", frame(1).ts_init_ms, frame(5).ts_init_ms, "bus_overflow")
    )
    assert all(part.gap is None for part in parts[1:])


def test_the_gap_of_a_dropped_frame_is_told_all_the_same() -> None:
    held = buffer(max_events=8)
    held.add(replace(frame(3), gap=StreamGap("okx", frame(0).ts_init_ms, frame(3).ts_init_ms, "drop")))
    held.add(frame(4))
    assert coins_of(held.batch())[0].gap == StreamGap(
        "bus", frame(0).ts_init_ms, frame(4).ts_init_ms, "bus_overflow"
    )


def test_one_frame_larger_than_the_bound_is_kept() -> None:
    held = buffer(max_events=4)
    held.add(frame(0))
    assert coins_of(held.batch()) == [frame(0)]


def test_what_another_process_will_publish_is_counted_as_lost_and_forgotten() -> None:
    held = buffer()
    held.add(frame(0))
    held.batch()
    held.add(frame(1))
    held.note_gap(StreamGap("bus", 1, 2, "x"))
    held.discard()
    assert (held.lost_events, held.events, held.is_empty) == (16, 0, True)
    held.add(frame(2))
    assert coins_of(held.batch()) == [frame(2)]


@given(st.lists(st.sampled_from(["add", "batch", "confirm"]), max_size=80))
def test_every_event_is_published_waiting_or_counted_as_lost(steps: list[str]) -> None:
    held = buffer(max_events=24, batch_parts=3)
    added, seen = 0, []
    for step in steps:
        if step == "add":
            held.add(frame(added))
            added += 1
        elif step == "batch":
            held.batch()
        else:
            seen += coins_of(held.batch())
            held.confirm()
    under_way = sum(events_in(part) for part in coins_of(held.batch()))
    assert held.published_events + held.lost_events + held.events + under_way == 8 * added
    assert held.events <= 24
    assert seen == sorted(seen, key=lambda part: part.ts_init_ms)
    assert held.published_events == sum(map(events_in, seen))
