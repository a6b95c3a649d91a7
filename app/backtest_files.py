"""Files that a measurement writes: tried out before it runs, then whole or not at all.

A part of `backtest`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def check_writable(folder: Path, names: Iterable[str]) -> None:
    """Whether files of these names can be written there, found out by writing one; nothing stays behind.

    A run takes minutes: whoever mistyped its folder should not learn that at the end.

    Raises:
        ValueError: they cannot, in words.
    """
    made: list[Path] = []
    trial = folder / _partial("trial")
    try:
        for missing in _missing(folder):
            missing.mkdir()
            made.append(missing)
        trial.write_text("")
    except OSError as error:
        raise _refusal(folder, error) from error
    finally:
        if folder.is_dir():
            trial.unlink(missing_ok=True)
        for one in reversed(made):
            one.rmdir()
    taken = next((name for name in names if (folder / name).is_dir()), None)
    if taken is not None:
        raise ValueError(f"cannot write {folder / taken}: there is a folder of that name")


def write_files(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write (name, text) pairs under other names first: who stops half way has the old files or none.

    Raises:
        ValueError: they cannot be written, in words.
    """
    written: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files:
            written.append((folder / _partial(name), folder / name))
            written[-1][0].write_text(text, encoding="utf-8")
        for partial, whole in written:
            partial.replace(whole)
    except OSError as error:
        raise _refusal(folder, error) from error
    finally:
        for partial, _ in written:
            partial.unlink(missing_ok=True)


def _missing(folder: Path) -> list[Path]:
    """Folders that have to be made, outermost first; the folder itself where it is no folder yet."""
    above = [one for one in folder.parents if not one.exists()]
    return [*reversed(above), *([] if folder.is_dir() else [folder])]


def _partial(name: str) -> str:
    return f".{name}.{os.getpid()}.part"


def _refusal(folder: Path, error: OSError) -> ValueError:
    return ValueError(f"cannot write to {folder}: {error.strerror or error}")
