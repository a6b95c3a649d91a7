"""The log of published probabilities, scored, as text. A part of `store`, split off."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.calibration.log_report import LogReport, score_log
from app.core.domain.stored import ProbabilityRow
from app.core.store_ports import ProbabilityLog

MAX_ROWS = 500_000  # the newest; more would not change what is said


async def describe_probabilities(log: ProbabilityLog) -> str:
    """How many are open, resolved and unscorable, and per horizon how good they were."""
    open_, scored, lost = await log.counts()
    lines = [f"{open_:,} open, {scored:,} resolved, {lost:,} unscorable (no candles in time)"]
    rows = await log.resolved(MAX_ROWS)
    lines += [format_report(report) for report in reports_of(rows)]
    return "\n".join(lines)


def reports_of(rows: Sequence[ProbabilityRow]) -> list[LogReport]:
    """One per horizon that has resolved rows, shortest first."""
    return [score_log(rows, horizon_h) for horizon_h in sorted({row.horizon_h for row in rows})]


def format_report(report: LogReport) -> str:
    """Scores, reliability in ten bins, and whether a calibration would help."""
    lines = [
        f"{report.horizon_h:g} h: {report.n:,} windows that do not overlap, Brier {report.brier:.4f}, "
        f"log loss {report.log_loss:.4f}"
    ]
    for one in report.bins:
        if one.mean_probability is not None and one.hit_rate is not None:
            said, came = f"{one.mean_probability:.2f}", f"{one.hit_rate:.2f}"
            lines.append(f"  said {said}: came true {came} ({one.n:,})")
    if report.calibration is None or report.gain is None:
        lines.append(f"  not calibrated: {report.note}")
    else:
        fitted, gain = report.calibration, report.gain
        verdict = "helps" if report.is_kept else "does not beat what is shown"
        lines.append(
            f"  a calibration (a {fitted.alpha:+.2f}, b {fitted.beta:.2f}) {verdict}: "
            f"log loss {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        )
    return "\n".join(lines)
