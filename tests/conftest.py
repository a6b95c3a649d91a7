"""Skips are named in the summary, and `REQUIRE_SERVICES=1` turns those for want of a service into failures.

A test that needs a program outside Python skips with the reason `no PROGRAM` (`no redis-server`). On a host
that promises those programs such a skip is a failure. Skips for absent data are never one.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# Files of ten seconds and more, the longest first: begun last, one runs while the other workers have ended.
LONGEST = (
    "test_backtest_history.py",
    "test_demo_process.py",
    "test_r01_one_provider_down.py",
    "test_r03_numbers_are_never_trusted.py",
    "test_replay_measure.py",
    "test_mcp_live.py",
    "test_prometheus_live.py",
    "test_prometheus_rules.py",
    "test_backtest_study.py",
    "test_backtest_command.py",
    "test_r22_fuzz.py",
    "test_backfill.py",
    "test_catalogue_walk.py",
    "test_compose_rehearsal.py",
    "test_worker_roles.py",
    "test_r17_roles_stop.py",
    "test_r18_deterministic_replay.py",
    "test_r13_database_down.py",
    "test_confluence_columns.py",
    "test_coinglass_fuzz.py",
    "test_r02_bounded_time_and_memory.py",
    "test_recorded_liquidations.py",
    "test_delivery_property.py",
    "test_api_fuzz.py",
)
_PLACES = {name: place for place, name in enumerate(LONGEST)}
SERVICE_SKIPS = frozenset(
    {"no redis-server", "no postgres", "no chromium", "no dashboard build", "no promtool", "no make"}
)


def pytest_configure() -> None:
    # Thousands of tests leave a million objects to walk: often done, that is a tenth of the time they take.
    gc.set_threshold(700, 10, 60)
    # How long an example takes says how busy the machine is, not whether the code is right.
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _PLACES.get(item.path.name, len(LONGEST)))


def pytest_collection_finish() -> None:
    # What was imported and collected lives to the end: a full collection need not walk it, a second each.
    gc.collect()
    gc.freeze()


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("REQUIRE_SERVICES") == "1" and skip_reason(report) in SERVICE_SKIPS:
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_SERVICES=1, but {skip_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(skip_reason(report) for report in terminalreporter.stats.get("skipped", []))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")
