"""A real Chromium on a real demo: what the tests of the dashboard share.

Needs `chromium` (a Debian package) and the built dashboard (`make web`); without one of them the tests skip
by name. One demo and one browser per module; every page is new and keeps what its console and requests said.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    expect,
    sync_playwright,
)

from tests.live_process import ROOT, Service, running

BUILT = ROOT / "app" / "web_dist" / "index.html"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
# Only a page that hangs is given up on; nothing here is slow on a machine that is not.
GUARD_MS = 30_000.0
# A walk through every page at once is more than one person asks in a minute.
SETTINGS = {"RATE_LIMIT_PER_MINUTE": "100000"}
expect.set_options(timeout=GUARD_MS)


def chromium_path() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that talks to nobody but the page's own address."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(),
            # Tests may run as root in a container, where the sandbox cannot be set up.
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Said:
    """What went wrong in a page, by its own account: console errors, exceptions, answers of 4xx and 5xx."""

    lines: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.lines.append(f"exception: {error}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.lines.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.answers.append(f"{response.status} {response.request.method} {response.url}")


@dataclass(slots=True)
class Visit:
    """One open page of the dashboard."""

    page: Page
    said: Said
    service: Service

    def open(self, path: str = "") -> Page:
        self.page.goto(f"{self.service.url}/dashboard/{path}")
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not BUILT.exists():
        pytest.skip("no dashboard build")
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running("--demo", folder=tmp_path_factory.mktemp("demo"), settings=SETTINGS) as service:
        yield service


@pytest.fixture
def context_of(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes contexts (a person's browser each) and closes them all."""
    made: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        context = browser.new_context(**{"viewport": DESKTOP, "timezone_id": "Asia/Jakarta", **options})  # type: ignore[arg-type]
        context.set_default_timeout(GUARD_MS)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


@pytest.fixture
def visit(demo: Service, context_of: Callable[..., BrowserContext]) -> Callable[..., Visit]:
    """Opens a page at the demo; options are those of a browser context."""

    def make(**options: object) -> Visit:
        page = context_of(**options).new_page()
        said = Said()
        said.listen(page)
        return Visit(page, said, demo)

    return make


def axe_source() -> str:
    if not AXE.exists():
        pytest.skip("no dashboard build")
    return Path(AXE).read_text("utf-8")
