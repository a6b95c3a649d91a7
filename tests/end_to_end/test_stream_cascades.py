"""From socket to message: one cascade is one message that grows, its reclaim a second one; mirrored too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.core.domain.alerts import StoredAlert
from app.core.domain.flow import AlertKind, Phase, TradeLevels
from app.core.domain.market_figures import LevelFigures
from app.core.domain.signal import Direction
from app.core.domain.stored import LiquidatedSide
from tests.stream_rig import until
from tests.worker_parts_rig import WorkerRig, liquidation, trade, worker_rig

LEVEL = 60_000.0
MILLION = 1_000_000.0


async def test_a_small_event_and_then_twelve_million_are_one_message(tmp_path: Path) -> None:
    async with worker_rig(tmp_path) as rig:
        await rig.play(liquidation("BTC", "long", 500.0, LEVEL))
        assert rig.pipeline.status().findings == 0
        await rig.play(liquidation("BTC", "long", MILLION, LEVEL))
        assert rig.pipeline.status().findings == 0
        await rig.play(liquidation("BTC", "long", MILLION, LEVEL - 10))
        # The event that crosses the threshold is told at once: market time stands still until it is.
        crossed_ms = rig.clock.now_ms()
        await until(lambda: rig.sends == 1)
        assert rig.clock.now_ms() == crossed_ms
        (first,) = await rig.messages()
        assert "BTC: $2.00M of longs liquidated in 30 s" in first

        for step in range(10):
            await rig.play(liquidation("BTC", "long", MILLION, LEVEL - 20 - step), step_ms=500)
        await rig.delivered()
        assert len(await rig.messages()) == 1
        await rig.pass_s(45)
        await rig.delivered()
        assert await _shown(rig) == ["$12.0M"]

        await rig.pass_s(900, step_s=30)
        await rig.delivered()
        assert await _shown(rig) == ["$12.0M"]
        assert (rig.sends, rig.pipeline.status().events) == (1, 13)
        assert rig.edits >= 2
        (stored,) = await rig.alerts()
        assert (stored.alert.usd, stored.alert.is_final) == (12 * MILLION + 500, True)


async def _shown(rig: WorkerRig) -> list[str]:
    """The size in each message of the chat."""
    sizes = [re.search(r"\$[\d.]+M", text) for text in await rig.messages()]
    return [found[0] for found in sizes if found]


async def test_a_storm_over_a_hundred_coins_is_a_hundred_analyses_and_one_digest_per_chat(
    tmp_path: Path,
) -> None:
    coins = [f"C{number}" for number in range(100)]
    chats = {"TELEGRAM_CHAT_ID": "-1001,-1002,77"}
    async with worker_rig(tmp_path, chats) as rig:
        await rig.play(*(liquidation(coin, "short", 3 * MILLION, 1.5) for coin in coins for _ in range(3)))
        link = rig.process.worker._parts.links()[0]
        prices = link.events - 3 * len(coins)  # each in a frame of its own
        assert link.frames - prices == 1
        await until(lambda: rig.sends == 3)
        await rig.delivered()
        texts = await rig.messages()
        stored = await rig.alerts()
    status = rig.pipeline.status()
    assert (status.events, status.alerts) == (300, {"kept": 100})
    assert {one.alert.symbol for one in stored} == set(coins)
    assert {(one.alert.usd, one.alert.side) for one in stored} == {(9 * MILLION, LiquidatedSide.SHORT)}
    assert [text.splitlines()[0].removeprefix("[DEMO] ") for text in texts] == [
        "<b>Alerts: 100 · coins: 100</b>"
    ] * 3
    assert (rig.sends, rig.edits) == (3, 0)


class Story:
    """A quiet market, a cascade of longs with its forced sells, the price's way back; or all of it mirrored:
    long and short, buy and sell exchanged, prices mirrored around LEVEL."""

    def __init__(self, rig: WorkerRig, *, is_mirrored: bool) -> None:
        self._rig = rig
        self._is_mirrored = is_mirrored

    def _price(self, price: float) -> float:
        return 2 * LEVEL - price if self._is_mirrored else price

    def _side(self, here: str, there: str) -> str:
        return there if self._is_mirrored else here

    async def tell(self) -> None:
        await self._quiet()
        for step in range(12):
            price = self._price(LEVEL - 60 - 20 * step)
            await self._rig.play(
                liquidation("BTC", self._side("long", "short"), MILLION, self._price(LEVEL - 500)),
                trades=[trade("BTC", self._side("sell", "buy"), 900_000.0, price)],
                prices={"BTC": price},
                step_ms=500,
            )
        # The lowest price is a fact of the story, not of how busy the machine is.
        await self._rig.heard("BTC", self._price(LEVEL - 280))
        await self._rig.delivered()
        await self._rig.pass_s(20)
        back = self._price(LEVEL - 5)
        await self._rig.play(
            trades=[trade("BTC", self._side("buy", "sell"), 20_000.0, back)], prices={"BTC": back}
        )
        await self._rig.heard("BTC", back)
        await self._rig.delivered()

    async def _quiet(self) -> None:
        rig = self._rig
        clusters = [59_000.0, 58_500.0], [60_600.0, 61_200.0]
        below, above = (sorted(map(self._price, part)) for part in clusters)
        if self._is_mirrored:
            below, above = above, below
        rig.pipeline.note_market(
            LevelFigures("BTC", rig.clock.now_ms(), 440.0, tuple(below[::-1]), tuple(above))
        )
        for step in range(6):
            price = self._price(LEVEL - 10 + 4 * step)
            await rig.play(
                trades=[trade("BTC", "buy" if step % 2 else "sell", 5_000.0, price)], prices={"BTC": price}
            )
            await rig.pass_s(20, step_s=10)


async def _told(folder: Path, language: str, *, is_mirrored: bool) -> tuple[list[str], list[StoredAlert]]:
    async with worker_rig(folder, {"APP_LANGUAGE": language}) as rig:
        # Prices are there before the story: the coin is on the watchlist.
        await rig.play(prices={"BTC": LEVEL})
        await rig.subscribed("BTC")
        await Story(rig, is_mirrored=is_mirrored).tell()
        return await rig.messages(), await rig.alerts()


_WORDS = {
    "longs": "shorts",
    "LONG": "SHORT",
    "🔻": "🔺",
    "🟢": "🔴",
    "back up": "back down",
    "posisi long": "posisi short",
    "kembali naik": "kembali turun",
}


def mirror_text(text: str) -> str:
    """Sides, signs and prices as the mirrored market has them; ids are of their own."""
    table = _WORDS | {there: here for here, there in _WORDS.items()}
    pattern = re.compile("|".join(sorted(map(re.escape, table), key=len, reverse=True)))
    text = pattern.sub(lambda found: table[found[0]], text)
    text = re.sub(r"\(([+-])", lambda found: "(-" if found[1] == "+" else "(+", text)
    text = re.sub(
        r"\$(\d\d,\d{3})", lambda found: f"${2 * LEVEL - float(found[1].replace(',', '')):,.0f}", text
    )
    return hide_ids(text)


def hide_ids(text: str) -> str:
    """Without ids, and without what hangs on when a message went out and on how frames were cut: its age, and
    how many revisions it took."""
    text = re.sub(r"[\d.]+ \S+ (old|lalu)", "AGE", text)
    text = re.sub(r"(update|pembaruan) \d+", "UPDATE", text)
    return re.sub(r"<code>[0-9a-f]{16}</code>", "ID", text)


@pytest.mark.parametrize("language", ["en", "id"])
async def test_a_mirrored_market_gives_mirrored_alerts_and_text(tmp_path: Path, language: str) -> None:
    texts, stored = await _told(tmp_path, language, is_mirrored=False)
    other_texts, other_stored = await _told(tmp_path / "other", language, is_mirrored=True)
    assert len(texts) == 2
    assert [mirror_text(text) for text in texts] == [hide_ids(text) for text in other_texts]
    assert texts != other_texts

    cascade, way_back = (one.alert for one in sorted(stored, key=lambda one: one.alert.follows is not None))
    assert (cascade.direction, cascade.levels, cascade.phase) == (Direction.NEUTRAL, None, Phase.RECLAIM)
    assert (way_back.direction, way_back.follows) == (Direction.LONG, cascade.id)
    # Sweep to 59,720, a quarter of 440 below it; targets are the clusters above.
    assert way_back.levels == TradeLevels(LEVEL - 5, 59_610.0, (60_600.0, 61_200.0))
    mirror = next(one.alert for one in other_stored if one.alert.follows is not None)
    assert (mirror.direction, mirror.side) == (Direction.SHORT, LiquidatedSide.SHORT)
    assert mirror.levels == TradeLevels(LEVEL + 5, 60_390.0, (59_400.0, 58_800.0))
    assert mirror.confidence == way_back.confidence
    if language == "en":
        assert (
            "Entry $59,995 · stop $59,610 (-0.64 %) · targets $60,600 (+1.0 %), $61,200 (+2.0 %)" in texts[1]
        )
    # The cascade's own forced sells were no message, and did not take the direction away.
    kinds = {one.alert.kind for one in stored if one.drop_reason is None}
    assert kinds == {AlertKind.STOP_HUNT}
