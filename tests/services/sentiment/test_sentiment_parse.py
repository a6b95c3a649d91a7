"""LunarCrush and alternative.me bytes become scores 0-100, or a `ProviderError`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import (
    ProviderAuthFailed,
    ProviderBadPayload,
    ProviderError,
    ProviderNoData,
    ProviderPlanLimited,
    ProviderRateLimited,
    ProviderUnavailable,
)
from app.services.sentiment.client import check_alternative_me, check_lunarcrush
from app.services.sentiment.parse import parse_coin_list, parse_fear_greed, parse_galaxy_scores
from app.services.transport.records import Answer

T = 1_760_000_400_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TODAY = T // DAY_MS * DAY_MS
FIXTURES = Path(__file__).parents[2] / "fixtures"
CONTRACTS = Path(__file__).parents[4] / "shared" / "contracts"

PARSERS: dict[str, Callable[[bytes], object]] = {
    "lunarcrush/http_get_coins_time_series__normal.json": parse_galaxy_scores,
    "lunarcrush/http_get_coins_list__normal.json": parse_coin_list,
    "alternative_me/http_get_fng__normal.json": parse_fear_greed,
}


def _fixture(name: str) -> bytes:
    provider, case = name.split("/")
    return (FIXTURES / provider / f"http_get_{case}.json").read_bytes()


@pytest.mark.parametrize(
    "sample, parse",
    [
        ("lunarcrush/samples/coins_time_series.json", parse_galaxy_scores),
        ("lunarcrush/samples/coins_list.json", parse_coin_list),
        ("alternative-me/samples/fng.json", parse_fear_greed),
    ],
)
def test_every_contract_sample_parses(sample: str, parse: Callable[[bytes], object]) -> None:
    if not CONTRACTS.is_dir():
        pytest.skip("no contract samples beside the project")
    assert parse((CONTRACTS / sample).read_bytes())


class TestGalaxyScores:
    def test_scores_by_hour_start_oldest_first(self) -> None:
        scores = parse_galaxy_scores(_fixture("lunarcrush/coins_time_series__normal"))
        assert next(iter(scores.items())) == (T - 3 * HOUR_MS, 70.0)
        assert len(scores) == 4

    def test_nulls_are_skipped_and_duplicates_count_once(self) -> None:
        body = _fixture("lunarcrush/coins_time_series__nulls_out_of_order_duplicate")
        assert list(parse_galaxy_scores(body)) == [T - 3 * HOUR_MS, T - HOUR_MS]

    @pytest.mark.parametrize("case", ["over_100", "milliseconds", "empty_string"])
    def test_impossible_values_are_a_bad_payload(self, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse_galaxy_scores(_fixture(f"lunarcrush/coins_time_series__{case}"))


class TestCoinList:
    def test_percent_becomes_a_fraction(self) -> None:
        listed = parse_coin_list(_fixture("lunarcrush/coins_list__normal"))
        assert listed.coins["BTC"].dominance_frac == pytest.approx(0.175)
        assert listed.generated_ms == T + 30_000

    def test_of_two_coins_with_one_symbol_the_better_ranked_stays(self) -> None:
        assert parse_coin_list(_fixture("lunarcrush/coins_list__normal")).coins["DUP"].sentiment == 60

    def test_null_is_absent_and_an_impossible_row_is_left_out(self) -> None:
        coins = parse_coin_list(_fixture("lunarcrush/coins_list__normal")).coins
        assert coins["NUL"].sentiment is None
        assert "BAD" not in coins


class TestFearGreed:
    def test_strings_become_values_by_publication_stamp(self) -> None:
        scores = parse_fear_greed(_fixture("alternative_me/fng__normal"))
        assert dict(scores) == {TODAY - 2 * DAY_MS: 45.0, TODAY - DAY_MS: 30.0, TODAY: 25.0}

    def test_order_duplicates_and_extra_fields_do_not_matter(self) -> None:
        body = _fixture("alternative_me/fng__out_of_order_duplicate_extra")
        assert parse_fear_greed(body) == parse_fear_greed(_fixture("alternative_me/fng__normal"))
        assert list(parse_fear_greed(body)) == sorted(parse_fear_greed(body))

    @pytest.mark.parametrize("case", ["over_100", "empty_string", "null"])
    def test_impossible_values_are_a_bad_payload(self, case: str) -> None:
        with pytest.raises(ProviderBadPayload):
            parse_fear_greed(_fixture(f"alternative_me/fng__{case}"))


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_bytes_cut_anywhere_raise_only_provider_errors(name: str) -> None:
    body = (FIXTURES / name).read_bytes().rstrip()
    for length in range(len(body)):
        with pytest.raises(ProviderError):
            PARSERS[name](body[:length])


@given(
    name=st.sampled_from(sorted(PARSERS)),
    junk=st.one_of(st.text(max_size=12), st.floats(), st.none(), st.integers(), st.just("nan")),
    data=st.data(),
)
def test_junk_never_becomes_a_score_outside_0_to_100(name: str, junk: object, data: st.DataObject) -> None:
    answer = json.loads((FIXTURES / name).read_bytes())
    row = data.draw(st.sampled_from(answer["data"]))
    row[data.draw(st.sampled_from(sorted(row)))] = junk
    try:
        found = PARSERS[name](json.dumps(answer).encode())
    except ProviderError:
        return
    if isinstance(found, dict):
        assert all(0 <= score <= 100 for score in found.values())


@pytest.mark.parametrize(
    "status, body, error",
    [
        (200, b'{"error":"Coin not found"}', ProviderNoData),
        (404, b'{"error":"Coin not found"}', ProviderNoData),
        (404, b'{"error":"Invalid endpoint (2)"}', ProviderBadPayload),
        (200, b'{"error":"Something went wrong"}', ProviderUnavailable),
        (401, b"{}", ProviderAuthFailed),
        (402, b"{}", ProviderPlanLimited),
        (429, b"", ProviderRateLimited),
        (503, b"<html>", ProviderUnavailable),
    ],
)
def test_lunarcrush_answers_become_typed_errors(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_lunarcrush("coins_time_series", Answer(status, {}, body, 1.0))


def test_an_error_text_in_the_metadata_is_unavailable() -> None:
    with pytest.raises(ProviderUnavailable):
        check_alternative_me("fng", Answer(200, {}, _fixture("alternative_me/fng__error"), 1.0))
    check_alternative_me("fng", Answer(200, {}, _fixture("alternative_me/fng__normal"), 1.0))


@pytest.mark.parametrize(
    ("parser", "row", "count"),
    [
        (parse_galaxy_scores, {"time": T // 1000, "galaxy_score": 50}, 2_001),
        (parse_coin_list, {"symbol": "BTC"}, 20_001),
        (parse_fear_greed, {"value": "50", "timestamp": str(T // 1000)}, 20_001),
    ],
)
def test_an_answer_far_beyond_what_was_asked_for_is_refused(
    parser: Callable[[bytes], object], row: dict[str, object], count: int
) -> None:
    with pytest.raises(ProviderBadPayload, match=f"{count} rows"):
        parser(json.dumps({"data": [row] * count}).encode())
