"""Our own dated prices: every trap of the price list that they mend, and that each row says where it comes from."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from tallybook.model.call import Call, Cost
from tallybook.model.codec import unix_us_of
from tallybook.model.usage import Usage
from tallybook.prices import overlay
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of, key_of

NOVEMBER = "2026-11-20T12:00"
BOOK = PriceBook()


def cost(provider: str, model: str, at: str = NOVEMBER, *, flags: tuple[str, ...] = (), **given: Any) -> Cost:
    called = {name: given.pop(name) for name in ("service_tier", "is_batch", "base_url") if name in given}
    usage = Usage(**({"input_tokens": 10_000, "output_tokens": 1_000} | given))
    moment = unix_us_of(datetime.fromisoformat(at).replace(tzinfo=UTC))
    call = Call(call_id="c", started_at_us=moment, provider=provider, model=model, usage=usage, flags=flags, **called)
    return cost_of(call, BOOK.rates([key_of(call)])[key_of(call)])


def usd(found: Cost) -> Fraction | None:
    return None if found.total_nanousd is None else Fraction(found.total_nanousd, 10**9)


def at_rates(input_: str, output: str) -> Fraction:
    """The cost of the usual call at prices in USD per million tokens."""
    return (10_000 * Fraction(input_) + 1_000 * Fraction(output)) / 10**6


def test_every_row_names_its_source_and_the_day_it_was_checked() -> None:
    data = tomllib.loads(overlay.PATH.read_text(encoding="utf-8"))
    assert len(data["price"]) > 100
    assert [row for row in data["price"] if not row.get("source") or "checked" not in row] == []
    assert len({row.name for row in overlay.rows()}) > 50


@pytest.mark.parametrize(
    ("model", "at", "tier", "rates"),
    [
        ("gpt-4.1", "2025-09-15", "batch", ("1", "4")),
        ("gpt-5.6-terra", "2026-07-15", "batch", ("1.25", "7.5")),
        ("gpt-5", "2025-10-01", "flex", ("0.625", "5")),
        ("gpt-5-mini", "2025-10-01", "priority", ("0.45", "3.6")),
        ("gpt-6-astra", NOVEMBER, "ultrafast", ("60", "300")),
        ("gpt-6.2-sol", NOVEMBER, "ultrafast", ("6", "30")),
        ("gpt-6.2-sol", "2027-03-02", "ultrafast", ("12", "60")),
    ],
)
def test_a_tier_has_its_price_before_the_list_knew_it(model: str, at: str, tier: str, rates: tuple[str, str]) -> None:
    found = cost("openai", model, at, service_tier=tier, is_batch=tier == "batch")
    assert (found.status, usd(found)) == ("priced", at_rates(*rates))


def test_a_tier_that_a_model_does_not_have_is_an_estimate_at_the_standard_price() -> None:
    found = cost("openai", "gpt-4o", service_tier="flex")
    assert (found.status, found.reasons) == ("estimated", ("tier:flex_price_unknown",))
    before = cost("openai", "gpt-4o", "2023-01-01", is_batch=True)
    assert before.status == "estimated"


def test_a_batch_of_claude_halves_cached_tokens_too() -> None:
    found = cost("anthropic", "claude-3-5-sonnet-20241022", "2024-11-20", is_batch=True, cache_read_tokens=4_000)
    assert (found.status, usd(found)) == ("priced", Fraction("0.0009") * 10 + Fraction("0.0006") + Fraction("0.0075"))


@pytest.mark.parametrize(
    ("at", "rates"),
    [
        ("2026-11-18T01:00", ("1.32", "3.96")),  # A Wednesday's peak, to the minute.
        ("2026-11-18T04:00", ("0.66", "1.98")),
        ("2026-11-18T09:59", ("1.32", "3.96")),
        ("2026-11-18T10:00", ("0.66", "1.98")),
        ("2026-11-21T02:00", ("0.66", "1.98")),  # Saturday.
        ("2026-10-02T02:00", ("0.66", "1.98")),  # National Day week.
        ("2026-10-08T02:00", ("1.32", "3.96")),
        ("2026-07-01T02:00", ("0.435", "0.87")),  # Before there were hours.
        ("2026-08-16T15:59", ("0.435", "0.87")),
    ],
)
def test_deepseek_has_its_peak_hours_on_working_days_from_their_first_day_on(at: str, rates: tuple[str, str]) -> None:
    found = cost("deepseek", "deepseek-v4-pro", at)
    assert (found.status, usd(found)) == ("priced", at_rates(*rates))


@pytest.mark.parametrize(
    ("model", "at", "rates"),
    [
        ("deepseek-chat", "2025-05-01T20:00", ("0.135", "0.55")),
        ("deepseek-chat", "2025-05-01T00:29", ("0.135", "0.55")),
        ("deepseek-chat", "2025-05-01T00:30", ("0.27", "1.1")),
        ("deepseek-chat", "2025-02-20T20:00", ("0.27", "1.1")),
        ("deepseek-chat", "2025-01-20T20:00", ("0.14", "0.28")),
        ("deepseek-chat", "2025-09-10T20:00", ("0.56", "1.68")),
        ("deepseek-chat", "2025-10-15T20:00", ("0.28", "0.42")),
        ("deepseek-reasoner", "2025-05-01T20:00", ("0.135", "0.55")),
        ("deepseek-reasoner", "2025-05-01T10:00", ("0.55", "2.19")),
    ],
)
def test_deepseeks_nightly_discount_had_a_first_and_a_last_day(model: str, at: str, rates: tuple[str, str]) -> None:
    found = cost("deepseek", model, at)
    assert (found.status, usd(found)) == ("priced", at_rates(*rates))


def test_a_peak_whose_calendar_is_not_known_is_an_estimate() -> None:
    assert cost("deepseek", "deepseek-v4-pro", "2027-01-04T02:00").reasons == ("holidays_unknown",)
    assert cost("deepseek", "deepseek-v4-pro", "2027-01-04T05:00").status == "priced"


@pytest.mark.parametrize(
    ("provider", "model", "at", "rates"),
    [
        ("openai", "o3", "2025-05-20", ("10", "40")),
        ("openai", "o3", "2025-07-20", ("2", "8")),
        ("openai", "gpt-4o", "2024-07-01", ("5", "15")),
        ("openai", "o1-mini", "2024-10-01", ("3", "12")),
        ("openai", "ft:gpt-4.1-mini-2025-04-14:acme::xyz", NOVEMBER, ("0.8", "3.2")),
        ("openai", "gpt-6.2-sol", NOVEMBER, ("2", "10")),
        ("anthropic", "claude-3-5-haiku-20241022", "2024-11-20", ("1", "5")),
        ("anthropic", "claude-3-5-haiku-20241022", "2025-01-20", ("0.8", "4")),
    ],
)
def test_history_and_models_that_the_list_lacks_have_their_price(
    provider: str, model: str, at: str, rates: tuple[str, str]
) -> None:
    found = cost(provider, model, at)
    assert (found.status, usd(found)) == ("priced", at_rates(*rates))


def test_fast_modes_have_their_price_and_their_premium_for_a_region_on_top() -> None:
    assert usd(cost("anthropic", "claude-opus-4-6", "2026-05-10", service_tier="fast")) == at_rates("30", "150")
    both = cost("anthropic", "claude-opus-5-5", service_tier="fast", flags=("inference_geo:us",))
    assert (both.status, usd(both)) == ("priced", at_rates("8", "40") * Fraction("1.1"))


@pytest.mark.parametrize(
    ("provider", "model", "told", "factor"),
    [
        ("openai", "gpt-5.5", {"base_url": "eu.api.openai.com"}, "1.1"),
        ("openai", "gpt-4o", {"base_url": "eu.api.openai.com"}, "1"),
        ("anthropic", "claude-opus-5-5", {"flags": ("inference_geo:us",)}, "1.1"),
        ("google-vertex", "claude-sonnet-4-5@20250929", {"base_url": "us-east5-aiplatform.googleapis.com"}, "1.1"),
        ("google-vertex", "claude-sonnet-4-5@20250929", {"base_url": "aiplatform.googleapis.com"}, "1"),
        ("google-vertex", "gemini-2.5-flash", {"flags": ("region:us-central1",)}, "1"),
        ("x-ai", "grok-4.7", {"base_url": "us-east-1.api.x.ai"}, "1.1"),
    ],
)
def test_a_region_costs_its_premium(provider: str, model: str, told: dict[str, Any], factor: str) -> None:
    found = cost(provider, model, **told)
    plain = usd(cost(provider, model))
    assert plain is not None
    assert (found.status, usd(found)) == ("priced", plain * Fraction(factor))


def test_a_region_that_no_price_speaks_of_is_an_estimate() -> None:
    found = cost("x-ai", "grok-4.7", base_url="eu-west-1.api.x.ai")
    assert (found.status, found.reasons) == ("estimated", ("context_unmatched:region=eu",))


def test_audio_without_a_row_in_the_list_has_its_own_price() -> None:
    found = cost("openai", "gpt-4o-audio-preview-2025-06-03", input_audio_tokens=9_000, output_audio_tokens=900)
    assert (found.status, usd(found)) == ("priced", Fraction(1_000 * 5 // 2 + 9_000 * 40 + 100 * 10 + 900 * 80, 10**6))


@pytest.mark.parametrize(
    ("provider", "model", "quantities", "true"),
    [
        ("openai", "whisper-1", {"audio_ms": 90_000}, "0.009"),
        ("openai", "gpt-4o-mini-transcribe", {"audio_ms": 120_000}, "0.006"),
        ("groq", "whisper-large-v3", {"audio_ms": 90_000}, "0.002775"),
        ("openai", "tts-1-hd", {"characters": 1_000}, "0.03"),
        ("mistral", "mistral-ocr-2512", {"pages": 3, "annotated_pages": 1}, "0.009"),
        ("cohere", "rerank-v3.5", {"search_units": 3}, "0.006"),
        ("google", "imagen-4.0-ultra-generate-001", {"images": 2}, "0.12"),
    ],
)
def test_what_is_no_token_has_its_price(provider: str, model: str, quantities: dict[str, int], true: str) -> None:
    found = cost(provider, model, input_tokens=None, output_tokens=None, quantities=quantities)
    assert (found.status, usd(found)) == ("priced", Fraction(true))


def test_units_that_stand_in_for_tokens_are_not_billed_beside_them() -> None:
    found = cost("openai", "gpt-4o-transcribe", input_audio_tokens=10_000, quantities={"audio_ms": 60_000})
    assert (found.status, usd(found)) == ("priced", at_rates("6", "10"))


def test_a_unit_without_a_price_is_never_a_silent_zero() -> None:
    told = {"input_tokens": None, "output_tokens": None, "quantities": {"pages": 3}}
    assert cost("openai", "gpt-5", **told).reasons == ("no_price_for:pages",)
    assert cost("openai", "gpt-5", **told).total_nanousd is None
    assert cost("openai", "gpt-5", quantities={"pages": 3}).status == "partial"


def test_searches_cost_by_tool_model_and_unit() -> None:
    plain = at_rates("2", "8")
    assert usd(cost("openai", "gpt-4.1", requests={"web_search": 2})) == plain + Fraction("0.02")
    assert usd(cost("openai", "gpt-4.1", requests={"web_search_preview": 2})) == plain + Fraction("0.05")
    assert usd(cost("openai", "o3", requests={"web_search_preview": 2})) == plain + Fraction("0.02")
    once = cost("google", "gemini-2.5-flash", requests={"web_search": 3})
    assert usd(once) == at_rates("0.3", "2.5") + Fraction("0.035")
    each = cost("google", "gemini-3.1-pro-preview", requests={"web_search": 3})
    assert usd(each) == at_rates("2", "12") + Fraction("0.042")
    assert cost("openai", "gpt-5", requests={"shell": 1}).reasons == ("no_price_for:shell",)


def test_a_write_kept_for_twelve_hours_costs_twice_that_of_half_an_hour() -> None:
    found = cost("openai", "gpt-5.6-terra", cache_write_5m_tokens=8_000, flags=("cache_ttl:12h",))
    assert (found.status, usd(found)) == ("priced", Fraction(2_000 * 2 + 8_000 * 5 + 1_000 * 12, 10**6))


def test_azure_goes_by_its_deployment_type_and_followed_price_cuts_later() -> None:
    zone = cost("azure", "gpt-4o-2024-11-20", flags=("deployment_type:data_zone",))
    assert (zone.status, usd(zone)) == ("estimated", at_rates("2.75", "11"))
    assert usd(cost("azure", "gpt-5.6-terra", "2026-08-15")) == at_rates("2.5", "15")
    assert usd(cost("azure", "gpt-5.6-terra", "2026-11-15")) == at_rates("2", "12")


def test_perplexitys_fee_goes_by_the_size_of_the_search() -> None:
    assert cost("perplexity", "sonar-pro").reasons == ("search_context_size_unknown",)
    low = cost("perplexity", "sonar-pro", flags=("search_context:low",))
    assert (low.status, usd(low)) == ("priced", at_rates("3", "15") + Fraction("0.006"))


def test_cached_audio_has_its_own_price_where_it_is_told() -> None:
    found = cost(
        "openai", "gpt-realtime", input_audio_tokens=8_000, cache_read_tokens=6_000,
        quantities={"cache_read_audio_tokens": 5_000},
    )  # fmt: skip
    true = Fraction(3_000 * 32 * 10 + 6_000 * 4 + 1_000 * 40 + 1_000 * 160, 10**7)
    assert (found.status, usd(found)) == ("priced", true)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("cerebras", "qwen-3-coder-480b"),
        ("github-copilot", "gpt-4o"),
        ("openai", "gpt-7-preview"),
        ("deepseek", "deepseek-v9"),
    ],
)
def test_what_has_no_price_is_unpriced_and_never_zero(provider: str, model: str) -> None:
    found = cost(provider, model)
    assert (found.status, found.total_nanousd) == ("unpriced", None)


def test_voyages_rerankers_are_billed_by_the_tokens_they_read() -> None:
    found = cost("voyageai", "rerank-2.5-lite", input_tokens=1_000_000, output_tokens=None)
    assert (found.status, found.total_nanousd) == ("priced", 20_000_000)


def test_mistral_small_s_alias_meant_an_older_model_once() -> None:
    found = cost("mistral", "mistral-small-latest", "2024-12-01")
    assert (found.status, usd(found)) == ("estimated", at_rates("0.2", "0.6"))
    assert usd(cost("mistral", "mistral-small-latest", "2025-03-01")) == at_rates("0.1", "0.3")


def test_the_size_of_a_picture_billed_by_tokens_is_no_doubt_and_of_one_billed_whole_its_price() -> None:
    flags = ("image_quality:hd", "image_size:1024x1024")
    tokens = {"input_tokens": 50, "input_image_tokens": 40, "output_tokens": 50}
    assert cost("openai", "gpt-image-1", flags=flags, **tokens).status == "priced"
    whole = cost(
        "openai", "dall-e-3", "2026-01-10T12:00:00Z",
        flags=flags, input_tokens=None, output_tokens=None, quantities={"images": 1},
    )  # fmt: skip
    assert (whole.status, whole.total_nanousd) == ("priced", 80_000_000)
