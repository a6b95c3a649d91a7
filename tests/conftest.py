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

SERVICE_SKIPS = frozenset({"no redis-server", "no postgres", "no chromium", "no promtool", "no make"})


def pytest_configure() -> None:
    # Thousands of tests leave a million objects to walk: often done, that is a tenth of the time they take.
    gc.set_threshold(700, 10, 60)
    # How long an example takes says how busy the machine is, not whether the code is right.
    settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")


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
