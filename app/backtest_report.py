"""The Markdown of a backtest, as it is pasted into docs/measured.md. Text only. A part of `backtest`."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.backtest.pools import PoolReport
from app.core.backtest.setups import SetupReport
from app.core.backtest.sweep import Scored, SweepReport


def render_sweeps(names: Sequence[str], bar_size: str, split: str, reports: Sequence[SweepReport]) -> str:
    """One table of scores for all horizons, what is shipped and why, and its reliability."""
    lines = [
        f"Bars of {bar_size}: {'; '.join(names)}. Fitted before {split} UTC, scored after it.",
        "",
        "| test windows, Brier / log loss | " + " | ".join(_column(report) for report in reports) + " |",
        "|---|" + "---|" * len(reports),
    ]
    for index, first in enumerate(reports[0].scored):
        cells = " | ".join(_cell(report.scored[index]) for report in reports)
        lines.append(f"| {first.name} | {cells} |")
    lines += ["", "Brier score less the table's, 95 % by block bootstrap (below 0 is better):", ""]
    lines += [
        "| | " + " | ".join(f"{report.horizon_h:g} h" for report in reports) + " |",
        "|---|" + "---|" * len(reports),
    ]
    for index, first in enumerate(reports[0].scored):
        if first.against_table is not None:
            cells = " | ".join(_difference(report.scored[index]) for report in reports)
            lines.append(f"| {first.name} | {cells} |")
    lines.append("")
    for report in reports:
        lines.append(f"Shown at {report.horizon_h:g} h: **{report.ships}** ({report.why}).")
    return "\n".join([*lines, "", ""])


def _column(report: SweepReport) -> str:
    return f"{report.horizon_h:g} h (n {report.test_n:,}, fitted on {report.train_n:,})"


def _cell(scored: Scored) -> str:
    text = f"{scored.brier:.4f} / {scored.log_loss:.4f}"
    if scored.calibration is not None:
        text += f" (a {scored.calibration.alpha:+.2f}, b {scored.calibration.beta:.2f})"
    return text


def _difference(scored: Scored) -> str:
    found = scored.against_table
    if found is None:
        return ""
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}], effective n {found.effective_n:.0f}"


def render_pools(report: PoolReport) -> str:
    """Levels against their mirrors."""
    lines = [
        "| level (N = 10) | n | traded within 24 h | mirrored | difference | closed back inside | mirrored |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in report.attractions:
        difference = f"{one.touched - one.mirrored:+.3f} (s.e. {one.difference_se:.3f})"
        lines.append(
            f"| {one.name} | {one.n:,} | {one.touched:.3f} | {one.mirrored:.3f} | {difference} "
            f"| {one.closed_back:.2f} | {one.mirrored_back:.2f} |"
        )
    return "\n".join([*lines, ""])


def render_setups(reports: Sequence[SetupReport]) -> str:
    """Share of hours with a plan, and the followed ones against their odds."""
    lines = [
        "| hours of | n | with a plan | long / short | followed | filled (said) | target first (said) "
        "| stop first (said) | mean R before fees |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in reports:
        sides = f"{_share(one.long, one.hours)} / {_share(one.short, one.hours)}"
        plans = f"{_share(one.with_plan, one.hours)} | {sides}"
        result = "-" if one.r_mean is None else f"{one.r_mean:+.2f}"
        lines.append(
            f"| {one.name} | {one.hours:,} | {plans} | {one.followed} "
            f"| {_share(one.filled, one.followed)} ({one.said_fill:.1%}) "
            f"| {_share(one.target, one.filled)} ({one.said_target:.1%}) "
            f"| {_share(one.stop, one.filled)} ({one.said_stop:.1%}) | {result} |"
        )
    return "\n".join([*lines, ""])


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
