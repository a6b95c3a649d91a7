"""Prometheus' own tools on our configuration, and what stands in rules and expressions.

`promtool` and `prometheus` come with one Debian package; without it the tests that need them skip by name.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.grafana.build import dashboards

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "infra" / "prometheus"
RULE_FILES = sorted(FOLDER.glob("rules/*.yml"))
TEST_FILES = sorted(FOLDER.glob("tests/*.yml"))

Json = dict[str, Any]

_WORDS = {"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring"}


def program(name: str) -> str:
    """Path of `promtool` or `prometheus`; skips where the package is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip("no promtool")
    return found


def promtool(*args: str | Path) -> str:
    """What it says, when it is content."""
    command = [program("promtool"), *map(str, args)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@cache
def rules() -> tuple[Json, ...]:
    """Every rule, recording and alerting."""
    groups = [group for file in RULE_FILES for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return tuple(rule for group in groups for rule in group["rules"])


def alerts() -> dict[str, Json]:
    """Alerting rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> frozenset[str]:
    """Names of recorded series."""
    return frozenset(rule["record"] for rule in rules() if "record" in rule)


def panels() -> Iterator[tuple[str, Json]]:
    """Every panel that shows something, with the dashboard it is on."""
    for file, board in dashboards().items():
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield file, panel


def panel_expressions() -> dict[str, tuple[str, ...]]:
    """Expressions by `dashboard: panel`, variables at their widest."""
    return {
        f"{file}: {panel['title']}": tuple(as_asked(target["expr"]) for target in panel["targets"])
        for file, panel in panels()
    }


def as_asked(expression: str) -> str:
    """With the variables that Grafana puts in."""
    return expression.replace("$role", ".*")


def metrics_in(expression: str) -> frozenset[str]:
    """Names of the series that an expression reads."""
    rest = re.sub(r'"[^"]*"', "", expression)
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", rest)
    rest = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", rest)
    found = re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])", rest)
    return frozenset(found) - _WORDS


def exposed_names(exposition: str) -> frozenset[str]:
    """Every series name that a text of `/metrics` declares, with or without samples."""
    names: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE):
        names.add(name)
        if kind == "histogram":
            names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return frozenset(names)
