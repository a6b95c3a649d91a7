"""What the pages show is what the API answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.reading import is_shown, shown, text_of, until
from tests.live_process import Service

COINS = ("BTC", "ETH", "SOL")


def card_of(service: Service, coin: str) -> dict[str, Any]:
    items = service.get("/api/signals").json()["items"]
    found: dict[str, Any] = next(item for item in items if item["symbol"] == coin)
    return found


def differences(page: Page, service: Service, coin: str) -> list[str]:
    """Which parts of a card do not show what the API has now."""
    card = card_of(service, coin)
    figures = {
        "score": card["score"],
        "coverage": card["coverage"],
        "funding": card["fundingRate8hFrac"],
        "oi": card["openInterestUsd"],
    }
    found = [
        f"{part}: {text_of(page, f'card-{coin}-{part}')} is not {value}"
        for part, value in figures.items()
        # A score is rounded towards 50, so that one below a threshold never looks as if it had reached it.
        if not (
            abs(float(text_of(page, f"card-{coin}-{part}")) - value) < 0.1
            if part == "score"
            else is_shown(text_of(page, f"card-{coin}-{part}"), value)
        )
    ]
    if not is_change_of_its_price(page, card):
        found.append(f"change: {text_of(page, f'card-{coin}-change')} is not that of the price beside it")
    words = {"signal": card["signal"], "confidence": card["confidence"]}
    for part, word in words.items():
        if word not in text_of(page, f"card-{coin}-{part}"):
            found.append(f"{part}: {text_of(page, f'card-{coin}-{part}')} is not {word}")
    return found


def is_change_of_its_price(page: Page, card: dict[str, Any]) -> bool:
    """Whether the change of 24 hours fits the price beside it, which may be newer than that of the card."""
    price, price_half = shown(text_of(page, f"card-{card['symbol']}-price"))
    change, change_half = shown(text_of(page, f"card-{card['symbol']}-change"))
    right = price / card["priceUsd"] * (1 + card["change24hFrac"]) - 1
    return abs(change - right) <= change_half * 1.001 + price_half / price


def test_cards_show_what_the_api_answers(visit: Callable[..., Visit], demo: Service) -> None:
    page = visit().open()
    for coin in COINS:
        expect(page.get_by_test_id(f"card-{coin}-price")).to_contain_text("$")
        expect(page.get_by_test_id(f"card-{coin}-score")).to_contain_text(re.compile(r"\d\.\d"))
        until(lambda coin=coin: differences(page, demo, coin), lambda found: not found)  # type: ignore[misc]


def test_prices_and_liquidations_are_those_of_the_stream(visit: Callable[..., Visit], demo: Service) -> None:
    page = visit().open()
    expect(page.get_by_test_id("card-BTC-price")).to_contain_text("$")
    expect(page.get_by_test_id("card-BTC-liq24h")).to_contain_text(re.compile(r"L \$.*S \$", re.DOTALL))

    def is_equal() -> bool:
        flow = demo.get("/flow/BTC").json()
        day = next(one for one in flow["windows"] if one["windowS"] == 86_400)
        row = page.get_by_test_id("card-BTC-liq24h").inner_text()
        long_text, short_text = row.split("L $")[1].split("S $")
        return (
            is_shown(text_of(page, "card-BTC-price"), flow["price"]["priceUsd"])
            and is_shown(f"${long_text}", day["longUsd"])
            and is_shown(f"${short_text}", day["shortUsd"])
        )

    until(is_equal)


def test_a_coin_shows_the_factors_of_its_signal(visit: Callable[..., Visit], demo: Service) -> None:
    page = visit().open("coin/ETH")
    expect(page.get_by_test_id("coin-symbol")).to_contain_text("ETH")

    def differing() -> list[str]:
        signal = demo.get("/signals/ETH").json()
        shown = {one["name"]: text_of(page, f"factor-{one['name']}") for one in signal["factors"]}
        found = [
            f"{one['name']}: {shown[one['name']]!r} is not {one['score']}"
            for one in signal["factors"]
            if f"{50 + int((one['score'] - 50) * 10 + (1e-6 if one['score'] > 50 else -1e-6)) / 10:.1f}"
            not in shown[one["name"]]
        ]
        found += [name for name, text in shown.items() if "weight" not in text]
        score = float(text_of(page, "coin-score").split()[0])
        return found + ([] if abs(score - signal["score"]) < 0.1 else [f"score {score}"])

    expect(page.get_by_test_id("factor-funding")).to_contain_text("weight")
    expect(page.get_by_test_id("coin-score")).to_contain_text(re.compile(r"\d\.\d"))
    until(differing, lambda found: not found)


def test_the_record_is_told_in_its_own_sentence(visit: Callable[..., Visit], demo: Service) -> None:
    page = visit().open("record")
    sentence = demo.get("/track-record").json()["summary"]
    expect(page.get_by_test_id("record-summary")).to_contain_text(sentence)


def test_the_status_names_every_provider_and_its_state(visit: Callable[..., Visit], demo: Service) -> None:
    page = visit().open("status")
    for provider in demo.get("/health").json()["providers"]:
        expect(page.get_by_test_id(f"provider-{provider['provider']}")).to_contain_text(provider["state"])
