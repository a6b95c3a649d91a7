"""Whoever follows the runbook at night searches the logs for words that the service really writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
# A search of a log within one piece of code: options, then one word or a quoted pattern.
# Not those of other programs of the stack, whose words are theirs.
_SEARCH = re.compile(
    r"\blogs\b(?![^`|]* prometheus )[^`]*\|"
    r"\s*grep((?:\s+-\w+(?:\s+\d+)?)+)\s+(?:\"([^\"]+)\"|([^\s`\"]+))"
)
# Words of lines that no logger of ours writes: levels, what Python and the commands write at their end.
_NOT_LOGGED = ("error", "Traceback (most recent call last):", "cannot start: DATABASE_URL")
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
_TAKES_A_TEXT = {"Outage"}  # (log, text): what it says once per outage


def searches(text: str) -> list[tuple[str, str]]:
    """(options, pattern) of every search of a log."""
    return [(found[1], found[2] or found[3]) for found in _SEARCH.finditer(text)]


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        arguments: list[ast.expr] = []
        if isinstance(called, ast.Attribute) and ast.unparse(called.value) in {"_log", "self._log"}:
            at = 0 if called.attr in _LEVELS else 1 if called.attr == "log" else None
            arguments = node.args[at : at + 1] if at is not None else []
        elif isinstance(called, ast.Name) and called.id in _TAKES_A_TEXT:
            arguments = node.args[1:2]
        for argument in arguments:
            # Both texts of `"a" if ... else "b"`.
            parts = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def logged() -> frozenset[str]:
    """Every text that a logger in `app` is given."""
    files = sorted((ROOT / "app").rglob("*.py"))
    return frozenset(text for file in files for text in _texts(ast.parse(file.read_text(encoding="utf-8"))))


def unfound(options: str, pattern: str, texts: frozenset[str]) -> list[str]:
    """The alternatives of a pattern that no text has."""
    parts = pattern.split("|") if "E" in options else [pattern]
    flags = re.IGNORECASE if "i" in options else 0
    return [
        part for part in parts if not any(re.search(part, text, flags) for text in (*texts, *_NOT_LOGGED))
    ]


def test_the_runbook_is_read_and_the_texts_are_found() -> None:
    patterns = [pattern for _, pattern in searches(RUNBOOK)]
    assert "changed its state" in patterns
    assert len(patterns) >= RUNBOOK.count("| grep -") - RUNBOOK.count(" prometheus | grep -")
    assert {
        "an alert is lost: too many wait for the database",
        "evaluations wait for the database",
    } <= logged()
    assert {"slow answer", "failed answer", "a stream changed its state"} <= logged()


@pytest.mark.parametrize(("options", "pattern"), searches(RUNBOOK))
def test_every_search_of_the_runbook_finds_a_line_of_ours(options: str, pattern: str) -> None:
    assert unfound(options, pattern, logged()) == []


@pytest.mark.parametrize("code", ["grep -i reconnecting", 'grep -iE "rejected|nothing like it"'])
def test_a_search_for_what_is_never_written_is_found_out(code: str) -> None:
    [(options, pattern)] = searches(f"`docker compose logs --since 1h worker | {code}`")
    assert unfound(options, pattern, logged())
