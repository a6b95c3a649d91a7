"""Grafana's JSON: panels, rows, variables and the grid they stand on. What they show is for others to say.

Every panel has an expression, a unit, and a sentence that says how to read it. The data source is a variable,
so the same files work beside any Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# Of Grafana 11; later versions read it and bring it up to date in memory.
SCHEMA_VERSION = 39
WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_GOOD, _CARE, _BAD = "green", "orange", "red"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression. legend: of its series, with labels as {{name}}."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. unit: Grafana's id of it; width, height: of 24 columns and in rows of 30 pixels.

    limits: from where on a value is doubtful and bad, drawn as colours. words: text and colour of
    single values. low, high: of the axis. options, custom: Grafana's own, for this kind of panel.
    """

    kind: str
    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str
    width: int = 8
    height: int = 8
    limits: tuple[float, float] | None = None
    words: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    low: float | None = 0.0
    high: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    transformations: tuple[Json, ...] = ()
    is_instant: bool = False

    def json(self, number: int, x: int, y: int) -> Json:
        """As Grafana reads it, at a place of the grid."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "datasource": _SOURCE,
            "targets": [self._target(index, query) for index, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": dict(self.options),
            "transformations": list(self.transformations),
        }

    def _target(self, index: int, query: Query) -> Json:
        return {
            "refId": chr(ord("A") + index),
            "datasource": _SOURCE,
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "instant": self.is_instant,
            "range": not self.is_instant,
            "format": "table" if self.kind == "table" else "time_series",
        }

    def _defaults(self) -> Json:
        steps: list[Json] = [{"color": _GOOD, "value": None}]
        if self.limits is not None:
            steps += [{"color": _CARE, "value": self.limits[0]}, {"color": _BAD, "value": self.limits[1]}]
        defaults: Json = {
            "unit": self.unit,
            "thresholds": {"mode": "absolute", "steps": steps},
            "custom": dict(self.custom),
            "noValue": "-",
        }
        defaults |= {} if self.low is None else {"min": self.low}
        defaults |= {} if self.high is None else {"max": self.high}
        if self.words:
            texts = {
                str(value): {"text": text, "color": color, "index": place}
                for place, (value, (text, color)) in enumerate(self.words.items())
            }
            defaults["mappings"] = [{"type": "value", "options": texts}]
        return defaults


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, from left to right, line by line."""

    title: str
    panels: tuple[Panel, ...]


_LAST: Json = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}


def _legend(display: str, **more: Any) -> Json:
    return {"legend": {"displayMode": display, "placement": "bottom", "showLegend": True, **more}}


def lines(title: str, about: str, unit: str, *queries: Query, is_stacked: bool = False, **more: Any) -> Panel:
    """Lines over time, the last and the highest value in the legend; limits are dashed lines."""
    custom: Json = {"lineWidth": 1, "fillOpacity": 20 if is_stacked else 5, "showPoints": "never"}
    custom["stacking"] = {"mode": "normal" if is_stacked else "none", "group": "A"}
    custom["thresholdsStyle"] = {"mode": "dashed" if more.get("limits") else "off"}
    options = _legend("table", calcs=["lastNotNull", "max"]) | {"tooltip": {"mode": "multi", "sort": "desc"}}
    return Panel("timeseries", title, about, queries, unit, custom=custom, options=options, **more)


def figure(title: str, about: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """The newest value of each series, large, coloured by its limits."""
    options = _LAST | {"colorMode": "background", "graphMode": "none", "textMode": "auto"}
    return Panel("stat", title, about, queries, unit, options=options, is_instant=True, **more)


def names(title: str, about: str, *queries: Query, **more: Any) -> Panel:
    """The names of the series that are there, large; their values mean nothing."""
    options = _LAST | {"colorMode": "background", "graphMode": "none", "textMode": "name"}
    return Panel("stat", title, about, queries, "none", options=options, is_instant=True, **more)


def bars(title: str, about: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """The newest value of each series as a bar."""
    options = _LAST | {"orientation": "horizontal", "displayMode": "basic", "showUnfilled": True}
    return Panel("bargauge", title, about, queries, unit, options=options, is_instant=True, **more)


def shares(title: str, about: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Parts of a whole."""
    options = _LAST | {"pieType": "donut", "displayLabels": ["name", "percent"]} | _legend("list")
    return Panel("piechart", title, about, queries, unit, options=options, is_instant=True, **more)


def states(title: str, about: str, words: Mapping[int, tuple[str, str]], query: Query, **more: Any) -> Panel:
    """What state each series was in, as coloured stretches. words: text and colour of each value."""
    options = {"showValue": "auto", "rowHeight": 0.8, "mergeValues": True, "alignValue": "left"}
    return Panel("state-timeline", title, about, (query,), "none", words=words, options=options, **more)


def table(
    title: str, about: str, query: Query, columns: Sequence[str], *, value: str = "", **more: Any
) -> Panel:
    """Labels of the series as columns, in this order. value: heading of the value, left out when empty."""
    hidden = {name: True for name in ("Time", "__name__", *(() if value else ("Value",)))}
    order = {name: place for place, name in enumerate((*columns, "Value"))}
    shown: Json = {"excludeByName": hidden, "indexByName": order}
    shown["renameByName"] = {"Value": value} if value else {}
    organize: Json = {"id": "organize", "options": shown}
    options = {"showHeader": True, "cellHeight": "sm"}
    return Panel(
        *("table", title, about, (query,), "none"),
        options=options,
        transformations=(organize,),
        is_instant=True,
        **more,
    )


def dashboard(uid: str, title: str, about: str, rows: Sequence[Row]) -> Json:
    """One dashboard with its rows below each other."""
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["signals"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "links": [_links_to_the_others()],
        "templating": {"list": [_source_variable(), _role_variable()]},
        "annotations": {"list": []},
        "panels": list(_placed(rows)),
    }


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    number, y = 1, 0
    for row in rows:
        yield _heading(number, row.title, y)
        number, y, x, tallest = number + 1, y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            yield panel.json(number, x, y)
            number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
        y += tallest


def _heading(number: int, title: str, y: int) -> Json:
    place = {"h": 1, "w": WIDTH, "x": 0, "y": y}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _source_variable() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
    }


def _role_variable() -> Json:
    query = "label_values(service_info, role)"
    return {
        "name": "role",
        "label": "Process",
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "role"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _links_to_the_others() -> Json:
    return {
        "type": "dashboards",
        "title": "Dashboards",
        "tags": ["signals"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "icon": "external link",
    }
