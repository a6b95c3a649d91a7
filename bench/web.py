"""BENCH web: what the dashboard costs a browser: bytes of the first page, time to the first figures, and the
longest task of its main thread while sixty updates a second arrive.

A real Chromium on the built dashboard (`make web`). The server has one core, the browser the other.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

from bench.children import child, cores, free_port, provider_env
from bench.report import Figure

BUILT = Path(__file__).resolve().parents[1] / "app" / "web_dist" / "index.html"
LOADS = 7
BUSY_S = 20.0
# What a page does until its first figures are there belongs to the first load, not to the updates.
SETTLE_S = 3.0
GUARD_MS = 60_000
COINS = (
    "BTC,ETH,SOL,XRP,DOGE,ADA,AVAX,LINK,LTC,BNB,DOT,TRX,UNI,ATOM,NEAR,APT,ARB,OP,SUI,PEPE,"
    "WIF,HYPE,LDO,FIL,INJ,AAVE,TON,SHIB,BCH,ETC"
)
# In every page before its own scripts: long tasks, frames, and what comes over the socket.
_PROBE = """
window.probe = {long: [], frames: [], messages: 0, priceMs: null, paintMs: null};
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) probe.long.push([one.startTime, one.duration]);
}).observe({type: 'longtask', buffered: true});
const Native = window.WebSocket;
window.WebSocket = class extends Native {
  constructor(...given) {
    super(...given);
    this.addEventListener('message', () => { probe.messages += 1; });
  }
};
const look = (now) => {
  probe.frames.push(now);
  if (probe.frames.length > 4000) probe.frames.shift();
  if (probe.priceMs === null) {
    const found = document.querySelector('[data-testid="card-BTC-price"]');
    if (found && /[0-9]/.test(found.textContent)) probe.priceMs = now;
  }
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


@dataclass(slots=True)
class Loaded:
    """One first load. bytes: as they came over the wire, by answer. price_ms: until a price stood there."""

    first_paint_ms: float
    price_ms: float
    sizes: dict[str, int] = field(default_factory=dict)


def run() -> list[Figure]:
    """first_load_kb_gz, first_paint_ms, first_figures_ms, long_task_ms, updates_per_s, frames_per_s."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None or not BUILT.exists():
        print("web: needs chromium (make deps) and the built dashboard (make web)", file=sys.stderr)
        return []
    with _service() as url, _browser(path) as browser:
        loads = [_load(browser, url) for _ in range(LOADS)]
        busy = _busy(browser, url)
    return [*_first(loads), *busy]


@contextmanager
def _service() -> Iterator[str]:
    server_core, _ = cores()
    port = free_port()
    env = provider_env("http://127.0.0.1:9") | {"DATA_MODE": "demo", "PORT": str(port), "HOST": "127.0.0.1"}
    env |= {"SYMBOLS": COINS, "LIVE_UPDATES_PER_SECOND": "60", "PLANNER": "on"}
    with child("bench.web_server", env=env, core=server_core) as process:
        if process.stdout is None or not process.stdout.readline().startswith(b"ready"):
            raise RuntimeError("the service did not start")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _browser(path: str) -> Iterator[Browser]:
    # Children of this process: the driver and the browser inherit its core.
    os.sched_setaffinity(0, {cores()[1]})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking"]
        )
        try:
            yield browser
        finally:
            browser.close()


def _open(browser: Browser, url: str) -> tuple[Page, CDPSession, dict[str, int]]:
    """A new visitor: nothing cached. Sizes fill while answers arrive, by path."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(GUARD_MS)
    page.add_init_script(_PROBE)
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    paths: dict[str, str] = {}
    sizes: dict[str, int] = {}

    def received(event: dict[str, Any]) -> None:
        paths[event["requestId"]] = event["response"]["url"].removeprefix(url)

    def finished(event: dict[str, Any]) -> None:
        if event["requestId"] in paths:
            sizes[paths[event["requestId"]]] = int(event["encodedDataLength"])

    wire.on("Network.responseReceived", received)
    wire.on("Network.loadingFinished", finished)
    page.goto(f"{url}/dashboard/")
    expect(page.get_by_test_id("card-BTC-price")).to_contain_text(re.compile("[0-9]"), timeout=GUARD_MS)
    while page.evaluate("probe.priceMs") is None:  # it is looked for once in a frame
        time.sleep(0.02)
    return page, wire, sizes


def _load(browser: Browser, url: str) -> Loaded:
    page, _, sizes = _open(browser, url)
    page.wait_for_load_state("load")
    time.sleep(0.5)  # what loads behind the first figures is part of the first page, too
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    price = page.evaluate("probe.priceMs")
    page.context.close()
    return Loaded(float(paint), float(price), dict(sizes))


def _busy(browser: Browser, url: str) -> list[Figure]:
    """A page that has loaded, while updates arrive."""
    page, _, _ = _open(browser, url)
    time.sleep(SETTLE_S)
    begun = page.evaluate("[performance.now(), probe.messages]")
    time.sleep(BUSY_S)
    ended = page.evaluate("[performance.now(), probe.messages]")
    tasks = page.evaluate("probe.long")
    frames = [at for at in page.evaluate("probe.frames") if begun[0] <= at <= ended[0]]
    page.context.close()
    seconds = (ended[0] - begun[0]) / 1000
    longest = max((length for at, length in tasks if at + length >= begun[0]), default=0.0)
    updates = (ended[1] - begun[1]) / seconds
    context = f"{len(COINS.split(','))} cards, {seconds:.0f} s at {updates:.0f} updates/s; 0: none over 50 ms"
    return [
        Figure("web", "long_task_ms", longest, "ms", f"longest task, {context}; aim <= 100"),
        Figure("web", "updates_per_s", updates, "1/s", "messages that arrived; 60 are sent"),
        Figure("web", "frames_per_s", len(frames) / seconds, "1/s", "frames drawn meanwhile"),
    ]


def _first(loads: list[Loaded]) -> list[Figure]:
    whole = [sum(one.sizes.values()) / 1000 for one in loads]
    own = [
        sum(size for path, size in one.sizes.items() if path.startswith("/dashboard/")) / 1000
        for one in loads
    ]
    paint = statistics.median(one.first_paint_ms for one in loads)
    figures = [one.price_ms for one in loads]
    context = f"first page with all its answers, {max(own):.0f} kB of it page and scripts; aim <= 350"
    return [
        Figure("web", "first_load_kb_gz", max(whole), "kB", context),
        Figure(
            "web", "first_paint_ms", paint, "ms", f"first contentful paint, median of {LOADS} new visitors"
        ),
        Figure(
            "web",
            "first_figures_ms",
            statistics.median(figures),
            "ms",
            f"until a price stands in its card, median of {LOADS}, worst {max(figures):.0f}; aim <= 1500",
        ),
    ]
