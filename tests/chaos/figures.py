"""The figures of the last `make chaos` or `make soak` as a table: `python -m tests.chaos.figures FILE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path


def table(lines: Iterable[str]) -> str:
    """Markdown, in the order of the rows; each line of the file is one figure of one row."""
    found = [json.loads(line) for line in lines]
    rows = [
        f"| {one['row']} | {one['form']} | {one['figure'].replace('|', '/')} |"
        for one in sorted(found, key=lambda one: one["row"])
    ]
    return "\n".join(["| row | form | last measured |", "|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()))
