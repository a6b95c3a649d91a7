"""Where a backtest's history comes from, and which of its coins were meant. A part of `backtest`.

Owns the sources (a recorded folder, the simulator's world, the store) and the spelling of coins; the period
and the run are `backtest_run`'s.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.backtest_history import HistorySource
from app.backtest_stored import read_store
from app.core.domain.context import DataMode
from app.core.domain.market import DAY_MS
from app.core.domain.symbol import parse_symbol, resolve_symbol
from app.core.errors import InvalidParameter, UnknownSymbol
from app.services.storage.alerts import SqlAlerts
from app.services.storage.bars import SqlBars
from app.services.storage.engine import open_engine
from app.services.storage.liquidation_hours import SqlLiquidationHours
from app.settings import Settings
from app.sim.recorded import RecordedSource
from app.sim.world import SyntheticWorld
from app.sim.world_tide import EPOCH_MS
from app.store import check_there, require_head
from app.store_status import data_mode_of

NO_END_MS = 2**53
# The simulated history ends here, whatever the date: the same figures on every day.
_SIM_END_MS = EPOCH_MS + 400 * DAY_MS
_SIM_COINS = ("BTC", "ETH", "SOL")
# So many names are read at a glance.
_FEW = 10


@dataclass(frozen=True, slots=True)
class Market:
    """Where the history comes from. coins: those that can be asked for; usual: those that are run where none
    is named; end_ms: nothing later is asked for."""

    source: HistorySource
    coins: tuple[str, ...]
    usual: tuple[str, ...]
    data_mode: DataMode
    words: str
    end_ms: int


def read_symbols(text: str) -> tuple[str, ...]:
    """Coins of a flag, split and as they were typed: which coin is meant depends on which there are."""
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for part in parts:
        try:
            parse_symbol(part)
        except InvalidParameter as error:
            raise argparse.ArgumentTypeError(f"{part!r} is no coin: {error.expected}") from None
    return parts


def resolve_coins(typed: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Base names of coins in any usual spelling: `btc`, `BTC-USDT` and `BTCUSDT` are BTC.

    Raises:
        ValueError: there is no such coin; names the ones that look like it.
    """
    try:
        found = [resolve_symbol(text, known).base for text in typed]
    except UnknownSymbol as error:
        raise ValueError(_unknown(error, known)) from error
    return tuple(dict.fromkeys(found))


def _unknown(error: UnknownSymbol, known: Sequence[str]) -> str:
    held = ", ".join(sorted(known)) if len(known) <= _FEW else f"{len(known):,} coins"
    near = f"; did you mean {', '.join(error.near)}?" if error.near else "."
    return f"no history of {error.symbol}{near} There is one of {held}."


def open_market(options: argparse.Namespace, settings: Settings) -> Market:
    """The source that the flags name.

    Raises:
        ValueError: no such folder, nothing in it, or nothing stored.
        StorageUnavailable: the database does not answer.
    """
    if options.demo:
        world = SyntheticWorld(options.seed, lambda: _SIM_END_MS)
        coins = tuple(coin.base for coin in world.coins())
        words = f"SIMULATED world, seed {options.seed}: says nothing of a market"
        return Market(world, coins, _SIM_COINS, DataMode.DEMO, words, _SIM_END_MS)
    if options.store:
        return asyncio.run(_stored(options, settings))
    source = RecordedSource(options.data, lambda: NO_END_MS)
    # Hundreds of coins occur in recorded liquidations only: there is nothing to evaluate of them.
    priced = source.priced()
    coins = tuple(coin.base for coin in source.coins() if coin.base in priced)
    return Market(source, coins, coins, DataMode.REPLAY, "recorded data", NO_END_MS)


async def _stored(options: argparse.Namespace, settings: Settings) -> Market:
    """Raises: StorageUnavailable, ValueError (nothing is stored)."""
    now_ms = time.time_ns() // 1_000_000
    coins = tuple(parse_symbol(text).base for text in options.symbols or settings.symbols)
    url = settings.store_url()
    check_there(url)
    engine = open_engine(url, statement_timeout_s=None)
    try:
        await require_head(engine)
        mode = await data_mode_of(engine)
        source = await read_store(
            SqlBars(engine, now_ms=lambda: now_ms),
            SqlLiquidationHours(engine, now_ms=lambda: now_ms),
            SqlAlerts(engine, now_ms=lambda: now_ms),
            coins,
            from_ms=0,
            to_ms=now_ms,
        )
    finally:
        await engine.dispose()
    held = tuple(coin for coin in coins if source.last_close_ms(coin) is not None)
    if not held:
        raise ValueError(f"no hourly candles of {', '.join(coins)} are stored: python -m app.backfill first")
    return Market(source, held, held, DataMode(mode or "live"), "the store", now_ms)
