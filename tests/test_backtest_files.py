"""Files are tried out before a run, and are whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.backtest_files import check_writable, write_files

NAMES = ("a.txt", "b.txt")


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "one" / "two", NAMES)
    assert everything(tmp_path) == []
    (tmp_path / "there").mkdir()
    check_writable(tmp_path / "there", NAMES)
    assert everything(tmp_path) == ["there"]


@pytest.mark.parametrize("below", ["", "out", "out/deeper"])
def test_a_file_in_the_place_of_the_folder_is_refused_in_words(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"cannot write to .*file"):
        check_writable(tmp_path / "file" / below, NAMES)
    with pytest.raises(ValueError, match=r"cannot write to .*file"):
        write_files(tmp_path / "file" / below, [("a.txt", "new")])
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_in_the_place_of_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "out" / "b.txt").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"b\.txt: there is a folder of that name"):
        check_writable(tmp_path / "out", NAMES)


def test_files_are_written_as_they_are_told(tmp_path: Path) -> None:
    write_files(tmp_path / "one" / "two", [("a.txt", "1 µ\n"), ("b.txt", "2")])
    assert everything(tmp_path) == ["one", "one/two", "one/two/a.txt", "one/two/b.txt"]
    assert (tmp_path / "one" / "two" / "a.txt").read_text(encoding="utf-8") == "1 µ\n"


def test_who_stops_half_way_keeps_the_old_files(tmp_path: Path) -> None:
    write_files(tmp_path, [("a.txt", "old"), ("b.txt", "old")])

    def stopped() -> Iterator[tuple[str, str]]:
        yield "a.txt", "new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, stopped())
    assert everything(tmp_path) == ["a.txt", "b.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"
