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
    # An alert as text: what the store keeps, other systems receive and the outbox carries.
    "alert_codec": ("app.core.alerting.codec",),
    "confluence": ("app.core.confluence",),
    "ports": (
        "app.core.ports",
        "app.core.store_ports",
        "app.core.history_ports",
        "app.core.chart_ports",
        "app.core.stream_ports",
        "app.core.bus_ports",
        "app.core.outcome_ports",
        "app.core.chat_ports",
        "app.core.record_ports",
        "app.core.access_ports",
    ),
    "calibration": ("app.core.calibration",),
    # Evaluations and outcomes as columns, and the record made of them.
    "record": ("app.core.record",),
    "engine": (
        "app.core.signal_engine",
        "app.core.confidence",
        "app.core.market_sentiment",
        "app.core.alerting",
        "app.core.backtest",
    ),
    "transport": ("app.services.transport",),
    "coinglass": ("app.services.coinglass",),
    "okx": ("app.services.okx",),
    "spot": ("app.services.spot",),
    "sentiment": ("app.services.sentiment",),
    "telegram": ("app.services.telegram",),
    "webhook": ("app.services.webhook",),
    "storage": ("app.services.storage",),
    "charts": ("app.services.charts",),
    "bus": ("app.services.bus",),
    "use_cases": ("app.services",),
    "settings": ("app.settings", "app.settings_values", "app.signals_config", "app.alerts_config"),
    # Logs, figures by what they are of, and traces.
    "telemetry": (
        "app.telemetry",
        "app.telemetry_audit",
        "app.telemetry_http",
        "app.telemetry_labels",
        "app.telemetry_live",
        "app.telemetry_metrics",
        "app.telemetry_process",
        "app.telemetry_record",
        "app.telemetry_signals",
        "app.telemetry_store",
        "app.telemetry_stream",
        "app.telemetry_tracing",
        "app.telemetry_upstream",
    ),
    "sim": ("app.sim",),
    "api": ("app.api",),
    "commands": (
        "app.bootstrap",
        "app.bootstrap_base",
        "app.bootstrap_use_cases",
        "app.bootstrap_live",
        "app.bootstrap_record",
        "app.bootstrap_live",
        "app.bootstrap_stream",
        "app.bootstrap_sources",
        "app.bootstrap_telemetry",
        "app.bootstrap_worker_view",
        "app.bootstrap_messages",
        "app.bootstrap_poller",
        "app.data_modes",
        "app.demo_past",
        "app.main",
        "app.listening",
        "app.worker_door",
        "app.web_server",
        "app.web_door",
        "app.http_connection",
        "app.web_sockets",
        "app.worker",
        # The study of recorded cascades and its report.
        "app.flow_study",
        "app.flow_study_data",
        "app.flow_study_report",
        "app.replay",
        # Parts of main and replay, split off for their size.
        "app.replay_report",
        "app.simulator_child",
        "app.providers_doc",
        "app.backtest",
        "app.backtest_data",
        "app.backtest_history",
        "app.backtest_stored",
        "app.backtest_run",
        "app.backtest_market",
        "app.backtest_files",
        "app.backtest_report",
        # The report of a backtest: figures, sentences and tables, shown as a page, Markdown and JSON.
        "app.backtest_figures",
        "app.backtest_words",
        "app.backtest_cautions",
        "app.backtest_tables",
        "app.backtest_study_tables",
        "app.backtest_markup",
        "app.backtest_charts",
        "app.backtest_style",
        "app.backtest_sections",
        "app.backtest_html",
        "app.backtest_markdown",
        "app.backtest_json",
        "app.progress_line",
        "app.backfill",
        "app.backfill_parts",
        "app.backfill_text",
        "app.recorded_import",
        "app.recorded_cells",
        "app.recorded_liquidations",
        "app.recorded_rows",
        "app.store",
        # Parts of store: running Alembic, what is rebuilt, what is shown.
        "app.migrate",
        "app.store_probabilities",
        "app.store_rebuild",
        "app.store_backup",
        "app.store_status",
        "app.doctor",
        # Its parts: how probes are run and shown, what they share, and the probes by subject.
        "app.doctor_run",
        "app.doctor_report",
        "app.doctor_deployment",
        "app.doctor_settings",
        "app.doctor_access",
        "app.doctor_machine",
        "app.doctor_providers",
        "app.doctor_stream",
        "app.doctor_database",
        "app.doctor_redis",
        "app.doctor_messages",
        "app.doctor_service",
        "app.keys",
        # What keys shows, and what commands write into the audit log.
        "app.keys_text",
        "app.cli_audit",
    ),
}
# The package files themselves: empty, and nobody's layer.
BARE_PACKAGES = {"app", "app.core"}

