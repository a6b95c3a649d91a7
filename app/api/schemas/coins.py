"""The watchlist as it is shown, and the bodies of its changes. Field names are public contract."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool

from app.api.schemas.base import ApiModel, IsoTime, SymbolText
from app.core.domain.context import DataMode
from app.core.domain.watchlist import MAX_COINS


class CoinItem(ApiModel):
    """One coin of the watchlist."""

    symbol: SymbolText
    on: bool = Field(description="Whether it is followed: asked for ahead, streamed and evaluated.")
    configured: bool = Field(description="Whether it is one of the setting SYMBOLS.")
    saved: bool = Field(
        description="Whether a restart keeps it as it is; false while the database cannot be written."
    )
    added_at: IsoTime | None = Field(description="When it was added; null for a coin of the setting.")


class CoinsResponse(ApiModel):
    """The coins that this service follows, those of the setting SYMBOLS first."""

    timestamp: IsoTime = Field(description="When this answer was made; market time, UTC.")
    data_mode: DataMode = Field(description="live, demo (simulated market) or replay (recorded past).")
    items: list[CoinItem] = Field(max_length=MAX_COINS, description="Coins in the order of the list.")
    on: int = Field(ge=0, le=MAX_COINS, description="Number of coins that are followed.")
    limit: int = Field(ge=1, description="Number of coins the list takes.")


class CoinChangeResponse(CoinsResponse):
    """The list after a change."""

    changed: SymbolText
    did_change: bool = Field(description="False where the list was so already.")


class CoinAddRequest(ApiModel):
    """Which coin is to be followed."""

    symbol: Annotated[
        str,
        Field(
            description="One coin in any usual spelling: BTC, btc, BTCUSDT, BTC/USDT:USDT.",
            examples=["DOGE"],
            json_schema_extra={"pattern": "^[A-Za-z0-9/_:-]{1,40}$", "maxLength": 40},
        ),
    ]


class CoinToggleRequest(ApiModel):
    """What a coin is to be."""

    on: StrictBool = Field(description="true: followed. false: kept in the list and not followed.")
