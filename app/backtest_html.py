"""The page of a backtest: one file, no script, nothing from elsewhere, readable on a phone and on paper.

Owns the frame and what comes first: what was run, the verdict, the headline in large figures. The parts under
it are `backtest_sections`. A part of `backtest`.
"""

from __future__ import annotations

from app.backtest_cautions import days_words
from app.backtest_figures import (
    UNKNOWN,
    bp,
    count,
    effective,
    hit_rate,
    is_known,
    mean_bp,
    moment,
    percent,
    share_interval,
    signed_percent,
)
from app.backtest_markup import Html, join, paragraph, section, style, tag, text
from app.backtest_sections import Part, parts_of
from app.backtest_style import STYLE
from app.backtest_words import asked_words, banner, missing_line, no_outcome, weights_line
from app.core.backtest.report import BacktestReport
from app.core.backtest.weights import WeightsReport
from app.core.domain.formatting import format_minutes
from app.core.domain.track_record import ENOUGH_EFFECTIVE_N, HorizonRecord, TradeStats

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_html(report: BacktestReport, weights: WeightsReport | None = None, *, summary: str) -> str:
    """The whole page. The same report gives the same bytes.

    summary: what the record shows, in one plain sentence; the page has no second opinion.
    """
    title = f"Backtest: {', '.join(one.base for one in report.coins) or 'no coins'}"
    parts = parts_of(report, weights)
    page = tag(
        "html",
        _head(f"{title}, {moment(report.from_ms)} to {moment(report.to_ms)} UTC"),
        tag(
            "body",
            tag("header", tag("h1", text(title)), _banner(report.data_mode), _facts(report)),
            tag(
                "main",
                _verdict(report, summary),
                _contents(parts),
                *(section(one.key, one.title, *one.content) for one in parts),
            ),
            tag("footer", paragraph("Made by python -m app.backtest: same data, same page.", class_="note")),
        ),
        lang="en",
    )
    return f"<!doctype html>{page}\n"


def _head(title: str) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        # An icon of nothing: else browsers would ask the host for one.
        tag("link", rel="icon", href="data:,"),
        tag("title", text(title)),
        style(STYLE),
    )


def _banner(data_mode: str) -> Html:
    found = banner(data_mode)
    if found is None:
        return join([])
    return tag("p", tag("strong", text(found.title)), text(found.meaning), class_="banner", role="note")


def _facts(report: BacktestReport) -> Html:
    covered = ", ".join(f"{one.base} ({one.evaluations:,} evaluations)" for one in report.coins)
    record = report.record
    sides = f"{count(record.long)} LONG, {count(record.neutral)} NEUTRAL, {count(record.short)} SHORT"
    facts = (
        ("Data", f"{report.source} (data mode: {report.data_mode})"),
        ("Period", f"{moment(report.from_ms)} to {moment(report.to_ms)} UTC, {days_words(report)}"),
        ("Coins", covered or "none"),
        ("Missing inputs", missing_line(report)),
        ("Step", f"one evaluation every {format_minutes(report.step_ms // 60_000)}"),
        ("Moments", asked_words(report)),
        ("Engine", f"version {report.engine_version}"),
        ("Weights", weights_line(report)),
        ("Signals", f"{sides}, out of {count(record.evaluations)} evaluations"),
    )
    pairs = [part for name, said in facts for part in (tag("dt", text(name)), tag("dd", text(said)))]
    return tag("dl", *pairs, class_="facts")


def _verdict(report: BacktestReport, summary: str) -> Html:
    found = report.record.at_headline
    figures = paragraph(no_outcome(report.record)) if found is None else _tiles(found)
    return tag(
        "section",
        tag("h2", text("What it came to"), id="verdict"),
        paragraph(summary, class_="verdict"),
        figures,
        aria_labelledby="verdict",
    )


def _tiles(found: HorizonRecord) -> Html:
    engine = found.engine
    tiles = (
        ("Hit rate", hit_rate(engine), _rate_words(engine)),
        (
            "Break-even",
            percent(engine.break_even),
            "wins needed at the mean win and mean loss of these trades",
        ),
        ("Mean net, a trade", _with_bp(engine), _mean_words(engine)),
        (
            "Effective n",
            effective(engine.effective_n),
            f"of n {count(engine.scored)} scored; {ENOUGH_EFFECTIVE_N:.0f} are needed to claim anything",
        ),
        ("Total net", signed_percent(engine.total_net_frac), "of one stake, one stake a trade"),
        ("Largest fall", percent(engine.max_drawdown_frac), "of the running total, of one stake"),
    )
    items = [
        tag("div", tag("dt", text(name)), tag("dd", tag("b", text(figure)), text(words)))
        for name, figure, words in tiles
    ]
    return join([paragraph(f"{found.horizon} after the signal:"), tag("dl", *items, class_="tiles")])


def _rate_words(engine: TradeStats) -> str:
    if engine.hit_rate is None:
        return "no trade was scored"
    return f"{share_interval(engine.hit_rate_apart)} (95 %, effective n), n {count(engine.scored)}"


def _with_bp(engine: TradeStats) -> str:
    mean = engine.mean_net
    return f"{bp(mean.mean)} bp" if is_known(mean) else UNKNOWN


def _mean_words(engine: TradeStats) -> str:
    if not is_known(engine.mean_net):
        return "no trade was scored" if engine.scored == 0 else "all trades in one block of time"
    return f"{mean_bp(engine.mean_net).partition(' ')[2]} bp (95 %), after costs"


def _contents(parts: tuple[Part, ...]) -> Html:
    links = [tag("li", tag("a", text(one.title), href=f"#{one.key}")) for one in parts]
    return tag("nav", tag("ul", *links), aria_label="Parts of this page")
