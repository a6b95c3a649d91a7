"""The built dashboard in memory: what is read, what is left out, what is too much."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api import dashboard_files as under_test
from app.api.dashboard_files import read_dashboard
from app.core.errors import ConfigurationError
from tests.dashboard_build import FILES, INDEX_HTML, SCRIPT, dashboard_files, write_build

BUILD = dashboard_files()


def test_without_a_build_there_is_no_dashboard(tmp_path: Path) -> None:
    assert read_dashboard(tmp_path) is None
    assert read_dashboard(tmp_path / "nothing") is None
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "app-1a2b.js").write_bytes(SCRIPT)
    assert read_dashboard(tmp_path) is None


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("app.webmanifest", "application/manifest+json"),
        ("icon.svg", "image/svg+xml"),
        ("icon-192.png", "image/png"),
        ("assets/app-1a2b.js", "text/javascript; charset=utf-8"),
        ("assets/app-3c4d.css", "text/css; charset=utf-8"),
        ("assets/font-5e6f.woff2", "font/woff2"),
    ],
)
def test_each_file_has_its_type(path: str, media_type: str) -> None:
    found = BUILD.find(path)
    assert found is not None
    assert (found.media_type, found.body) == (media_type, FILES[path])


def test_an_unknown_type_is_nothing_a_browser_runs(tmp_path: Path) -> None:
    (write_build(tmp_path) / "notes.xyz").write_bytes(b"<script>")
    files = read_dashboard(tmp_path)
    assert files is not None
    found = files.find("notes.xyz")
    assert found is not None
    assert found.media_type == "application/octet-stream"


def test_hashed_names_are_kept_for_ever_and_others_asked_for_each_time() -> None:
    kept = {path: found.cache_control for path in FILES if (found := BUILD.find(path)) is not None}
    for_ever = {path for path, words in kept.items() if words == "public, max-age=31536000, immutable"}
    assert for_ever == {path for path in kept if path.startswith("assets/")}
    assert set(kept.values()) - {"public, max-age=31536000, immutable"} == {"no-cache"}


def test_compressed_neighbours_belong_to_their_file() -> None:
    script = BUILD.find("assets/app-1a2b.js")
    assert script is not None
    assert script.gzipped == FILES["assets/app-1a2b.js.gz"]
    assert script.etag != script.gzipped_etag
    assert BUILD.find("assets/app-1a2b.js.gz") is None


@pytest.mark.parametrize("path", ["", "coin/BTC", "coin/1000PEPE", "flow", "flow/", "record/a-b_c~d"])
def test_the_path_of_a_page_is_answered_with_the_document(path: str) -> None:
    found = BUILD.find(path)
    assert found is not None
    assert found.body == INDEX_HTML


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js",
        "assets/app-0000.js",
        "coin/BTC.html",
        "../settings.py",
        "..",
        "./index.html",
        "assets/../index.html",
        "assets/..%2findex.html",
        "C:\\windows",
        "\x00",
        "coin/BTC\n",
        "x" * 201,
        ".vite/manifest.json",
    ],
)
def test_anything_else_is_not_there(path: str) -> None:
    assert BUILD.find(path) is None


def test_links_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    folder = write_build(tmp_path / "dist")
    (folder / "link.txt").symlink_to(outside)
    (folder / "tree").symlink_to(tmp_path)
    (folder / ".env").write_text("KEY=1")
    files = read_dashboard(folder)
    assert files is not None
    assert [files.find(path) for path in ("link.txt", "tree/secret.txt", ".env")] == [None] * 3


def test_a_build_that_is_too_large_is_refused_before_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_build(tmp_path)
    whole = sum(len(body) for path, body in FILES.items() if not path.startswith("."))
    monkeypatch.setattr(under_test, "MAX_BYTES", whole)
    assert read_dashboard(folder) is not None
    monkeypatch.setattr(under_test, "MAX_BYTES", whole - 1)
    with pytest.raises(ConfigurationError, match="larger than"):
        read_dashboard(folder)


def test_a_sparse_file_of_many_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    with (write_build(tmp_path) / "huge.bin").open("wb") as huge:
        huge.truncate(50_000_000_000)
    with pytest.raises(ConfigurationError, match="20971520 bytes"):
        read_dashboard(tmp_path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "MAX_FILES", 3)
    with pytest.raises(ConfigurationError, match="3 files"):
        read_dashboard(write_build(tmp_path))


_PARTS = st.sampled_from(
    ["..", ".", "/", "\\", "%2e", "%2f", "assets", "index.html", "\x00", "etc", "passwd"]
)


@given(path=st.one_of(st.text(max_size=80), st.lists(_PARTS, max_size=12).map("".join)))
def test_no_path_leads_to_anything_but_a_file_of_the_build(path: str) -> None:
    found = BUILD.find(path)
    assert found is None or found.body == INDEX_HTML or found.body == FILES[path]
