"""Holds the import table of docs/architecture.md: who may import whom, and which libraries.

Every module of `app` belongs to exactly one group (longest prefix wins); a module in no group fails, so a new
layer cannot appear unnoticed. Rows for layers still to come are here already.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Group -> module prefixes.
GROUPS: dict[str, tuple[str, ...]] = {
    "domain": ("app.core.domain",),
    "errors": ("app.core.errors",),
    "clock": ("app.core.clock",),
    "factors": ("app.core.factors",),
    "smc": ("app.core.smc",),
    "flow": ("app.core.flow",),
    "heatmap": ("app.core.heatmap",),
    "outcomes": ("app.core.outcomes",),
    "chain": ("app.core.chain",),
    "confluence": ("app.core.confluence",),
    "ports": (
        "app.core.ports",
        "app.core.store_ports",
        "app.core.history_ports",
        "app.core.chart_ports",
        "app.core.stream_ports",
        "app.core.bus_ports",
        "app.core.outcome_ports",