_PURE = ("factors", "smc", "flow", "heatmap", "outcomes", "chain", "alert_codec")
CORE = frozenset(
    {"domain", "errors", "clock", "factors", "smc", "flow", "heatmap", "outcomes", "chain", "confluence"}
    | {"alert_codec"}
    | {"ports", "calibration", "record", "engine"}
)
PROVIDER = frozenset({"domain", "errors", "ports", "transport"})

# Group -> groups it may import besides itself.
MAY_IMPORT: dict[str, frozenset[str]] = {
    # One row of the table: these three may use each other, and the domain's errors are the domain's words.
    "domain": frozenset({"errors"}),
    "errors": frozenset({"domain"}),
    "clock": frozenset({"domain", "errors"}),
    **{name: frozenset({"domain", "errors"}) for name in _PURE},
    # The bucket of a price is pure arithmetic of the heatmap, and part of every stored liquidation.
    "flow": frozenset({"domain", "errors", "heatmap"}),
    "confluence": frozenset({"domain", "smc"}),
    "ports": frozenset({"domain", "errors"}),
    "calibration": frozenset({"domain", "errors"}),
    "record": frozenset({"domain", "errors", "calibration", "outcomes"}),
    "engine": CORE,
    "transport": frozenset({"errors"}),
    **{name: PROVIDER for name in ("coinglass", "okx", "spot", "sentiment", "telegram", "webhook")},
    # The bucket of a price and the links of a chain are pure arithmetic that the store writes down; the text
    # of an alert is what it keeps.
    "storage": frozenset({"domain", "errors", "ports", "heatmap", "chain", "alert_codec"}),
    "charts": frozenset({"domain", "errors", "ports", "heatmap"}),
    # One link to Redis, with its short timeouts and rests, serves cache, quota and bus.
    "bus": frozenset({"domain", "errors", "ports", "transport"}),
    "use_cases": CORE,
    "settings": frozenset(),
    "telemetry": frozenset(),
    "sim": frozenset({"domain"}),
    "api": frozenset({"use_cases", "domain", "errors"}),
    "commands": frozenset(GROUPS),
}

NUMPY = frozenset({"numpy"})
HTTP_API = frozenset({"fastapi", "starlette", "pydantic"})
ANY_LIBRARY = frozenset({"*"})

# Group -> third-party packages it may import. Absent: the standard library only.
LIBRARIES: dict[str, frozenset[str]] = {
    **{name: NUMPY for name in CORE - {"domain", "errors", "clock"}},
    # Ids are hashes of packed facts, and alerts are stored as JSON text: msgspec does both in C.
    "flow": frozenset({"numpy", "msgspec"}),
    "engine": frozenset({"numpy", "msgspec"}),
    "alert_codec": frozenset({"msgspec"}),
    "transport": frozenset(
        {"httpx2", "tenacity", "aiolimiter", "cachetools", "redis", "msgspec", "websockets"}
    ),
    # msgspec reads the wire. httpx2 lends the type of the transport that tests inject; making a client of it
    # is forbidden by test_house_rules. The stream of CoinGlass and OKX is a WebSocket. cachetools bounds
    # what an adapter remembers.
    "coinglass": frozenset({"msgspec", "httpx2", "websockets", "cachetools"}),
    "okx": frozenset({"msgspec", "httpx2", "websockets", "cachetools"}),
    "spot": frozenset({"msgspec", "httpx2"}),
    "sentiment": frozenset({"msgspec", "httpx2", "cachetools"}),
    # httpx comes with python-telegram-bot: its errors say whether a message may have arrived.
    "telegram": frozenset({"telegram", "httpx"}),
    # Signed calls to other systems, over the transport's HTTP client.
    "webhook": frozenset({"msgspec"}),
    "storage": frozenset({"sqlalchemy", "asyncpg", "aiosqlite", "msgspec"}),
    "charts": frozenset({"PIL", "numpy"}),
    "bus": frozenset({"redis", "msgspec"}),
    "settings": frozenset({"pydantic", "pydantic_settings"}),
    # The packages of OpenTelemetry are loaded where an endpoint is set.
    "telemetry": frozenset({"structlog", "prometheus_client", "opentelemetry"}),
    "sim": frozenset({"fastapi", "starlette", "uvicorn", "websockets", "numpy"}),
    "api": HTTP_API | {"mcp", "mcp_types"},
    "commands": ANY_LIBRARY,
}


