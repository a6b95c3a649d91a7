"""A small dashboard as the build leaves it: pages, hashed assets, compressed neighbours, no data."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

from app.api.dashboard_files import DashboardFiles, read_dashboard

INDEX_HTML = (
    b'<!doctype html><html lang="en"><head><title>t</title>'
    b'<link rel="manifest" href="/dashboard/app.webmanifest"></head>'
    b'<body><div id="app"></div><script type="module" src="/dashboard/assets/app-1a2b.js"></script></body>'
    b"</html>"
)
SCRIPT = b'document.getElementById("app").textContent = "here";\n' * 40
FILES = {
    "index.html": INDEX_HTML,
    "app.webmanifest": b'{"name": "t"}',
    "icon.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "icon-192.png": b"\x89PNG\r\n\x1a\n",
    "assets/app-1a2b.js": SCRIPT,
    "assets/app-1a2b.js.gz": gzip.compress(SCRIPT, mtime=0),
    "assets/app-3c4d.css": b"body { margin: 0 }",
    "assets/font-5e6f.woff2": b"wOF2",
    ".vite/manifest.json": b"{}",
}


def write_build(folder: Path) -> Path:
    """`folder` with the files in it."""
    for name, body in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


def dashboard_files() -> DashboardFiles:
    """The same, read."""
    with TemporaryDirectory(prefix="dashboard-") as folder:
        files = read_dashboard(write_build(Path(folder)))
    assert files is not None
    return files
