"""One line per figure on stdout and `bench/results.json`: the only output format of every benchmark."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `context` says how it was taken and what the aim is."""

    bench: str
    name: str
    value: float
    unit: str
    context: str

    def line(self) -> str:
        return f"{self.name} {self.value:.4g} {self.unit} ({self.context})"


def write(figures: list[Figure]) -> None:
    """Merge into results.json: a benchmark run again replaces its own figures and keeps the others."""
    ran = {figure.bench for figure in figures}
    kept = [row for row in _load() if row["bench"] not in ran]
    RESULTS.write_text(json.dumps([*kept, *map(asdict, figures)], indent=2) + "\n")


def _load() -> list[dict[str, object]]:
    if not RESULTS.exists():
        return []
    rows: list[dict[str, object]] = json.loads(RESULTS.read_text())
    return rows
