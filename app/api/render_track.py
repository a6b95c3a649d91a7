"""The honest record, the state of the chains and counts of signals as answers. Pure; rounds through
`app.api.numbers` only. Nothing here judges: the sentence comes with the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from app.api.numbers import age_s, clip, iso_utc, places
from app.api.render_derivatives import name
from app.api.schemas import track_record as answers
from app.api.schemas import track_record_parts as parts
from app.api.schemas.base import DETAIL_CHARS, NAME_CHARS, SENTENCE_CHARS
from app.core.domain.context import DataMode
from app.core.domain.formatting import toward_neutral
from app.core.domain.signal import Direction, Mode
from app.core.domain.stored import Trigger
from app.core.domain.track_record import (
    ENOUGH_EFFECTIVE_N,
    Calibrated,
    ChainAnswer,
    DeflatedSharpe,
    Group,
    HorizonRecord,
    Mean,
    RecordAnswer,
    ReliabilityBin,
    SignalCount,
    SignalStats,
    TrackRecord,
    TradeStats,
)

# Decimals: a hundredth of a percent of a share; a hundredth of a basis point of a return.
_SHARE, _NET, _POINTS = 4, 6, 6


def track_record(
    answer: RecordAnswer, *, detail: answers.DetailWord, now_ms: int, data_mode: DataMode
) -> answers.TrackRecordResponse:
    """The record: the headline horizon with its splits, or with `full` every horizon with everything.

    Raises:
        InvariantViolation: a number is not finite.
    """
    record = answer.record
    shown = record.at_headline
    return answers.TrackRecordResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        symbol=record.symbol,
        detail=detail,
        summary=clip(answer.summary, answers.SUMMARY_CHARS),
        enough_data=record.enough_data,
        needed_effective_n=ENOUGH_EFFECTIVE_N,
        as_of=iso_utc(answer.as_of_ms),
        computed=iso_utc(answer.computed_ms),
        age_s=age_s(now_ms, answer.computed_ms),
        since=None if record.from_ms is None else iso_utc(record.from_ms),
        until=None if record.to_ms is None else iso_utc(record.to_ms),
        engine_versions=[name(one) for one in record.engine_versions[-answers.MAX_VERSIONS :]],
        evaluations=record.evaluations,
        neutral=record.neutral,
        long=record.long,
        short=record.short,
        headline=_label(record.headline),
        horizons=[_horizon(one) for one in record.horizons[: answers.MAX_HORIZONS]],
        groups=[] if shown is None else [_split(one) for one in shown.groups[: parts.MAX_GROUPS]],
        baselines=[] if shown is None else [_baseline(one) for one in shown.baselines[: parts.MAX_RULES]],
        probability_shown=not answer.no_probability,
        probability_reason=clip(answer.no_probability, DETAIL_CHARS) or None,
        calibration=None
        if shown is None or shown.calibrated is None
        else _calibration(shown.calibrated, detail),
        variants=record.variants,
        deflated_sharpe=None if record.deflated is None else _sharpe(record.deflated),
        full=None
        if detail == "compact"
        else [_full_horizon(one) for one in record.horizons[: answers.MAX_HORIZONS]],
        truncated=_is_cut(record),
        notes=[clip(note, SENTENCE_CHARS) for note in record.notes[: answers.MAX_NOTES]],
    )


def _is_cut(record: TrackRecord) -> bool:
    """Whether the bounds of the answer leave something out, in either form."""
    too_many = (
        len(record.horizons) > answers.MAX_HORIZONS,
        len(record.engine_versions) > answers.MAX_VERSIONS,
        len(record.notes) > answers.MAX_NOTES,
        *(len(one.groups) > parts.MAX_GROUPS for one in record.horizons),
        *(len(one.baselines) > parts.MAX_RULES for one in record.horizons),
    )
    return any(too_many)


def _label(text: str) -> str:
    return clip(text, parts.LABEL_CHARS)


def _maybe(value: float | None, digits: int) -> float | None:
    return None if value is None else places(value, digits)


def _mean(found: Mean | None, field: str) -> dict[str, float | None]:
    """A mean net return with its 95 % interval, as `FIELD_frac`, `FIELD_low_frac` and `FIELD_high_frac`."""
    ends = (None, None, None) if found is None else (found.mean, found.low, found.high)
    return {
        f"{field}{end}_frac": _maybe(value, _NET)
        for end, value in zip(("", "_low", "_high"), ends, strict=True)
    }


def _trades(stats: TradeStats) -> parts.TradesItem:
    rate, apart = stats.hit_rate, stats.hit_rate_apart
    return parts.TradesItem(
        emitted=stats.emitted,
        scored=stats.scored,
        unscorable=stats.unscorable,
        open=stats.open,
        wins=stats.wins,
        hit_rate=None if rate is None else places(rate.share, _SHARE),
        wilson_low=None if rate is None else places(rate.low, _SHARE),
        wilson_high=None if rate is None else places(rate.high, _SHARE),
        effective_n=_maybe(stats.effective_n, 1),
        apart_low=None if apart is None else places(apart.low, _SHARE),
        apart_high=None if apart is None else places(apart.high, _SHARE),
        break_even=_maybe(stats.break_even, _SHARE),
        barrier_break_even=_maybe(stats.barrier_break_even, _SHARE),
        **_mean(stats.mean_net, "mean_net"),
        total_net_frac=_maybe(stats.total_net_frac, _NET),
        max_drawdown_frac=_maybe(stats.max_drawdown_frac, _NET),
    )


def _horizon(one: HorizonRecord) -> parts.HorizonItem:
    return parts.HorizonItem(horizon=_label(one.horizon), trades=_trades(one.engine))


def _split(group: Group) -> parts.SplitItem:
    trades = _trades(group.stats)
    return parts.SplitItem(
        trait=_label(group.trait),
        name=_label(group.stats.name),
        scored=trades.scored,
        hit_rate=trades.hit_rate,
        apart_low=trades.apart_low,
        apart_high=trades.apart_high,
        mean_net_frac=trades.mean_net_frac,
    )


def _baseline(rule: TradeStats) -> parts.BaselineItem:
    trades = _trades(rule)
    return parts.BaselineItem(
        name=_label(rule.name),
        scored=trades.scored,
        hit_rate=trades.hit_rate,
        mean_net_frac=trades.mean_net_frac,
        **_mean(rule.engine_minus, "engine_minus"),
    )


def _full_horizon(one: HorizonRecord) -> parts.FullHorizonItem:
    fit = one.calibrated
    return parts.FullHorizonItem(
        horizon=_label(one.horizon),
        groups=[_full(group) for group in one.groups[: parts.MAX_GROUPS]],
        baselines=[_full(Group("baseline", rule)) for rule in one.baselines[: parts.MAX_RULES]],
        calibration=None if fit is None else _calibration(fit, "full"),
        calibration_reason=clip(one.no_calibration, DETAIL_CHARS) if fit is None else None,
    )


def _full(group: Group) -> parts.FullItem:
    return parts.FullItem(
        trait=_label(group.trait),
        name=_label(group.stats.name),
        trades=_trades(group.stats),
        **_mean(group.stats.engine_minus, "engine_minus"),
    )


def _calibration(fit: Calibrated, detail: answers.DetailWord) -> parts.CalibrationItem:
    filled = [one for one in fit.bins if one.n > 0] if detail == "full" else []
    return parts.CalibrationItem(
        method=_label(fit.method),
        n=fit.n,
        fitted_n=fit.fitted_n,
        brier=places(fit.brier, _POINTS),
        base_brier=places(fit.base_brier, _POINTS),
        skill=places(fit.skill, _POINTS),
        gain=places(fit.gain.mean, _POINTS),
        gain_low=places(fit.gain.low, _POINTS),
        gain_high=places(fit.gain.high, _POINTS),
        log_loss=places(fit.log_loss, _POINTS),
        base_log_loss=places(fit.base_log_loss, _POINTS),
        reliability=places(fit.reliability, _POINTS),
        resolution=places(fit.resolution, _POINTS),
        uncertainty=places(fit.uncertainty, _POINTS),
        bins=[_bin(one) for one in filled[: parts.MAX_BINS]],
    )


def _bin(one: ReliabilityBin) -> parts.ReliabilityItem:
    return parts.ReliabilityItem(
        low=places(one.low, _SHARE),
        high=places(one.high, _SHARE),
        n=one.n,
        probability=_maybe(one.mean_probability, _SHARE),
        hit_rate=_maybe(one.hit_rate, _SHARE),
    )


def _sharpe(found: DeflatedSharpe) -> parts.DeflatedSharpeItem:
    return parts.DeflatedSharpeItem(
        sharpe_per_day=places(found.sharpe, _SHARE),
        days=found.days,
        benchmark=places(found.benchmark, _SHARE),
        probability=places(found.probability, _SHARE),
    )


def chain_report(found: ChainAnswer, *, now_ms: int, data_mode: DataMode) -> answers.ChainReportResponse:
    """What verifying the record found."""
    report = found.report
    return answers.ChainReportResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        walked=iso_utc(found.walked_ms),
        age_s=age_s(now_ms, found.walked_ms),
        ok=not report.broken,
        chains=report.chains,
        signals=report.signals,
        outcomes=report.outcomes,
        broken=[
            answers.BrokenLinkItem(
                chain=clip(chain, NAME_CHARS), seq=max(0, seq), reason=clip(why, DETAIL_CHARS)
            )
            for chain, seq, why in report.broken[: answers.MAX_BROKEN]
        ],
    )


def signal_stats(stats: SignalStats, *, now_ms: int, data_mode: DataMode) -> answers.SignalStatsResponse:
    """Counts, the largest first; sums are of all of them."""
    rows = sorted(
        stats.counts, key=lambda row: (-row.count, row.symbol, row.trigger, row.mode, row.direction)
    )
    return answers.SignalStatsResponse(
        timestamp=iso_utc(now_ms),
        data_mode=data_mode,
        as_of=iso_utc(stats.as_of_ms),
        since=iso_utc(stats.since_ms),
        total=sum(row.count for row in rows),
        totals=_totals(rows),
        items=[_count(row) for row in rows[: answers.MAX_COUNTS]],
        truncated=len(rows) > answers.MAX_COUNTS,
    )


def _totals(rows: Sequence[SignalCount]) -> list[answers.SignalTotalItem]:
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        sums[row.trigger, row.direction] += row.count
    return [
        answers.SignalTotalItem(trigger=trigger, direction=direction, count=sums[trigger, direction])
        for trigger in Trigger
        for direction in Direction
        if sums[trigger, direction]
    ]


def _count(row: SignalCount) -> answers.SignalCountItem:
    return answers.SignalCountItem(
        symbol=row.symbol,
        trigger=Trigger(row.trigger),
        mode=Mode(row.mode),
        direction=Direction(row.direction),
        count=row.count,
        mean_score=places(toward_neutral(row.mean_score, 2), 2),
        mean_coverage=places(row.mean_coverage, _SHARE),
    )
