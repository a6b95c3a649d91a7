"""The shipped signals file with other thresholds, as an operator would write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[1] / "config" / "signals.toml"


def with_thresholds(folder: Path, pairs: Mapping[str, tuple[float, float]]) -> Path:
    """A copy in `folder`; pairs: mode -> (long, short)."""
    text = SHIPPED.read_text("utf-8")
    for mode, (long, short) in pairs.items():
        part = rf"(\[thresholds\.{mode}\]\n)long = .*\nshort = .*\n"
        text, changed = re.subn(part, rf"\g<1>long = {long}\nshort = {short}\n", text)
        assert changed == 1, f"no thresholds of {mode} in {SHIPPED}"
    copy = folder / "signals.toml"
    copy.write_text(text, "utf-8")
    return copy
