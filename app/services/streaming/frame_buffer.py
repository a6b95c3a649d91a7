"""Frames between the upstream socket and the bus: bounded, oldest dropped first, every loss counted and told.

A batch that was taken stays until it is confirmed, for nobody knows whether an unanswered write was made.
Used by `ingest` alone.
"""

from __future__ import annotations

from collections import deque

from app.core.domain.flow import StreamFrame, StreamGap
from app.core.domain.partition import Partitioning, events_in, with_gap

SOURCE = "bus"


class FrameBuffer:
    """A queue of frames that hands out batches of parts. max_events bounds what waits, not the batch."""

    def __init__(self, partitioning: Partitioning, *, max_events: int, batch_parts: int) -> None:
        self._partitioning = partitioning
        self._max_events = max_events
        self._batch_parts = batch_parts
        self._waiting: deque[StreamFrame] = deque()
        self._batch: list[tuple[int, StreamFrame]] = []
        self._batch_frames = 0
        self._batch_events = 0
        self._gap: StreamGap | None = None  # to be told with the next frame
        self.events = 0
        self.lost_events = 0
        self.published_frames = 0
        self.published_events = 0

    @property
    def is_empty(self) -> bool:
        return not self._waiting and not self._batch

    def note_gap(self, gap: StreamGap) -> None:
        """Tell it to every partition with the next frame."""
        known = self._gap
        if known is not None:
            gap = known._replace(from_ms=min(known.from_ms, gap.from_ms), to_ms=max(known.to_ms, gap.to_ms))
        self._gap = gap

    def add(self, frame: StreamFrame) -> None:
        self._waiting.append(frame)
        self.events += events_in(frame)
        while self.events > self._max_events and len(self._waiting) > 1:
            self._lose(self._waiting.popleft())

    def batch(self) -> list[tuple[int, StreamFrame]]:
        """(partition, part) pairs, oldest first; the same ones until `confirm`. Empty when nothing waits."""
        if self._batch:
            return self._batch
        while self._waiting and len(self._batch) < self._batch_parts:
            frame = self._waiting.popleft()
            count = events_in(frame)
            self.events -= count
            self._batch_frames += 1
            self._batch_events += count
            self._batch += self._partitioning.split(self._told(frame))
        return self._batch

    def confirm(self) -> None:
        """The batch is on the bus."""
        self.published_frames += self._batch_frames
        self.published_events += self._batch_events
        self._batch, self._batch_frames, self._batch_events = [], 0, 0

    def discard(self) -> None:
        """Somebody else publishes now; what waits is counted as lost, and the other one tells the gap."""
        self.lost_events += self.events + self._batch_events
        self._waiting.clear()
        self.events = 0
        self._batch, self._batch_frames, self._batch_events = [], 0, 0
        self._gap = None

    def _told(self, frame: StreamFrame) -> StreamFrame:
        gap, self._gap = self._gap, None
        return frame if gap is None else with_gap(frame, gap._replace(to_ms=frame.ts_init_ms))

    def _lose(self, frame: StreamFrame) -> None:
        count = events_in(frame)
        self.events -= count
        self.lost_events += count
        self.note_gap(StreamGap(SOURCE, frame.ts_init_ms, frame.ts_init_ms, "bus_overflow"))
        if frame.gap is not None:
            self.note_gap(frame.gap)
