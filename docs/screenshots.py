"""Takes the pictures of the dashboard in docs/img: `make screenshots`, or `python -m docs.screenshots`.

Needs chromium and the built dashboard, and says which is missing. Starts a demo of its own in a temporary
folder, makes its market eventful through the simulator (a cascade and its reclaim), and photographs every
page once it has figures.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from app.services.transport.connection import tls_context
from tests.live_process import ROOT, Service, running

FOLDER = Path(__file__).parent / "img"
BUILT = ROOT / "app" / "web_dist" / "index.html"
DESKTOP, PHONE = (1440, 900), (390, 844)
COINS = "BTC,ETH,SOL,XRP,DOGE,PEPE"
SETTINGS = {"RATE_LIMIT_PER_MINUTE": "100000", "SYMBOLS": COINS, "HOURLY_EVALUATIONS": "on"}
GUARD_S = 90.0
MOST_BYTES = 400_000
# The first of a burst opens the cascade, the price comes back before its time is up.
RECLAIM_AFTER_S = 20.0
# Charts draw themselves in the frames after their answers.
DRAW_MS = 1_500
_DIGIT = "/[0-9]/.test(document.querySelector('[data-testid=\"{}\"]')?.textContent ?? '')"
# Of the parts one can see: a closed dialog has not loaded either.
_LOADED = "[...document.querySelectorAll('.loading')].every((one) => one.offsetParent === null)"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture. ready: JavaScript that is true once what makes the page worth a picture stands there."""

    name: str
    path: str
    ready: str
    size: tuple[int, int] = DESKTOP
    scheme: str = "dark"


SHOTS = (
    Shot("flow", "flow", "document.querySelector('[data-testid=\"cascade-BTC\"]') !== null"),
    Shot("overview", "", _DIGIT.format("card-PEPE-score")),
    Shot("phone", "", _DIGIT.format("card-PEPE-score"), PHONE, "light"),
    Shot("coin", "coin/BTC", _DIGIT.format("coin-score")),
    Shot("record", "record", _DIGIT.format("record-summary")),
    Shot("status", "status", _DIGIT.format("stats")),
)


def missing() -> str | None:
    """What has to be there first, in words; None when all is."""
    if chromium() is None:
        return "chromium is not here (make deps installs it on Debian)"
    if not BUILT.exists():
        return "the dashboard is not built (make web)"
    return None


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def post_events(service: Service, body: dict[str, object]) -> None:
    """Scripts the demo's market; the demo says in its first lines where its simulator listens."""
    door = re.search(r"POST (\S+/__sim__/events)", service.output.read_text())
    if door is None:
        raise RuntimeError("the demo did not say where its simulator takes events")
    with httpx2.Client(verify=tls_context(), timeout=30) as client:
        client.post(door[1], json=body).raise_for_status()


def liquidation(
    base: str, price_usd: float, usd: float, in_ms: int, liquidated: str = "long"
) -> dict[str, object]:
    exchange = "Binance" if in_ms % 2 else "OKX"
    return {
        "base": base,
        "exchange": exchange,
        "liquidated": liquidated,
        "price_usd": price_usd,
        "usd": usd,
        "in_ms": in_ms,
    }


def crash(service: Service) -> None:
    """Longs of BTC and ETH are liquidated on the way down, shorts of SOL on the way up."""
    prices = service.get("/api/signals").json()["items"]
    now = {row["symbol"]: row["priceUsd"] for row in prices if row["priceUsd"]}
    burst = [
        liquidation("BTC", now["BTC"] * (1 - 0.0015 * step), 1.1e6 + 3e5 * step, 1 + 700 * step)
        for step in range(12)
    ]
    burst += [liquidation("ETH", now["ETH"] * (1 - 0.002 * step), 6e5, 900 * step) for step in range(8)]
    burst += [
        liquidation("SOL", now["SOL"] * (1 + 0.002 * step), 2e5, 1_100 * step, "short") for step in range(6)
    ]
    post_events(
        service, {"prices": {"BTC": now["BTC"] * 0.982, "ETH": now["ETH"] * 0.985}, "liquidations": burst}
    )


def reclaim(service: Service, before_usd: float) -> None:
    post_events(service, {"prices": {"BTC": before_usd}})


def price_of(service: Service, coin: str) -> float:
    """USD per coin, as soon as the service has a price of it."""

    def found() -> float | None:
        rows = service.get("/api/signals").json()["items"]
        return next((row["priceUsd"] for row in rows if row["symbol"] == coin and row["priceUsd"]), None)

    give_up_s = time.monotonic() + GUARD_S
    while time.monotonic() < give_up_s:
        if (price := found()) is not None:
            return price
        time.sleep(0.5)
    raise RuntimeError(f"no price of {coin} within {GUARD_S:.0f} s")


def wait_until(page: Page, script: str, what: str) -> None:
    """Asks from outside: the page's own policy forbids it to evaluate text."""
    give_up_s = time.monotonic() + GUARD_S
    while not page.evaluate(script):
        if time.monotonic() > give_up_s:
            raise RuntimeError(f"{what}: not ready within {GUARD_S:.0f} s")
        page.wait_for_timeout(100)


@contextmanager
def opened(browser: Browser, service: Service, shot: Shot) -> Iterator[Page]:
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="light" if shot.scheme == "light" else "dark",
        device_scale_factor=1,
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{service.url}/dashboard/{shot.path}")
    yield page
    context.close()


def photograph(browser: Browser, service: Service, shot: Shot) -> None:
    with opened(browser, service, shot) as page:
        wait_until(page, f"({shot.ready}) && ({_LOADED if shot.name != 'coin' else 'true'})", shot.name)
        page.wait_for_timeout(DRAW_MS)
        save(page.screenshot(), FOLDER / f"dashboard-{shot.name}.png")


def save(png: bytes, path: Path) -> None:
    """With a palette of its own: a dashboard has few colours, and the picture a third of the bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    size = path.stat().st_size
    if size >= MOST_BYTES:
        raise RuntimeError(f"{path.name} has {size} bytes, which is too much for a README")
    sys.stdout.write(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB\n")


def main() -> int:
    if (why := missing()) is not None:
        sys.stderr.write(f"no screenshots: {why}\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running("--demo", folder=Path(folder), settings=SETTINGS) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        before_usd = price_of(service, "BTC")
        price_of(service, "PEPE")
        crash(service)
        begun_s = time.monotonic()
        photograph(browser, service, SHOTS[0])
        time.sleep(max(0.0, RECLAIM_AFTER_S - (time.monotonic() - begun_s)))
        reclaim(service, before_usd)
        for shot in SHOTS[1:]:
            photograph(browser, service, shot)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
