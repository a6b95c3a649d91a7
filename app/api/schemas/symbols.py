"""Coins that can be asked for. Field names are public contract."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import ApiModel, IsoTime, SymbolText
from app.core.domain.context import DataMode

MAX_FOUND = 20


class SymbolSearchResponse(ApiModel):
    """Coins whose name is, begins with, contains or looks like what was asked for."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    exact: SymbolText | None = Field(description="The coin that the text spells; null when no list has it.")
    found: list[SymbolText] = Field(
        max_length=MAX_FOUND, description="Coins, best match first, the exact one among them."
    )
    listed: int = Field(
        ge=0, description="Number of coins in the lists that were searched; 0 while none could be loaded."
    )
