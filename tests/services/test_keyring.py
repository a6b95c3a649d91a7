"""Keys of the table as a running process knows them."""

from __future__ import annotations

from app.core.domain.access import MAX_ACTIVE_KEYS
from app.services.keyring import USE_EVERY_MS, Keyring
from tests.access_facts import NOW_MS, MemoryKeys, key


class Rig:
    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.store = MemoryKeys()
        self.ring = Keyring(self.store, wall_ms=lambda: self.now_ms)

    def names(self) -> list[str]:
        return [one.name for one in self.ring.active()]


async def test_nothing_is_accepted_before_the_table_was_read() -> None:
    rig = Rig()
    rig.store.put(key("bot"))
    assert rig.names() == []
    rig.store.is_away = True
    assert not await rig.ring.load()
    assert rig.names() == []
    rig.store.is_away = False
    assert await rig.ring.load()
    assert rig.names() == ["bot"]


async def test_what_was_made_and_revoked_meanwhile_is_seen_at_the_next_reading() -> None:
    rig = Rig()
    rig.store.put(key("old"))
    await rig.ring.load()
    rig.store.put(key("new"))
    await rig.store.revoke_key("old", NOW_MS)
    await rig.ring.load()
    assert rig.names() == ["new"]
    assert [one.name for one in rig.ring.all()] == ["new", "old"]


async def test_the_last_known_keys_go_on_while_the_database_is_away_but_expire_all_the_same() -> None:
    rig = Rig()
    rig.store.put(key("ever"), key("week", expires_ms=NOW_MS + 7_000))
    await rig.ring.load()
    rig.store.is_away = True
    assert not await rig.ring.load()
    assert rig.names() == ["ever", "week"]
    rig.now_ms += 6_999
    assert rig.names() == ["ever", "week"]
    rig.now_ms += 1
    assert rig.names() == ["ever"]


async def test_a_key_seen_revoked_stays_so_when_an_older_table_comes_back() -> None:
    rig = Rig()
    rig.store.put(key("lost", revoked_ms=NOW_MS))
    await rig.ring.load()
    rig.store.put(key("lost"))  # a backup from before
    await rig.ring.load()
    assert rig.names() == []


async def test_the_same_object_is_given_until_something_changes() -> None:
    rig = Rig()
    rig.store.put(key("bot"))
    await rig.ring.load()
    first = rig.ring.active()
    await rig.ring.load()
    assert rig.ring.active() is first


async def test_the_use_of_a_key_is_written_once_a_minute_however_busy_it_is() -> None:
    rig = Rig()
    rig.store.put(key("bot"), key("idle"))
    await rig.ring.load()
    for _ in range(1_000):
        rig.ring.use("bot")
        rig.now_ms += 1
    await rig.ring.load()
    assert [set(used) for used in rig.store.touched] == [{"bot"}]
    rig.ring.use("bot")
    await rig.ring.load()
    assert len(rig.store.touched) == 1
    rig.now_ms += USE_EVERY_MS
    rig.ring.use("bot")
    await rig.ring.load()
    assert rig.store.touched[1] == {"bot": rig.now_ms}


async def test_a_use_that_another_process_wrote_is_not_written_again() -> None:
    rig = Rig()
    rig.store.put(key("bot"))
    await rig.ring.load()
    rig.ring.use("bot")
    rig.store.put(key("bot", last_used_ms=NOW_MS - 1_000))
    await rig.ring.load()
    assert rig.store.touched == []


async def test_a_use_that_could_not_be_written_is_written_later() -> None:
    rig = Rig()
    rig.store.put(key("bot"))
    await rig.ring.load()
    rig.ring.use("bot")
    rig.store.is_away = True
    await rig.ring.load()
    rig.store.is_away = False
    await rig.ring.load()
    assert rig.store.touched == [{"bot": NOW_MS}]


async def test_each_request_is_compared_with_a_bounded_number_of_keys() -> None:
    rig = Rig()
    rig.store.put(*(key(f"k{number:03d}") for number in range(MAX_ACTIVE_KEYS + 5)))
    await rig.ring.load()
    assert len(rig.names()) == MAX_ACTIVE_KEYS


def test_the_digest_of_a_key_is_in_no_repr() -> None:
    one = key("bot")
    assert repr(one.digest) not in repr(one)
    assert one.digest.hex() not in repr(one)
