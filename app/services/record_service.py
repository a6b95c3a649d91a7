"""The record of signals: every computed one is kept with the bars it came from, and read back by page.

Owns nothing but the meeting of the signal log and the recorder. Keeping never waits and never fails.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from app.core.domain.context import EnhancedSignalContext
from app.core.domain.signal import Signal
from app.core.domain.stored import Page, SignalQuery, StoredSignal, Trigger
from app.core.domain.symbol import Symbol
from app.core.store_ports import SignalLog
from app.services.history_recorder import HistoryRecorder

PAUSE_S = 0.1
MAX_WAITING = 200  # coins whose bars have not been handed on yet


class RecordService:
    """Keeps signals and answers with those kept."""

    def __init__(
        self, *, log: SignalLog, recorder: HistoryRecorder, resolve: Callable[[str], Symbol]
    ) -> None:
        self._log = log
        self._recorder = recorder
        self._resolve = resolve
        self._waiting: OrderedDict[str, EnhancedSignalContext] = OrderedDict()
        self._wake = asyncio.Event()

    def keep(self, signal: Signal, context: EnhancedSignalContext, trigger: Trigger) -> None:
        """Append the signal to the record; its closed bars follow within moments (`run`).

        Of a coin only its newest context waits: it has all the bars of those before. Of too many coins the
        oldest is dropped, and the coin's next signal brings the same bars again.
        """
        self._log.append(signal, context, trigger)
        self.keep_bars(context)

    def keep_bars(self, context: EnhancedSignalContext) -> None:
        """Hand on the closed bars of a context within moments, without a signal."""
        self._waiting[context.symbol.base] = context
        self._waiting.move_to_end(context.symbol.base)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        self._wake.set()

    async def run(self) -> None:
        """Hand the bars of kept contexts to the store until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(PAUSE_S)  # the answer first
            self._wake.clear()
            await self.settle()

    async def settle(self) -> None:
        """Hand on what waits now."""
        while self._waiting:
            _, context = self._waiting.popitem(last=False)
            await self._recorder.record(context)

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    async def page(self, query: SignalQuery) -> Page[StoredSignal]:
        """Kept signals, newest first. Raises: StorageUnavailable, InvalidParameter (a foreign cursor)."""
        return await self._log.page(query)
