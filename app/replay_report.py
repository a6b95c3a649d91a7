"""The Markdown of one measurement, as it is pasted into `docs/measured.md`. Text only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from app.core.backtest.distribution import Distribution


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run: what was asked, what was answered. unanswered: problem codes by count (no price, ...)."""

    symbol: str
    start_ms: int
    end_ms: int
    step: str
    command: str
    distribution: Distribution
    unanswered: dict[str, int]


def render_markdown(run: Measurement) -> str:
    """A heading, the command, and four small tables; shares in percent of the answered steps."""
    found = run.distribution
    lines = [
        f"### {run.symbol}, {_day(run.start_ms)} to {_day(run.end_ms)}, every {run.step}",
        "",
        f"`{run.command}`",
        "",
        f"{found.steps} answers. Score: mean {found.score_mean:.1f}, sd {found.score_sd:.1f}.",
        "",
        *_percentile_table(found),
        *_share_table(found),
        *_count_table("coverage", {f"{c:.0%}": n for c, n in found.coverage_steps.items()}, found.steps),
        *_missing_table(found),
        _correlation_line(found),
        "",
    ]
    if run.unanswered:
        refused = ", ".join(f"{code} {n}" for code, n in run.unanswered.items())
        lines += [f"Steps without an answer: {refused}.", ""]
    return "\n".join(lines)


def _percentile_table(found: Distribution) -> list[str]:
    names = " | ".join(str(p) for p in found.score_percentiles)
    values = " | ".join(f"{v:.1f}" for v in found.score_percentiles.values())
    rule = "---|" * len(found.score_percentiles)
    return [f"| score percentile | {names} |", f"|---|{rule}", f"| | {values} |", ""]


def _share_table(found: Distribution) -> list[str]:
    rows = [
        f"| {mode} | {share['LONG']:.1%} | {share['NEUTRAL']:.1%} | {share['SHORT']:.1%} |"
        for mode, share in found.shares.items()
    ]
    return ["| mode | LONG | NEUTRAL | SHORT |", "|---|---|---|---|", *rows, ""]


def _missing_table(found: Distribution) -> list[str]:
    if not found.missing_steps:
        return ["Every factor counted in every answer.", ""]
    return _count_table("factor not counted", dict(found.missing_steps), found.steps)


def _count_table(title: str, counts: dict[str, int], steps: int) -> list[str]:
    rows = [f"| {name} | {n} | {n / steps:.1%} |" for name, n in counts.items()]
    return [f"| {title} | answers | share |", "|---|---|---|", *rows, ""]


def _correlation_line(found: Distribution) -> str:
    parts = [
        f"{n} step{'s' if n > 1 else ''} {'n/a' if value is None else f'{value:+.3f}'}"
        for n, value in found.rank_correlation.items()
    ]
    return f"Rank correlation of the score with the return over the next {', '.join(parts)}."


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
