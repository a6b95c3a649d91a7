"""The board: whatever a client skipped, what it has afterwards is what is there."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.api.live_board import COIN_PARTS, MAX_ENCODED, NEWEST, NEWEST_PARTS, WHOLE_PARTS, LiveBoard

COINS = ("BTC", "ETH", "SOL", "DOGE")


def members(board: LiveBoard, version: int | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads("{" + board.since(version).removeprefix(",") + "}")
    return found


class Client:
    """What a reader of the contract does with messages."""

    def __init__(self) -> None:
        self.version: int | None = None
        self.state: dict[str, Any] = {}

    def catch_up(self, board: LiveBoard) -> None:
        if self.version is None or not board.can_resume(self.version):
            self.state = members(board, None)
        else:
            self._merge(members(board, self.version))
        self.version = board.version

    def _merge(self, delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            if name in COIN_PARTS:
                self.state[name] |= value
            elif name in NEWEST_PARTS:
                by_id = {item["id"]: item for item in (*self.state[name], *value)}
                newest = sorted(by_id.values(), key=lambda item: (item["at"], item["id"]), reverse=True)
                self.state[name] = newest[:NEWEST]
            else:
                self.state[name] = value

    def shown(self) -> dict[str, Any]:
        return without_nulls(self.state)


def without_nulls(state: dict[str, Any]) -> dict[str, Any]:
    """null takes an entry away: a client that never had it and one that lost it show the same."""
    return {
        name: {coin: one for coin, one in value.items() if one is not None} if name in COIN_PARTS else value
        for name, value in state.items()
    }


coins, parts, numbers = st.sampled_from(COINS), st.sampled_from(COIN_PARTS), st.integers(0, 3)
changes = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(sorted(WHOLE_PARTS)), numbers),
    st.tuples(st.just("coin"), parts, coins, st.one_of(st.none(), numbers)),
    st.tuples(st.just("drop"), parts, coins),
    st.tuples(st.just("newest"), st.sampled_from(NEWEST_PARTS), st.integers(0, 70), numbers),
    st.tuples(st.just("look"), st.integers(0, 2)),
)


def apply(board: LiveBoard, change: tuple[Any, ...]) -> None:
    match change:
        case ("put", part, number):
            board.put(part, json.dumps([number]))
        case ("coin", part, coin, number):
            board.put_coin(part, coin, json.dumps(number))
        case ("drop", part, coin):
            board.drop_coin(part, coin)
        case ("newest", part, at, number):
            key = f"{at:03d}"
            board.put_newest(part, key, (at, key), json.dumps({"id": key, "at": at, "n": number}))


@given(st.lists(changes, max_size=120), st.integers(1, 3))
def test_any_deltas_a_client_skipped_to_add_up_to_the_snapshot(
    made: list[tuple[Any, ...]], max_gone: int
) -> None:
    board, clients = LiveBoard(max_gone=max_gone), [Client() for _ in range(3)]
    for change in made:
        if change[0] == "look":
            clients[change[1]].catch_up(board)
        else:
            apply(board, change)
    for client in clients:
        client.catch_up(board)
        assert client.shown() == without_nulls(members(board, None))


def test_what_does_not_change_is_not_told_again() -> None:
    board = LiveBoard()
    board.put("market", '{"a":1}')
    board.put_coin("quotes", "BTC", "1")
    board.put_newest("alerts", "a", (1, "a"), '{"id":"a"}')
    version = board.version
    board.put("market", '{"a":1}')
    board.put_coin("quotes", "BTC", "1")
    board.put_newest("alerts", "a", (1, "a"), '{"id":"a"}')
    assert board.version == version
    assert board.since(version) == ""


def test_a_snapshot_has_every_part_and_a_delta_only_what_changed() -> None:
    board = LiveBoard()
    assert set(members(board, None)) == {*WHOLE_PARTS, *COIN_PARTS, *NEWEST_PARTS}
    board.put_coin("quotes", "BTC", "1")
    version = board.version
    board.put_coin("quotes", "ETH", "2")
    board.drop_coin("quotes", "BTC")
    assert members(board, version) == {"quotes": {"ETH": 2, "BTC": None}}
    assert members(board, None)["quotes"] == {"ETH": 2}


def test_a_list_keeps_its_newest_and_tells_them_newest_first() -> None:
    board = LiveBoard()
    for at in (*range(10, 10 + NEWEST), 3, 70):
        board.put_newest("alerts", str(at), (at, str(at)), str(at))
    assert members(board, None)["alerts"] == [70, *range(9 + NEWEST, 10, -1)]


def test_who_stands_at_the_same_version_gets_the_same_encoding() -> None:
    board = LiveBoard()
    board.put_coin("quotes", "BTC", "1")
    first = board.since(0)
    assert board.since(0) is first
    board.put_coin("quotes", "BTC", "2")
    assert board.since(0) != first


def test_memory_does_not_grow_with_coins_that_come_and_go_or_with_how_far_clients_lag() -> None:
    board = LiveBoard(max_gone=8)
    for number in range(500):
        board.put_coin("cards", f"C{number}", "1")
        board.drop_coin("cards", f"C{number}")
    for version in range(200):
        board.since(version)
    assert len(board._gone) == 8
    assert len(board._encoded) <= MAX_ENCODED
    assert not board.can_resume(100)
    assert board.can_resume(board.version - 3)
    assert not board.can_resume(board.version + 1)


def test_a_coin_that_comes_back_is_told_and_no_longer_gone() -> None:
    board = LiveBoard()
    board.put_coin("cards", "BTC", "1")
    version = board.version
    board.drop_coin("cards", "BTC")
    board.put_coin("cards", "BTC", "1")
    assert members(board, version) == {"cards": {"BTC": 1}}
