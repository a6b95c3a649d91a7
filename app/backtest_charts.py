"""Charts of a backtest's report as inline SVG: running totals, reliability, intervals around zero.

Text keeps its size on every screen: lines are drawn in a stretched inner box, words stand in percent beside
them. Nothing is told by colour alone. A part of `backtest`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from app.backtest_figures import day, is_known, percent, signed_percent
from app.backtest_markup import Html, paragraph, tag, text
from app.core.backtest.report import Curve
from app.core.domain.track_record import Mean, ReliabilityBin

# Sides of the inner box; a tenth of a unit is finer than a pixel.
_BOX = 1000.0
_STRETCHED = {"viewBox": "0 0 1000 1000", "preserveAspectRatio": "none"}
# Where the inner box lies in the outer one, in percent of its height.
_TOP, _TALL = 4.0, 84.0
# Totals beyond this many stakes are no totals.
_SANE = 1e9
_COLOURS, _DASHES = 7, ("", "7 4", "2 4")
_TICKS = 5
_PLOT, _EDGE = 290.0, 40.0


@dataclass(frozen=True, slots=True)
class Interval:
    """One line of a chart of intervals: name, figures, and both in words. is_told: there is enough data to
    mark an interval on one side of 0 as good or bad."""

    name: str
    mean: Mean | None
    words: str
    is_told: bool


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the box spans: UTC ms to the right, totals upward."""

    from_ms: int
    to_ms: int
    low: float
    high: float

    def x(self, at_ms: int) -> float:
        return _part(at_ms, self.from_ms, self.to_ms)

    def y(self, total: float) -> float:
        """Downward, as pictures count."""
        return 1.0 - _part(total, self.low, self.high)


def equity_chart(curves: Sequence[Curve], engine: str, *, key: str, said: str) -> Html:
    """Running totals over time, the engine's thick; names with their last totals under it.

    key: of this chart in its page; said: which lines there are, in words.
    """
    drawn = [Curve(one.name, _sane(one.points)) for one in curves]
    drawn = [one for one in drawn if one.points]
    if not drawn:
        return paragraph("No running total to draw: no trade was scored.", class_="note")
    times = [at for one in drawn for at, _ in one.points]
    totals = [total for one in drawn for _, total in one.points]
    ticks = _ticks(min(0.0, *totals), max(0.0, *totals))
    frame = _Frame(min(times), max(times), ticks[0], ticks[-1])
    # The engine comes last, so that no other line covers it.
    order = sorted(range(len(drawn)), key=lambda k: drawn[k].name == engine)
    lines = [_polyline(drawn[k], frame, _style(k, drawn[k].name, engine)) for k in order]
    picture = tag(
        "svg",
        *_spoken(key, f"Running total of net returns: {said}", _equity_words(drawn, frame)),
        *(_level(tick, frame) for tick in ticks),
        tag("svg", *lines, y=f"{_TOP:g}%", width="100%", height=f"{_TALL:g}%", **_STRETCHED),
        *(_total(tick, frame) for tick in ticks),
        *(_date(frame, part, anchor) for part, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))),
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        class_="equity",
        width="100%",
        height="320",
    )
    legend = tag("ul", *(_legend(k, one, engine) for k, one in enumerate(drawn)), class_="legend")
    caption = f"{said}: running total after costs, one unit of stake a trade, in percent of it."
    return tag("figure", tag("figcaption", text(caption)), picture, legend)


def _spoken(key: str, title: str, description: str) -> tuple[Html, Html]:
    """What a picture says to who cannot see it."""
    return (
        tag("title", text(title), id=f"{key}-title"),
        tag("desc", text(description), id=f"{key}-desc"),
    )


def _equity_words(curves: Sequence[Curve], frame: _Frame) -> str:
    ends = ", ".join(f"{one.name} {signed_percent(one.points[-1][1])}" for one in curves)
    return f"From {day(frame.from_ms)} to {day(frame.to_ms)}, in percent of one stake. At the end: {ends}."


