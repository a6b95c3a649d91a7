"""The judgement of the scale demo: what passes, and each way to fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from bench.scale_verdicts import (
    busiest_window,
    calls_about,
    holders,
    is_shared,
    judge_cache,
    judge_end,
    judge_outbox,
    judge_quota,
    judge_stream,
    judge_web,
    per_resource,
)


def call(path: str = "/api/x", *, at_s: float = 0.0, status: int = 200, **params: str) -> dict[str, Any]:
    return {
        "provider": "coinglass",
        "endpoint": "x",
        "path": path,
        "params": params,
        "atS": at_s,
        "status": status,
    }


class TestBusiestWindow:
    def test_a_window_is_half_open(self) -> None:
        assert busiest_window([0, 59.9, 60]) == 2

    def test_the_order_of_the_moments_does_not_matter(self) -> None:
        assert busiest_window([100, 0, 101, 102, 30]) == 3

    def test_without_a_moment_there_is_none(self) -> None:
        assert busiest_window([]) == 0

    def test_a_burst_over_a_border_of_minutes_counts_whole(self) -> None:
        assert busiest_window([58 + n / 10 for n in range(40)]) == 40


class TestCalls:
    @pytest.mark.parametrize(
        "given",
        [
            {"path": "/public/coins/SOL/v1"},
            {"symbol": "SOL"},
            {"symbol": "SOLUSDT"},
            {"instId": "SOL-USDT-SWAP"},
            {"filter": "BINANCEFTS_PERP_SOL_USDT,SOL-1"},
        ],
    )
    def test_a_coin_is_found_however_a_provider_spells_it(self, given: dict[str, str]) -> None:
        assert calls_about([call(**given)], ["SOL"])

    @pytest.mark.parametrize("given", [{"symbol": "SOLV"}, {"symbol": "XSOL"}, {"path": "/console"}, {}])
    def test_another_coin_is_not(self, given: dict[str, str]) -> None:
        assert calls_about([call(**given)], ["SOL"]) == []

    def test_one_resource_is_path_and_parameters(self) -> None:
        calls = [call(symbol="A"), call(symbol="A", at_s=3), call(symbol="B"), call("/api/y", symbol="A")]
        assert sorted(per_resource(calls).values()) == [1, 1, 2]


class TestLeases:
    def test_partitions_are_told_by_the_process_that_holds_them(self) -> None:
        leases = {
            "signals:live:bus:lease:partition-10": "detect-7-ab12/3",
            "signals:live:bus:lease:partition-2": "detect-7-ab12/1",
            "signals:live:bus:lease:partition-0": "detect-9-cd34/1",
            "signals:live:bus:lease:ingest": "ingest-5-ef56/1",
        }
        names = {7: "detect-1", 8: "detect-2"}
        assert holders(leases, names) == {"detect-1": [2, 10], "detect-2": [], "gone": [0]}

    @pytest.mark.parametrize(
        ("held", "shared"),
        [
            ({"a": [0, 1], "b": [2]}, True),
            ({"a": [0, 1, 2], "b": []}, False),
            ({"a": [0, 1], "b": []}, False),
            ({"a": [0], "gone": [1, 2], "b": []}, False),
            ({"a": [0, 1, 2]}, False),
            ({}, False),
        ],
    )
    def test_a_fair_share_for_each_and_none_without_an_owner(
        self, held: Mapping[str, list[int]], shared: bool
    ) -> None:
        assert is_shared(held, ["a", "b"], 3) is shared


class TestVerdicts:
    @pytest.mark.parametrize(
        ("calls", "states", "signals", "passed"),
        [
            (9, {200: 5, 503: 1}, {200: 5}, True),
            (10, {200: 5}, {200: 5}, True),
            (11, {200: 5}, {200: 5}, False),
            (7, {200: 5}, {200: 5}, False),
            (9, {200: 5, 500: 1}, {200: 5}, False),
            (9, {200: 5, 503: 1}, {200: 4, 503: 1}, False),
            (9, {}, {}, False),
        ],
    )
    def test_a_quota_is_nearly_spent_and_never_exceeded(
        self, calls: int, states: dict[int, int], signals: dict[int, int], passed: bool
    ) -> None:
        made = [call(at_s=n) for n in range(calls)]
        assert judge_quota(made, limit=10, states=states, signals=signals).passed is passed

    def test_a_call_that_the_provider_refused_fails_and_a_socket_is_no_call(self) -> None:
        fine = {"limit": 10, "states": {200: 1}, "signals": {200: 1}}
        refused = [call(at_s=n, status=429 if n == 4 else 200) for n in range(9)]
        assert not judge_quota(refused, **fine).passed  # type: ignore[arg-type]
        sockets = [call() | {"endpoint": "ws"} for _ in range(9)]
        assert not judge_quota(sockets, **fine).passed  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("together", "further", "second", "passed"),
        [
            ({"a": 1, "b": 1}, 0, {"price": "1", "funding": "2"}, True),
            ({"a": 2, "b": 1}, 0, {"price": "1", "funding": "2"}, False),
            ({"a": 1}, 1, {"price": "1", "funding": "2"}, False),
            ({"a": 1}, 0, {"price": "1", "funding": "3"}, False),
            ({"a": 1}, 0, {"price": "1"}, False),
            ({}, 0, {"price": "1", "funding": "2"}, False),
        ],
    )
    def test_a_shared_cache_asks_once_and_tells_the_same_ages(
        self, together: dict[Any, int], further: int, second: dict[str, str], passed: bool
    ) -> None:
        first = {"price": "1", "funding": "2"}
        verdict = judge_cache(Counter(together), further=further, first=first, second=second)
        assert verdict.passed is passed

    @pytest.mark.parametrize(
        "change",
        [
            {"sockets": 2},
            {"sockets": 0},
            {"stored": 9},
            {"stored": 11},
            {"same": False},
            {"moved_s": None},
            {"moved_s": 60.0},
            {"shared_again_s": None},
        ],
    )
    def test_a_stream_loses_nothing_counts_nothing_twice_and_moves_in_time(
        self, change: dict[str, Any]
    ) -> None:
        fine: dict[str, Any] = {"sockets": 1, "sent": 10, "stored": 10, "moved_s": 8.4, "shared_again_s": 2.0}
        assert judge_stream(**fine, same=True).passed
        assert not judge_stream(**{**fine, "same": True, **change}).passed

    @pytest.mark.parametrize(
        "change", [{"messages": 2}, {"messages": 0}, {"stored": 2}, {"feeds": 1}, {"listed": 1}]
    )
    def test_one_alert_is_one_message_and_heard_everywhere(self, change: dict[str, int]) -> None:
        fine = {"messages": 1, "stored": 1, "feeds": 2, "listed": 2}
        assert judge_outbox(**fine, delivers=2).passed
        assert not judge_outbox(**{**fine, **change}, delivers=2).passed

    @pytest.mark.parametrize(
        ("answers", "alone", "status", "passed"),
        [
            ({"a": ["LONG 70"], "b": ["LONG 70"]}, 10, 0, True),
            ({"a": ["LONG 70"], "b": ["LONG 71"]}, 10, 0, False),
            ({"a": ["LONG 70"], "b": ["LONG 70"]}, 9, 0, False),
            ({"a": ["LONG 70"], "b": ["LONG 70"]}, 10, 1, False),
            ({"a": ["LONG 70"]}, 10, 0, False),
        ],
    )
    def test_web_processes_are_exchangeable(
        self, answers: dict[str, list[str]], alone: int, status: int, passed: bool
    ) -> None:
        assert judge_web(answers, alone=alone, asked=10, status=status).passed is passed

    def test_the_end_leaves_no_port_and_no_child(self) -> None:
        assert judge_end(listening=[], left=[]).passed
        for left in ({"listening": [80], "left": []}, {"listening": [], "left": [7]}):
            verdict = judge_end(**left)
            assert not verdict.passed
            assert verdict.line().startswith("FAIL  end")
