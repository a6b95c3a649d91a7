"""The SQL of bulk writes, in the dialect both databases share.

Owns what happens when a row is there already: an event stays as it is, a bar is completed and corrected by
whoever learned it later, everything else is replaced, and the same again changes nothing. Nothing here is
built from input: names come from `tables`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from sqlalchemy import Table

from app.services.storage.tables import baselines, composite_heatmap, liquidations

_REPLACED = frozenset({composite_heatmap.name, baselines.name})
# The same facts told again, by whom ever, leave a row as it was: who said so first, and when.
_NOT_FACTS = frozenset({"source", "ts_init_ms"})
Dialect: TypeAlias = Literal["sqlite", "postgresql"]
_DIFFERS: Mapping[Dialect, str] = {"sqlite": "IS NOT", "postgresql": "IS DISTINCT FROM"}


def columns_of(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


def key_of(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key.columns)


def key_positions(table: Table) -> tuple[int, ...]:
    """Where in a row the parts of its key stand."""
    names = columns_of(table)
    return tuple(names.index(name) for name in key_of(table))


def on_conflict(table: Table, dialect: Dialect) -> str:
    """What a second row with the same key does: nothing either when it says nothing new."""
    key = ", ".join(key_of(table))
    if table is liquidations:
        return f"ON CONFLICT ({key}) DO NOTHING"
    name = table.name
    changes, differences = [], []
    for column in table.columns:
        if column.primary_key:
            continue
        new = f"excluded.{column.name}"
        if column.name == "is_outlier":
            # Once flagged stays flagged: whoever re-reads a bar without its history cannot judge it.
            new = f"({name}.is_outlier OR {new})"
        elif column.nullable and name not in _REPLACED:
            # A source that knows less than another must not erase what the other knew.
            new = f"COALESCE({new}, {name}.{column.name})"
        changes.append(f"{column.name} = {new}")
        if column.name not in _NOT_FACTS:
            differences.append(f"{new} {_DIFFERS[dialect]} {name}.{column.name}")
    wanted = f"({' OR '.join(differences)})"
    if name not in _REPLACED:
        wanted = f"excluded.ts_init_ms >= {name}.ts_init_ms AND {wanted}"
    return f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(changes)} WHERE {wanted}"


def tile_sums(source: str) -> str:
    """SELECT that sums liquidations to tiles, in key order: so two writers cannot lock each other out."""
    return (  # `source` is a table name of this package
        "SELECT symbol, ts_event_ms / 60000 AS ts_min, bucket,"
        " SUM(CASE WHEN liquidated_side = 'LONG' THEN usd ELSE 0 END) AS long_usd,"
        " SUM(CASE WHEN liquidated_side = 'SHORT' THEN usd ELSE 0 END) AS short_usd,"
        f" COUNT(*) AS events FROM {source} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )


TILE_COLUMNS = "symbol, ts_min, bucket, long_usd, short_usd, events"
ADD_TO_TILES = (
    "ON CONFLICT (symbol, ts_min, bucket) DO UPDATE SET"
    " long_usd = liquidation_heatmap.long_usd + excluded.long_usd,"
    " short_usd = liquidation_heatmap.short_usd + excluded.short_usd,"
    " events = liquidation_heatmap.events + excluded.events"
)
