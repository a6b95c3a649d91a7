"""Processes of the bus that run until they are killed: a detect worker that notes its effects in a file, and
an ingest that plays numbered frames."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from app.core.stream_ports import FrameSink
from tests.bus_rig import Bus, Effects, Feed, Tally, frame


@dataclass(frozen=True, slots=True)
class Address:
    """Where the bus is; a part of every child's arguments."""

    url: str


class FileEffects(Effects):
    """Effects that outlive the process: a line each, in one write."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


class FileTally(Tally):
    """Tally whose alerts go to a file, all of one flush at once."""

    def __init__(self, partition: int, effects: FileEffects) -> None:
        super().__init__(partition, effects)
        self._file = effects.file

    async def flush(self) -> None:
        if self.fresh:
            os.write(self._file, "".join(f"{name} {body}\n" for name, body in self.fresh).encode())
        self.fresh.clear()


def detect(url: str, prefix: str, owner: str, path: str) -> None:
    asyncio.run(_detect(Bus(Address(url), owner, prefix=prefix), FileEffects(Path(path))))


async def _detect(bus: Bus, effects: FileEffects) -> None:
    await bus.worker(lambda partition: FileTally(partition, effects)).run()


def ingest(url: str, prefix: str, owner: str, first: int) -> None:
    """Frames number `first` and on, one every millisecond or so."""
    asyncio.run(Bus(Address(url), owner, prefix=prefix).ingest(_Numbered(first)).run())


class _Numbered(Feed):
    def __init__(self, first: int) -> None:
        super().__init__()
        self._number = first

    async def run(self, sink: FrameSink) -> None:
        while True:
            await sink(frame(self._number))
            self._number += 1
            await asyncio.sleep(0.001)
