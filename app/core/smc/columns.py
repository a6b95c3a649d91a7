"""Growing columns of the bar-by-bar engine, and the same tables as the vectorised run makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from app.core.smc.records import Blocks, Breaks, Gaps, Pivots, Ranges, Sweeps, Swings

# Columns that are not counts of bars.
_FLOATS = frozenset(
    [
        "level",
        "close_margin_atr",
        "top",
        "bottom",
        "size_atr",
        "volume",
        "balance_pct",
        "displacement_atr",
        "rel_volume",
        "penetration_atr",
        "rejection",
        "vol_ratio",
        "high",
        "low",
        "pos",
        "current_pct",
        "deepest_pct",
    ]
)
_FLAGS = frozenset({"is_choch", "is_initial", "is_stop_hunt"})


class Grower:
    """Lists named like the columns of a table; `add` appends one row."""

    def __init__(self, table: type[Any]) -> None:
        self._table = table
        self.columns: dict[str, list[Any]] = {column.name: [] for column in fields(table)}
        self._lists = tuple(self.columns.values())
        self.rows = 0

    def add(self, *row: Any) -> int:
        """Append a row in the order of the table's fields; its number."""
        for column, value in zip(self._lists, row, strict=True):
            column.append(value)
        self.rows += 1
        return self.rows - 1

    def table(self) -> Any:
        """The table as it stands."""
        return self._table(
            **{
                name: np.array(
                    values,
                    dtype=np.float64 if name in _FLOATS else np.bool_ if name in _FLAGS else np.int64,
                )
                for name, values in self.columns.items()
            }
        )


@dataclass(slots=True)
class Tables:
    """All growing tables of one engine."""

    swings: Grower = field(default_factory=lambda: Grower(Swings))
    pivots: Grower = field(default_factory=lambda: Grower(Pivots))
    breaks: Grower = field(default_factory=lambda: Grower(Breaks))
    wick_breaks: Grower = field(default_factory=lambda: Grower(Breaks))
    gaps: Grower = field(default_factory=lambda: Grower(Gaps))
    blocks: Grower = field(default_factory=lambda: Grower(Blocks))
    sweeps: Grower = field(default_factory=lambda: Grower(Sweeps))
    ranges: Grower = field(default_factory=lambda: Grower(Ranges))
