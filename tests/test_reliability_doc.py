"""docs/reliability.md names every promise once, tests that exist, and a dated figure for each."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "reliability.md"
SPEC = ROOT.parent / "shared" / "spec" / "reliability.md"
PROMISES = (*(f"R{number:02d}" for number in range(1, 24)), *(f"S{number:02d}" for number in range(1, 13)))


@dataclass(frozen=True, slots=True)
class Row:
    """One promise of the table. tests: paths, with `::name` where one test holds it. measured: the figure."""

    promise: str
    text: str
    tests: tuple[str, ...]
    measured: str


def rows(text: str) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"[RS]\d\d", cells[0]):
            assert cells[0] not in found, f"{cells[0]} stands twice"
            tests = tuple(re.findall(r"`([^`]+\.py(?:::\w+)?)`", cells[2]))
            found[cells[0]] = Row(cells[0], cells[1], tests, cells[3])
    return found


ROWS = rows(DOCUMENT.read_text("utf-8"))


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_promise_has_its_row() -> None:
    assert sorted(ROWS) == sorted(PROMISES)


@pytest.mark.skipif(not SPEC.exists(), reason="the specification is not beside the project")
def test_the_table_knows_every_promise_of_the_specification() -> None:
    assert set(re.findall(r"^\| ([RS]\d\d) \|", SPEC.read_text("utf-8"), re.MULTILINE)) == set(ROWS)


@pytest.mark.parametrize("promise", PROMISES)
def test_what_holds_a_promise_is_there(promise: str) -> None:
    row = ROWS[promise]
    assert row.text
    assert row.tests, f"{promise} names no test"
    for named in row.tests:
        path, _, test = named.partition("::")
        found = names_in(ROOT / "tests" / path)
        assert found, f"{path} holds no test"
        assert not test or test in found, f"{path} has no {test}"


@pytest.mark.parametrize("promise", PROMISES)
def test_a_file_named_after_a_promise_stands_in_its_row(promise: str) -> None:
    files = {f"chaos/{path.name}" for path in (ROOT / "tests" / "chaos").glob(f"test_{promise.lower()}_*.py")}
    assert files, f"tests/chaos has no file of {promise}"
    assert files <= {test.partition("::")[0] for test in ROWS[promise].tests}


@pytest.mark.parametrize("promise", PROMISES)
def test_a_figure_was_measured_and_says_when(promise: str) -> None:
    assert re.search(r"\d", ROWS[promise].measured.split("(")[0]), f"{promise}: no figure"
    assert re.search(r"\(20\d\d-\d\d-\d\d\)$", ROWS[promise].measured), f"{promise}: no date"


def test_a_row_that_names_nothing_would_be_found() -> None:
    table = "| R01 | a | `chaos/test_none.py`, `x.py::test_y` | 3 of 3 (2026-01-01) |\n| R02 | b | c |"
    assert rows(table) == {
        "R01": Row("R01", "a", ("chaos/test_none.py", "x.py::test_y"), "3 of 3 (2026-01-01)")
    }
