"""Signals as they were stored, with their place in the chain. Field names are public contract."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.api.schemas.base import REASON_CHARS, ApiModel, IsoTime, Name, SymbolText
from app.api.schemas.history import CURSOR_CHARS
from app.core.domain.context import DataMode
from app.core.domain.signal import Direction, Mode
from app.core.domain.stored import Trigger

MAX_SIGNALS = 100

Digest = Annotated[str, Field(max_length=64, description="SHA-256 in hexadecimal digits.")]


class StoredSignalItem(ApiModel):
    """One signal as it was answered."""

    id: Name = Field(description="Id of the signal.")
    symbol: SymbolText
    as_of: IsoTime = Field(description="Market time its inputs were complete, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    trigger: Trigger = Field(description="Why it was computed: request or schedule.")
    direction: Direction = Field(description="Direction under the thresholds of `mode`.")
    mode: Mode = Field(description="Threshold set that was applied.")
    score: float = Field(ge=0, le=100, description="Composite in points, 0 bearish, 50 neutral, 100 bullish.")
    confidence: float = Field(
        ge=0,
        le=100,
        description="Confidence in points, 0 to 100; higher when factors agree, are strong and have data.",
    )
    coverage: float = Field(
        ge=0, le=1, description="Fraction of the total weight that had fresh data; higher is more complete."
    )
    price: float = Field(gt=0, description="Price in USD per coin at that time.")
    reason: str = Field(max_length=REASON_CHARS, description="The answer in one line.")
    engine_version: Name = Field(description="Version of the scoring rules.")
    context_digest: Digest = Field(description="SHA-256 of everything it was computed from.")
    chain: Name = Field(description="Chain of the process that wrote it.")
    seq: int = Field(ge=0, description="Number of signals before it in its chain.")
    prev_hash: Digest = Field(description="Hash of the signal before it in its chain.")
    hash: Digest = Field(description="SHA-256 of `prevHash` and this signal.")


class SignalHistoryResponse(ApiModel):
    """One page of stored signals, newest first."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    symbol: SymbolText | None = Field(description="The coin asked for; null for every coin.")
    trigger: Trigger | None = Field(description="The trigger asked for; null for both.")
    items: list[StoredSignalItem] = Field(max_length=MAX_SIGNALS, description="Newest first.")
    next: str | None = Field(
        max_length=CURSOR_CHARS, description="Cursor of the next page; null on the last one."
    )
