"""The coins that are followed: in force at once, three states, kept over restarts and outages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.core.domain.watchlist import MAX_COINS, StoredCoin, WatchChange, WatchedCoin
from app.core.errors import NotWatched, WatchlistFull
from app.services.storage.store import SqlStore
from app.services.watchlist import MAX_PENDING, Watchlist
from tests.watch_facts import NOW_MS, SYMBOLS, MemoryCoins, make_watchlist


async def restarted(store: Any, *configured: str) -> Watchlist:
    watchlist = make_watchlist(store, *configured)
    assert await watchlist.load() is True
    return watchlist


class HeldStore(MemoryCoins):
    """Reads take as long as a test wants."""

    reading: asyncio.Event | None = None
    may_go = asyncio.Event()

    def hold(self) -> asyncio.Event:
        """From now on, until `may_go` is set; the event says that a read has begun."""
        self.reading, self.may_go = asyncio.Event(), asyncio.Event()
        return self.reading

    async def watchlist(self) -> tuple[StoredCoin, ...]:
        found = await MemoryCoins.watchlist(self)
        if self.reading is not None:
            self.reading.set()
            await self.may_go.wait()
        return found


class TestStates:
    async def test_coins_of_the_configuration_come_first_and_added_ones_in_their_order(self) -> None:
        watchlist = make_watchlist(MemoryCoins())
        for coin in ("PEPE", "DOGE"):
            assert await watchlist.add(coin) == WatchChange(coin, did_change=True, is_saved=True)
        assert watchlist.symbols() == ("BTC", "ETH", "SOL", "PEPE", "DOGE")
        assert watchlist.all()[2:4] == (
            WatchedCoin("SOL", is_on=True, is_configured=True, is_saved=True, added_ms=None),
            WatchedCoin("PEPE", is_on=True, is_configured=False, is_saved=True, added_ms=NOW_MS),
        )

    async def test_adding_what_is_there_changes_nothing_and_switches_on_what_is_off(self) -> None:
        watchlist = make_watchlist(MemoryCoins())
        assert (await watchlist.add("BTC")).did_change is False
        await watchlist.toggle("BTC")
        assert watchlist.symbols() == ("ETH", "SOL")
        assert (await watchlist.add("BTC")).did_change is True
        assert watchlist.symbols() == SYMBOLS

    async def test_a_switch_flips_or_goes_where_it_is_told(self) -> None:
        watchlist = make_watchlist(MemoryCoins())
        assert (await watchlist.toggle("ETH")).did_change is True
        assert (await watchlist.toggle("ETH", is_on=False)).did_change is False
        assert watchlist.symbols() == ("BTC", "SOL")
        assert [coin.symbol for coin in watchlist.all()] == [*SYMBOLS]
        assert (await watchlist.toggle("ETH")).did_change is True
        assert watchlist.symbols() == SYMBOLS

    async def test_what_is_not_in_the_list_cannot_be_switched_or_removed(self) -> None:
        watchlist = make_watchlist(MemoryCoins())
        await watchlist.remove("BTC")
        for coin in ("DOGE", "BTC"):
            with pytest.raises(NotWatched):
                await watchlist.toggle(coin)
            with pytest.raises(NotWatched):
                await watchlist.remove(coin)
        assert [coin.symbol for coin in watchlist.all()] == ["ETH", "SOL"]

    async def test_a_removed_coin_of_the_configuration_stays_out_until_it_is_added(self) -> None:
        store = MemoryCoins()
        await make_watchlist(store).remove("ETH")
        again = await restarted(store)
        assert again.symbols() == ("BTC", "SOL")
        await again.add("ETH")
        assert again.symbols() == (await restarted(store)).symbols() == SYMBOLS

    async def test_a_removed_coin_that_was_added_leaves_nothing_behind(self) -> None:
        store = MemoryCoins()
        watchlist = make_watchlist(store)
        await watchlist.add("DOGE")
        await watchlist.remove("DOGE")
        assert (watchlist.symbols(), store.coins) == (SYMBOLS, {})

    async def test_a_coin_that_left_the_configuration_stays_if_somebody_wanted_it(self) -> None:
        store = MemoryCoins()
        before = make_watchlist(store, "BTC", "ETH", "SOL")
        await before.remove("ETH")
        await before.toggle("SOL")
        after = await restarted(store, "BTC")
        assert [(coin.symbol, coin.is_on, coin.is_configured) for coin in after.all()] == [
            ("BTC", True, True),
            ("SOL", False, False),
        ]

    async def test_the_list_is_bounded_with_the_coins_that_are_off(self) -> None:
        watchlist = make_watchlist(MemoryCoins())
        for number in range(MAX_COINS - len(SYMBOLS)):
            await watchlist.add(f"C{number}")
        await watchlist.toggle("C0")
        with pytest.raises(WatchlistFull):
            await watchlist.add("DOGE")
        assert (await watchlist.add("C0")).did_change is True
        await watchlist.remove("C1")
        assert (await watchlist.add("DOGE")).did_change is True
        assert len(watchlist.all()) == MAX_COINS


class TestListeners:
    async def test_each_change_is_told_once_with_the_coins_that_are_on(self) -> None:
        told: list[tuple[str, ...]] = []
        off = StoredCoin("ETH", is_on=False, is_removed=False, added_ms=1)
        store = MemoryCoins(coins={"ETH": off})
        watchlist = make_watchlist(store)
        watchlist.subscribe(told.append)
        await watchlist.load()
        await watchlist.load()
        await watchlist.add("BTC")
        await watchlist.add("PEPE")
        assert told == [("BTC", "SOL"), ("BTC", "SOL", "PEPE")]

    async def test_a_coin_that_goes_while_it_is_off_is_told_too(self) -> None:
        watchlist = make_watchlist(MemoryCoins())
        await watchlist.toggle("ETH")
        told: list[tuple[str, ...]] = []
        watchlist.subscribe(told.append)
        await watchlist.remove("ETH")
        assert told == [("BTC", "SOL")]

    async def test_a_change_is_told_before_it_is_saved(self) -> None:
        store = HeldStore()
        watchlist = make_watchlist(store)
        told: list[tuple[str, ...]] = []
        watchlist.subscribe(told.append)
        reading = store.hold()
        reload = asyncio.create_task(watchlist.load())
        await reading.wait()
        adding = asyncio.create_task(watchlist.add("DOGE"))
        await asyncio.sleep(0)
        assert (told, watchlist.unsaved(), store.coins) == ([(*SYMBOLS, "DOGE")], 1, {})
        store.may_go.set()
        assert (await adding).is_saved is True
        await reload


class TestStore:
    async def test_the_list_survives_a_restart_on_sqlite(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'store.db'}"

        async def opened() -> SqlStore:
            store = SqlStore(url, data_mode="demo", now_ms=lambda: NOW_MS, monotonic=lambda: 0.0)
            store.start()
            await store.opened()
            return store

        store = await opened()
        watchlist = make_watchlist(store.state)
        await watchlist.add("PEPE")
        await watchlist.toggle("BTC")
        await watchlist.remove("ETH")
        await store.close()
        store = await opened()
        again = await restarted(store.state)
        await store.close()
        assert again.all() == watchlist.all()
        assert again.symbols() == ("SOL", "PEPE")

    async def test_an_outage_costs_no_change(self) -> None:
        store = MemoryCoins(is_away=True)
        watchlist = make_watchlist(store)
        assert await watchlist.add("PEPE") == WatchChange("PEPE", did_change=True, is_saved=False)
        assert (await watchlist.remove("ETH")).is_saved is False
        assert await watchlist.load() is False
        assert watchlist.symbols() == ("BTC", "SOL", "PEPE")
        assert [coin.is_saved for coin in watchlist.all()] == [True, True, False]
        store.is_away = False
        assert await watchlist.load() is True
        assert watchlist.unsaved() == 0
        assert (await restarted(store)).all() == watchlist.all()

    async def test_the_last_wish_of_an_outage_is_the_one_that_is_kept(self) -> None:
        store = MemoryCoins()
        watchlist = make_watchlist(store)
        await watchlist.add("PEPE")
        store.is_away = True
        await watchlist.remove("PEPE")
        await watchlist.add("DOGE")
        await watchlist.remove("DOGE")
        assert watchlist.unsaved() == 2
        store.is_away = False
        await watchlist.load()
        assert (watchlist.symbols(), store.coins) == (SYMBOLS, {})

    async def test_what_waits_for_the_database_is_bounded(self, caplog: pytest.LogCaptureFixture) -> None:
        watchlist = make_watchlist(MemoryCoins(is_away=True))
        for number in range(MAX_PENDING + 5):
            await watchlist.add(f"C{number}")
            await watchlist.remove(f"C{number}")
        assert watchlist.unsaved() == MAX_PENDING
        assert caplog.text.count("too many wait") == 5

    async def test_processes_see_each_other_s_changes_and_undo_none(self) -> None:
        store = MemoryCoins()
        web, worker = await restarted(store), await restarted(store)
        await asyncio.gather(web.add("DOGE"), worker.remove("ETH"))
        await web.load()
        await worker.load()
        assert web.symbols() == worker.symbols() == ("BTC", "SOL", "DOGE")
        await worker.remove("DOGE")
        await web.load()
        assert web.symbols() == ("BTC", "SOL")

    async def test_a_change_during_a_reload_is_not_undone_by_what_was_being_read(self) -> None:
        store = HeldStore()
        watchlist = await restarted(store)
        reading = store.hold()
        reload = asyncio.create_task(watchlist.load())
        await reading.wait()
        adding = asyncio.create_task(watchlist.add("DOGE"))
        await asyncio.sleep(0)
        store.may_go.set()
        await reload
        assert watchlist.symbols() == (*SYMBOLS, "DOGE")
        assert (await adding).is_saved is True

    async def test_whoever_goes_away_while_a_change_is_saved_leaves_it_in_force(self) -> None:
        store = HeldStore()
        watchlist = await restarted(store)
        reading = store.hold()
        reload = asyncio.create_task(watchlist.load())
        await reading.wait()
        adding = asyncio.create_task(watchlist.add("DOGE"))
        await asyncio.sleep(0)
        adding.cancel()
        store.may_go.set()
        await asyncio.gather(reload, adding, return_exceptions=True)
        await watchlist.load()
        assert (watchlist.unsaved(), [*store.coins]) == (0, ["DOGE"])

    async def test_it_runs_until_stopped_through_an_outage(self) -> None:
        store = MemoryCoins(is_away=True, coins={"DOGE": StoredCoin("DOGE", True, False, 1)})
        watchlist = make_watchlist(store)
        heard = asyncio.Event()
        watchlist.subscribe(lambda _: heard.set())
        running = asyncio.create_task(watchlist.run())
        await asyncio.sleep(0)
        assert not running.done()
        store.is_away = False
        async with asyncio.timeout(30):
            await heard.wait()
        assert watchlist.symbols() == (*SYMBOLS, "DOGE")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
