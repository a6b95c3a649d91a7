"""What the REST routes answer with, gathered for the doors that tell the same in another envelope."""

from __future__ import annotations

from dataclasses import dataclass

from app.api.answer_cache import AnswerCache
from app.api.routes_alerts import AlertAnswers
from app.api.routes_derivatives import CoinParts
from app.api.routes_derivatives_lists import MarketWide
from app.api.routes_liquidity import LiquidityAnswers
from app.api.routes_market import MarketAnswers
from app.api.routes_signals import SignalAnswers
from app.api.routes_symbols import SymbolAnswers
from app.api.routes_track import TrackAnswers


@dataclass(frozen=True, slots=True)
class SharedAnswers:
    """The very objects the routes hold, so that both doors share what is kept for a second.

    cache: of the dashboard. coin, wide: parts of one coin, and of all.
    """

    cache: AnswerCache
    signals: SignalAnswers
    market: MarketAnswers
    symbols: SymbolAnswers
    coin: CoinParts
    wide: MarketWide
    liquidity: LiquidityAnswers
    alerts: AlertAnswers
    track: TrackAnswers