def _sane(points: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    return tuple((at, total) for at, total in points if math.isfinite(total) and abs(total) < _SANE)


def _style(index: int, name: str, engine: str) -> dict[str, str]:
    """Colour and dash together tell up to 21 lines apart."""
    if name == engine:
        return {"class_": "line engine"}
    dash = _DASHES[index % len(_DASHES)]
    found = {"class_": f"line c{index % _COLOURS}"}
    return {**found, "stroke_dasharray": dash} if dash else found


def _polyline(curve: Curve, frame: _Frame, style: dict[str, str]) -> Html:
    points = [f"{_BOX * frame.x(at):.1f},{_BOX * frame.y(total):.1f}" for at, total in curve.points]
    return tag("polyline", points=" ".join(points), **style)


def _part(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, 0 to 1; in the middle of nothing."""
    return (value - low) / (high - low) if high > low else 0.5


def _ticks(low: float, high: float) -> list[float]:
    """Round values that enclose low and high. Worked numbers: -0.03 to 0.12 -> -0.05, 0, 0.05, 0.1, 0.15."""
    raw = max(high - low, 1e-3) / (_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * one for one in (1.0, 2.0, 2.5, 5.0, 10.0) if power * one >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * k for k in range(first, max(last, first + 1) + 1)]


def _level(tick: float, frame: _Frame) -> Html:
    y = _height(tick, frame)
    return tag("line", x1="0", x2="100%", y1=y, y2=y, class_="grid" if tick else "zero")


def _total(tick: float, frame: _Frame) -> Html:
    """Over the lines, so that none hides it."""
    return tag("text", text(signed_percent(tick)), x="2", y=_height(tick, frame), dy="-3", class_="tick")


def _height(tick: float, frame: _Frame) -> str:
    return f"{_TOP + _TALL * frame.y(tick):.2f}%"


def _date(frame: _Frame, part: float, anchor: str) -> Html:
    at_ms = round(frame.from_ms + part * (frame.to_ms - frame.from_ms))
    return tag("text", text(day(at_ms)), x=f"{100 * part:g}%", y="97%", text_anchor=anchor, class_="tick")


def _legend(index: int, curve: Curve, engine: str) -> Html:
    line = tag("line", x1="0", x2="34", y1="6", y2="6", **_style(index, curve.name, engine))
    swatch = tag("svg", line, width="34", height="12", aria_hidden="true")
    words = tag("span", text(f"{curve.name} {signed_percent(curve.points[-1][1])}"))
    return tag("li", swatch, words)


def reliability_chart(bins: Sequence[ReliabilityBin], base_rate: float | None, horizon: str) -> Html:
    """What was said against what came true. Larger dots are more outcomes; on the diagonal is right."""
    dots = [
        (one.mean_probability, one.hit_rate, one.n)
        for one in bins
        if one.n > 0 and _is_share(one.mean_probability) and _is_share(one.hit_rate)
    ]
    if not dots:
        return paragraph("No reliability to draw: no probability could be judged.", class_="note")
    most = max(n for _, _, n in dots)
    spoken = "; ".join(f"said {percent(said)}, came true {percent(true)}, n {n:,}" for said, true, n in dots)
    picture = tag(
        "svg",
        *_spoken("reliability", f"Reliability, {horizon} after the signal", f"{spoken}."),
        *_axes(),
        *([_base_line(base_rate)] if _is_share(base_rate) else []),
        *(_dot(said, true, 3.0 + 9.0 * math.sqrt(n / most)) for said, true, n in dots),
        role="img",
        aria_labelledby="reliability-title reliability-desc",
        class_="reliability",
        viewBox="0 0 350 346",
    )
    caption = (
        "Right: chance that was said. Up: share that came true. Dots: ten bins, larger with more outcomes. "
        "Diagonal: said and true alike."
    )
    caption += (
        f" Dashed: share of all of them that came true, {percent(base_rate)}." if _is_share(base_rate) else ""
    )
    return tag("figure", tag("figcaption", text(caption)), picture, class_="narrow")


def _is_share(value: float | None) -> TypeGuard[float]:
    return value is not None and 0.0 <= value <= 1.0


def _axes() -> list[Html]:
    found = [tag("line", x1=_x(0), y1=_y(0), x2=_x(1), y2=_y(1), class_="diagonal")]
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        label = text(f"{part:.0%}")
        found += [
            tag("line", x1=_x(0), x2=_x(1), y1=_y(part), y2=_y(part), class_="grid"),
            tag("line", x1=_x(part), x2=_x(part), y1=_y(0), y2=_y(1), class_="grid"),
            tag("text", label, x="35", y=_y(part), dy="4", text_anchor="end", class_="tick"),
            tag("text", label, x=_x(part), y="316", text_anchor="middle", class_="tick"),
        ]
    said = text("chance that was said")
    return [*found, tag("text", said, x=_x(0.5), y="338", text_anchor="middle", class_="tick")]


def _base_line(rate: float) -> Html:
    return tag("line", x1=_x(0), x2=_x(1), y1=_y(rate), y2=_y(rate), class_="base", stroke_dasharray="5 4")


def _dot(said: float, true: float, radius: float) -> Html:
    return tag("circle", cx=_x(said), cy=_y(true), r=f"{radius:.1f}", class_="dot")


def _x(part: float) -> str:
    return f"{_EDGE + _PLOT * part:.1f}"


def _y(part: float) -> str:
    return f"{8.0 + _PLOT * (1.0 - part):.1f}"


def interval_chart(caption: str, rows: Sequence[Interval], *, unit: str, scale: float) -> Html:
    """Means with their intervals around zero, all to one scale. The figures stand in words beside each bar.

    unit, scale: of what is shown; 1e4 turns fractions into basis points.
    """
    known = [one.mean for one in rows if is_known(one.mean)]
    reach = max((abs(part) for one in known for part in (one.low, one.high, one.mean)), default=0.0) or 1.0
    ends = f"{reach * scale:.3g}{unit}"
    said = f"{caption} Bars go from -{ends} to +{ends}; the line in the middle is 0." if known else caption
    items = [
        tag(
            "li",
            tag("b", text(one.name)),
            _bar(one.mean, reach, is_told=one.is_told),
            tag("span", text(one.words)),
        )
        for one in rows
    ]
    return tag("figure", tag("figcaption", text(said)), tag("ul", *items, class_="intervals"))


def _bar(mean: Mean | None, reach: float, *, is_told: bool) -> Html:
    parts = [
        tag("line", x1="0", x2="100%", y1="9", y2="9", class_="grid"),
        tag("line", x1="50%", x2="50%", y1="0", y2="18", class_="zero"),
    ]
    if is_known(mean):
        low, at, high = (f"{50.0 + 49.0 * part / reach:.2f}%" for part in (mean.low, mean.mean, mean.high))
        kind = "even" if mean.holds_zero or not is_told else "good" if mean.low > 0 else "bad"
        parts += [
            tag("line", x1=low, x2=high, y1="9", y2="9", class_=f"range {kind}"),
            tag("circle", cx=at, cy="9", r="4.5", class_=f"point {kind}"),
        ]
    # The words beside it say all of it.
    return tag("svg", *parts, width="100%", height="18", aria_hidden="true")
