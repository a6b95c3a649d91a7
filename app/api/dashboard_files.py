"""The built dashboard, read once at start and held in memory, so that no request ever touches the disk.

Owns which files there are and how each is sent: type, entity tag, how long it may be kept, the compressed
neighbour (`x.js.gz`, made by the build). Routes are `app.api.routes_dashboard`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.core.errors import ConfigurationError

INDEX = "index.html"
MAX_BYTES = 20 * 1024 * 1024
MAX_FILES = 2000
# Names of what the build puts there hold a hash of the content.
_HASHED = "assets/"
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
_OTHER_TYPE = "application/octet-stream"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
# Pages are made in the browser: any such path is answered with the one document that makes them.
_PAGE = re.compile(r"[A-Za-z0-9_~/-]{0,200}")


@dataclass(frozen=True, slots=True)
class DashboardFile:
    """One file as it is sent. etag: with quotes. gzipped: the same compressed, None when it is not there."""

    body: bytes
    gzipped: bytes | None
    etag: str
    media_type: str
    cache_control: str

    @property
    def gzipped_etag(self) -> str:
        """Another representation has a tag of its own."""
        return f'{self.etag[:-1]}-gz"'


class DashboardFiles:
    """What the build left, by path below /dashboard/. Made with `read_dashboard`."""

    def __init__(self, files: Mapping[str, DashboardFile]) -> None:
        """files: by path, one of them `index.html`."""
        self._files = files
        self._index = files[INDEX]

    def find(self, path: str) -> DashboardFile | None:
        """The file of `path`, the document for the path of a page, None for anything else.

        Paths are looked up as texts: `..` is a name that no file has.
        """
        found = self._files.get(path)
        if found is None and _PAGE.fullmatch(path):
            return self._index
        return found


def read_dashboard(folder: Path) -> DashboardFiles | None:
    """Everything in `folder`, None when no dashboard was built there.

    Links and hidden files are left out.

    Raises:
        ConfigurationError: more than `MAX_BYTES` or `MAX_FILES`, or a file that cannot be read.
    """
    if not (folder / INDEX).is_file():
        return None
    try:
        bodies = dict(_bodies(folder))
    except OSError as error:
        raise ConfigurationError(f"the dashboard cannot be read: {error.strerror or error}") from error
    files = {
        path: _file(path, body, bodies.get(f"{path}.gz"))
        for path, body in bodies.items()
        if not (path.endswith(".gz") and path.removesuffix(".gz") in bodies)
    }
    return DashboardFiles(files) if INDEX in files else None


def _bodies(folder: Path) -> Iterator[tuple[str, bytes]]:
    size = 0
    for number, path in enumerate(_served(folder), 1):
        size += path.stat().st_size  # before it is read: what is too large is never held
        if size > MAX_BYTES or number > MAX_FILES:
            limits = f"{MAX_BYTES} bytes or {MAX_FILES} files"
            raise ConfigurationError(f"the dashboard is larger than {limits}; `make web` builds it again")
        yield path.relative_to(folder).as_posix(), path.read_bytes()


def _served(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        # A link may lead anywhere.
        if not is_hidden and not path.is_symlink() and path.is_file():
            yield path


def _file(path: str, body: bytes, gzipped: bytes | None) -> DashboardFile:
    return DashboardFile(
        body=body,
        gzipped=gzipped,
        etag=f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"',
        media_type=_TYPES.get(PurePosixPath(path).suffix.lower(), _OTHER_TYPE),
        cache_control=_FOR_EVER if path.startswith(_HASHED) else _ASK_EACH_TIME,
    )
