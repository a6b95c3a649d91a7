"""`/dashboard/...`: the files of the built dashboard and, for every page of it, its one document.

Open without a key: they hold no data, and the login is one of its pages. In no document: it is for browsers.
"""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.api.answer_cache import matches_etag
from app.api.dashboard_files import DashboardFile, DashboardFiles
from app.api.errors import NoDashboard, NoSuchFile
from app.api.page_policies import DASHBOARD_PATH


def dashboard_routes(files: DashboardFiles | None) -> APIRouter:
    """The router; without a build it says how to make one."""
    router = APIRouter(include_in_schema=False)

    @router.get(DASHBOARD_PATH.rstrip("/"))
    async def enter_dashboard() -> Response:
        return RedirectResponse(DASHBOARD_PATH, 307)

    @router.get(DASHBOARD_PATH + "{path:path}")
    async def get_dashboard_file(request: Request, path: str) -> Response:
        if files is None:
            raise NoDashboard
        found = files.find(path)
        if found is None:
            raise NoSuchFile
        return _answer(request, found)

    return router


def _answer(request: Request, file: DashboardFile) -> Response:
    """The file, compressed where it can be, or 304 when the browser has it."""
    headers = {"Cache-Control": file.cache_control}
    body, etag = file.body, file.etag
    if file.gzipped is not None:
        headers["Vary"] = "Accept-Encoding"
        if _accepts_gzip(request.headers.get("accept-encoding", "")):
            body, etag = file.gzipped, file.gzipped_etag
            headers["Content-Encoding"] = "gzip"
    headers["ETag"] = etag
    if matches_etag(request.headers.get("if-none-match"), etag):
        headers.pop("Content-Encoding", None)
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=file.media_type)


def _accepts_gzip(accept_encoding: str) -> bool:
    """Worked example: `gzip, br` -> True; `gzip;q=0` and `identity` -> False."""
    codings = (coding.replace(" ", "") for coding in accept_encoding.lower().split(","))
    return any(re.fullmatch(r"(?:x-)?gzip(?:;q=(?:1(?:\.0*)?|0?\.0*[1-9]\d*))?", one) for one in codings)
