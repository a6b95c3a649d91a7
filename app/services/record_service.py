"""The record of signals: every computed one is kept with the bars it came from, and read back by page.

Owns nothing but the meeting of the signal log and the recorder. Keeping never waits and never fails.
"""

from __future__ import annotations

from collections.abc import Callable

from app.core.domain.context import EnhancedSignalContext
from app.core.domain.signal import Signal
from app.core.domain.stored import Page, SignalQuery, StoredSignal, Trigger
from app.core.domain.symbol import Symbol
from app.core.store_ports import SignalLog
from app.services.history_recorder import HistoryRecorder


class RecordService:
    """Keeps signals and answers with those kept."""

    def __init__(
        self, *, log: SignalLog, recorder: HistoryRecorder, resolve: Callable[[str], Symbol]
    ) -> None:
        self._log = log
        self._recorder = recorder
        self._resolve = resolve

    def keep(self, signal: Signal, context: EnhancedSignalContext, trigger: Trigger) -> None:
        """Append the signal to the record and hand its closed bars to the store."""
        self._log.append(signal, context, trigger)
        self._recorder.record(context)

    def resolve(self, text: str) -> Symbol:
        """Any usual spelling to a known coin. Raises: InvalidParameter, UnknownSymbol."""
        return self._resolve(text)

    async def page(self, query: SignalQuery) -> Page[StoredSignal]:
        """Kept signals, newest first. Raises: StorageUnavailable, InvalidParameter (a foreign cursor)."""
        return await self._log.page(query)
