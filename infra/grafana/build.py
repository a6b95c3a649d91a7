"""The dashboards, and the files they are written to. Called by `python -m infra.grafana` and by a test."""

from __future__ import annotations

import json
from pathlib import Path

from infra.grafana.data import data_rows
from infra.grafana.overview import overview_rows
from infra.grafana.panels import Json, dashboard
from infra.grafana.stream import stream_rows

FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, Json]:
    """By file name."""
    return {
        "overview.json": dashboard(
            "signals-overview",
            "Overview",
            "What is wrong now, what traders get, and how the processes do.",
            overview_rows(),
        ),
        "data.json": dashboard(
            "signals-data",
            "Providers and data",
            "Where figures come from, how old and how complete they are, and what of the budget is left.",
            data_rows(),
        ),
        "stream.json": dashboard(
            "signals-stream",
            "Stream and alerts",
            "From the upstream sockets to messages that arrive, and what is stored on the way.",
            stream_rows(),
        ),
    }


def dashboard_files() -> dict[str, str]:
    """Text by file name, as committed."""
    return {name: json.dumps(board, indent=1) + "\n" for name, board in dashboards().items()}
