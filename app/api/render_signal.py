"""A `SignalAnswer` as the public signal answer. Pure; rounds through `app.api.numbers` only."""

from __future__ import annotations

from app.api.numbers import age_s, clip, iso_utc, places, significant
from app.api.render_readings import render_traced_inputs
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS, REASON_CHARS, SENTENCE_CHARS
from app.api.schemas.signal import (
    FactorItem,
    MissingItem,
    SignalConfluence,
    SignalResponse,
    SignalSetup,
)
from app.api.schemas.signal_debug import FactorDebug, Metric, SignalDebug
from app.core.domain.answer import SignalAnswer
from app.core.domain.formatting import toward_neutral
from app.core.domain.liquidity import Setup
from app.core.domain.signal import Confluence, FactorScore, Signal

_MAX_METRICS = 40
# Of signals that nobody has asked the calibration about.
_NOT_CALIBRATED = "no calibration has been made of this signal"


def render_signal(answer: SignalAnswer, *, now_ms: int, debug: bool) -> SignalResponse:
    """Build the answer.

    Raises:
        InvariantViolation: a number is not finite.
    """
    signal = answer.signal
    price, interest = signal.price, signal.open_interest_usd
    return SignalResponse(
        symbol=signal.symbol.base,
        timestamp=iso_utc(now_ms),
        price=significant(price.value.price_usd),
        price_kind=price.value.kind,
        price_source=clip(price.provider, NAME_CHARS),
        price_age_s=age_s(signal.as_of_ms, price.ts_event_ms),
        price_status="stale" if signal.price_stale else "ok",
        funding_rate=_maybe(signal.funding_8h_frac),
        open_interest=_maybe(interest.value if interest else None),
        open_interest_source=interest.provider if interest else None,
        open_interest_age_s=age_s(signal.as_of_ms, interest.ts_event_ms) if interest else None,
        social_score=_maybe(signal.social_score),
        signal=signal.direction,
        mode=signal.mode,
        score=places(toward_neutral(signal.score, 2), 2),
        confidence=signal.confidence.level,
        confidence_score=places(signal.confidence.score, 2),
        coverage=places(signal.coverage, 4),
        probability=None if signal.probability is None else places(signal.probability, 4),
        probability_reason=_why_no_probability(signal),
        reason=clip(signal.reason, REASON_CHARS),
        reasons=[clip(reason, SENTENCE_CHARS) for reason in signal.reasons[:3]],
        factors=[_factor(factor, signal.as_of_ms) for factor in signal.factors],
        confluence=_confluence(signal.confluence, signal.as_of_ms),
        confluence_reason=clip(signal.no_confluence, DETAIL_CHARS) or None,
        data_mode=signal.data_mode,
        as_of=iso_utc(signal.as_of_ms),
        missing=[
            MissingItem(input=clip(name, NAME_CHARS), reason=clip(why, DETAIL_CHARS))
            for name, why in signal.missing[:20]
        ],
        engine_version=clip(signal.engine_version, NAME_CHARS),
        debug=_debug(answer, signal) if debug else None,
    )


def _why_no_probability(signal: Signal) -> str | None:
    if signal.probability is not None:
        return None
    return clip(signal.no_probability or _NOT_CALIBRATED, DETAIL_CHARS)


def _confluence(found: Confluence | None, as_of_ms: int) -> SignalConfluence | None:
    if found is None:
        return None
    setup = found.setup
    return SignalConfluence.model_validate(
        {
            "timeframe": found.timeframe,
            "direction": found.direction,
            "score": places(found.score, 2),
            "sentence": clip(found.sentence, SENTENCE_CHARS),
            "top": significant(found.zone.zone.top_usd),
            "bottom": significant(found.zone.zone.bottom_usd),
            "source": found.source,
            "age_s": age_s(as_of_ms, found.as_of_ms),
            "setup": None if setup is None else _setup(setup),
            "setup_reason": clip(found.no_setup, DETAIL_CHARS) or None,
        }
    )


def _setup(setup: Setup) -> SignalSetup:
    return SignalSetup(
        entry=significant(setup.entry_usd),
        stop=significant(setup.stop_usd),
        target=significant(setup.targets[0].price_usd),
        reward_risk=places(setup.targets[0].reward_risk, 3),
        fill_probability=places(setup.p_fill, 4),
        fill_source=setup.fill_source,
        risk_score=places(setup.risk_score, 2),
        probability=None if setup.probability is None else places(setup.probability, 4),
        probability_reason=clip(setup.no_probability, DETAIL_CHARS) or None,
    )


def _maybe(value: float | None) -> float | None:
    return None if value is None else significant(value)


def _factor(factor: FactorScore, as_of_ms: int) -> FactorItem:
    return FactorItem(
        name=factor.name,
        weight=places(factor.weight, 4),
        score=places(factor.score, 2),
        status=factor.status,
        source=None if factor.provider is None else clip(factor.provider, NAME_CHARS),
        age_s=None if factor.ts_event_ms is None else age_s(as_of_ms, factor.ts_event_ms),
    )


def _debug(answer: SignalAnswer, signal: Signal) -> SignalDebug:
    return SignalDebug(
        elapsed_ms=places(answer.elapsed_ms, 3),
        agreement=places(signal.confidence.agreement, 6),
        strength=places(signal.confidence.strength, 6),
        factors=[_factor_debug(factor) for factor in signal.factors],
        inputs=render_traced_inputs(answer.context),
    )


def _factor_debug(factor: FactorScore) -> FactorDebug:
    return FactorDebug(
        name=factor.name,
        v=places(factor.v, 6),
        basis=factor.basis,
        evidence=_maybe(factor.evidence),
        evidence_unit=clip(factor.evidence_unit, NAME_CHARS),
        percentile=None if factor.percentile is None else places(factor.percentile, 6),
        history_n=factor.history_n,
        detail=clip(factor.detail, DETAIL_CHARS),
        sentence=clip(factor.sentence, SENTENCE_CHARS),
        metrics=[
            Metric(name=clip(name, NAME_CHARS), value=significant(value))
            for name, value in factor.metrics[:_MAX_METRICS]
        ],
    )