def group_of(module: str) -> str | None:
    """The group whose longest prefix holds `module`; None when it is in no row."""
    hits = [
        (len(prefix), group)
        for group, prefixes in GROUPS.items()
        for prefix in prefixes
        if module == prefix or module.startswith(prefix + ".")
    ]
    return max(hits)[1] if hits else None


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(source: str, module: str, *, is_package: bool) -> Iterable[str]:
    """Every module named by an import, wherever it stands (functions and TYPE_CHECKING blocks included).

    `from app.services import okx` names a module of the package, so each name is tried as one.
    """
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                kept = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*kept, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}" if _is_module(f"{base}.{alias.name}") else base


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    # A layer still to come counts by its row.
    declared = any(name in prefixes for prefixes in GROUPS.values())
    return name.startswith("app.") and (declared or path.is_dir() or path.with_suffix(".py").is_file())


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What `module` imports against the table, one sentence each."""
    if module in BARE_PACKAGES:
        return [f"{module} must stay empty" for _ in imported_modules(source, module, is_package=True)]
    group = group_of(module)
    if group is None:
        return [f"{module} belongs to no row of the import table"]
    found = []
    for target in imported_modules(source, module, is_package=is_package):
        top = target.partition(".")[0]
        if top == "app":
            target_group = group_of(target)
            if target not in BARE_PACKAGES and target_group not in {group, *MAY_IMPORT[group]}:
                found.append(f"{module} ({group}) must not import {target} ({target_group})")
        elif top not in sys.stdlib_module_names:
            allowed = LIBRARIES.get(group, frozenset())
            if top not in allowed and allowed is not ANY_LIBRARY:
                found.append(f"{module} ({group}) must not import the library {top}")
    return found


SOURCES = sorted((ROOT / "app").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_name(path))
def test_module_keeps_to_the_import_table(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert violations(source, module_name(path), is_package=path.name == "__init__.py") == []


def test_the_table_has_rules_for_every_group() -> None:
    assert set(MAY_IMPORT) == set(GROUPS)
    assert set(LIBRARIES) <= set(GROUPS)
    assert len(SOURCES) > 10


# The rules themselves: each line of the table must be able to fail.
FORBIDDEN = [
    ("app.core.domain.x", "from app.core import ports"),
    ("app.core.domain.x", "import numpy as np"),
    ("app.core.errors", "import pydantic"),
    ("app.core.factors.x", "from app.core.smc import zones"),
    ("app.core.factors.x", "import app.core.ports"),
    ("app.core.confluence.x", "from app.core.factors.base import Factor"),
    ("app.core.ports", "from app.services.context_service import ContextService"),
    ("app.core.signal_engine", "from app.services import okx"),
    ("app.core.signal_engine", "from app.api import errors"),
    ("app.services.transport.x", "from app.core.domain.market import Price"),
    ("app.services.transport.x", "from app.services.okx import client"),
    ("app.services.okx.x", "from app.services.coinglass import wire"),
    ("app.services.okx.x", "from ..coinglass import wire"),
    ("app.services.okx.x", "from app.services.context_service import ContextService"),
    ("app.services.okx.x", "def f():\n    from app.services.storage import tables"),
    ("app.services.okx.x", "import fastapi"),
    ("app.services.storage.x", "from app.services.okx.parse import parse_ticker"),
    ("app.services.bus.x", "import fastapi"),
    ("app.telemetry", "from app.core.errors import ServiceError"),
    ("app.telemetry_stream", "from app.core.domain.flow import LinkStatus"),
    ("app.settings", "from app.core.domain.symbol import parse_symbol"),
    ("app.sim.x", "from app.core.errors import ServiceError"),
    ("app.sim.x", "from app.services.okx import wire"),
    ("app.sim.x", "import httpx2"),
    ("app.services.context_service", "from app.services.okx import client"),
    ("app.services.context_service", "from app.services import transport"),
    ("app.services.context_service", "import fastapi"),
    ("app.services.streaming.x", "from app.services.telegram import sender"),
    ("app.api.routes_x", "from app.services.transport.cache import ResourceCache"),
    ("app.api.routes_x", "from app.services import storage"),
    ("app.api.routes_x", "from app.core.signal_engine import score"),
    ("app.api.routes_x", "from app.settings import Settings"),
    ("app.newcomer", "import json"),
    ("app.core", "from app.core import errors"),
]
ALLOWED = [
    ("app.core.domain.x", "from app.core.errors import InvalidParameter"),
    ("app.core.factors.x", "import numpy as np\nfrom app.core.factors.base import Factor"),
    ("app.core.signal_engine", "from app.core.factors import registry"),
    ("app.services.okx.x", "import msgspec\nfrom app.services.transport.http import Answer"),
    ("app.services.okx.x", "from . import wire\nfrom .wire import Status"),
    ("app.services.context_service", "from app.core import ports"),
    ("app.api.routes_x", "from app.services.context_service import ContextService\nimport fastapi"),
    ("app.bootstrap", "from app.services.okx import provider\nimport uvicorn"),
    ("app.sim.x", "import numpy\nfrom app.core.domain.market import HOUR_MS"),
]


@pytest.mark.parametrize(("module", "source"), FORBIDDEN)
def test_a_forbidden_import_is_caught(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(("module", "source"), ALLOWED)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert violations(source, module) == []
