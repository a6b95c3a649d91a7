"""Single trades and what became of them as answers. Pure; rounds through `app.api.numbers` only, judges
nothing: state, win and the words for what is unknown come with the trade."""

from __future__ import annotations

from app.api.numbers import clip, iso_utc, places, significant
from app.api.render_derivatives import name
from app.api.schemas import trade_outcomes as answers
from app.api.schemas.base import DETAIL_CHARS
from app.core.domain.context import DataMode
from app.core.domain.formatting import toward_neutral
from app.core.domain.trades import Trade, TradesAnswer

_NET = 6  # decimals: a hundredth of a basis point, as in the record


def trade_outcomes(
    answer: TradesAnswer, *, now_ms: int, data_mode: DataMode
) -> answers.TradeOutcomesResponse:
    """One page.

    Raises:
        InvariantViolation: a number is not finite.
    """
    query = answer.query
    return answers.TradeOutcomesResponse.model_validate(
        {
            "timestamp": iso_utc(now_ms),
            "data_mode": data_mode,
            "as_of": iso_utc(answer.as_of_ms),
            "symbol": query.symbol,
            "horizon": query.horizon,
            "engine_version": name(query.engine_version),
            "items": [_item(one) for one in answer.page.rows],
            "next": answer.page.cursor,
        }
    )


def _item(trade: Trade) -> answers.TradeOutcomeItem:
    return answers.TradeOutcomeItem.model_validate(
        {
            "id": name(trade.id),
            "symbol": trade.symbol,
            "direction": trade.direction.value,
            "score": places(toward_neutral(trade.score, 2), 2),
            "evaluated": iso_utc(trade.as_of_ms),
            "ends": iso_utc(trade.ends_ms),
            "state": trade.state.value,
            "reason": clip(trade.why, DETAIL_CHARS) or None,
            "entered": _moment(trade.entered_ms),
            "entry": _price(trade.entry_price),
            "target": _price(trade.target_price),
            "stop": _price(trade.stop_price),
            "touched": None if trade.touch is None else trade.touch.value,
            "exited": _moment(trade.exit_ms),
            "exit": _price(trade.exit_price),
            "gross_frac": _frac(trade.gross_frac),
            "cost_frac": _frac(trade.cost_frac),
            "funding_frac": _frac(trade.funding_frac),
            "net_frac": _frac(trade.net_frac),
            "mfe_frac": _frac(trade.mfe_frac),
            "mae_frac": _frac(trade.mae_frac),
            "win": trade.is_win,
        }
    )


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_utc(at_ms)


def _price(usd: float | None) -> float | None:
    return None if usd is None else significant(usd)


def _frac(value: float | None) -> float | None:
    return None if value is None else places(value, _NET)
