"""The list prices: each trap of `genai-prices` has its guard, over the whole list as it is installed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from genai_prices import Usage as ListUsage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices, TimeOfDateConstraint

from tallybook.model.call import Call, Cost
from tallybook.model.codec import unix_us_of
from tallybook.model.money import nanousd
from tallybook.model.usage import Usage
from tallybook.prices.base import Key, Rate
from tallybook.prices.cost import cost_of
from tallybook.prices.listed import rates_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def cost(
    provider: str, model: str, at: datetime = NOW, tier: str | None = None, batch: bool = False, **usage: Any
) -> Cost:
    usage = usage or {"input_tokens": 1_000_000, "output_tokens": 0}
    call = Call(call_id="c", started_at_us=unix_us_of(at), provider=provider, model=model, usage=Usage(**usage))
    return cost_of(call, rates_of(Key(provider, model, tier, batch)))


def tables(model: ModelInfo) -> list[ModelPrice]:
    return [model.prices] if isinstance(model.prices, ModelPrice) else [row.prices for row in model.prices]


def every_model() -> list[tuple[Provider, ModelInfo]]:
    return [(provider, model) for provider in providers for model in provider.models]


def by_time_of_day(model: ModelInfo) -> bool:
    return isinstance(model.prices, list) and any(
        isinstance(row.constraint, TimeOfDateConstraint) for row in model.prices
    )


def test_every_model_with_an_empty_price_table_is_unknown_and_not_free() -> None:
    empty = [(p, m) for p, m in every_model() if not any(vars(table) for table in tables(m))]
    assert len(empty) > 100, "the list has mended its empty tables: this guard can go"
    for provider, model in empty:
        found = provider.find_model(model.id)
        for rate in rates_of(Key(provider.id, model.id)):
            assert found is not model, (provider.id, model.id, rate)
            assert not rate.is_free


def test_no_listed_model_ever_costs_nothing() -> None:
    for provider, model in every_model():
        for rate in rates_of(Key(provider.id, model.id)):
            assert not rate.is_free
            call = Call(
                call_id="c", started_at_us=rate.since_us or 0, usage=Usage(input_tokens=10**6, output_tokens=10**6)
            )
            got = cost_of(call, [rate])
            assert got.total_nanousd is None or got.total_nanousd > 0, (provider.id, model.id, rate)


def test_a_plain_call_of_every_listed_model_costs_what_the_list_itself_computes() -> None:
    compared = 0
    for provider, model in every_model():
        if provider.find_model(model.id) is not model or by_time_of_day(model):
            continue
        for input_tokens in (1_000, 300_000):
            got = cost(provider.id, model.id, input_tokens=input_tokens, output_tokens=1_000)
            if got.total_nanousd is None:
                continue
            usage = ListUsage(input_tokens=input_tokens, output_tokens=1_000)
            theirs = model.calc_price(usage, provider, genai_request_timestamp=NOW)
            assert abs(got.total_nanousd - nanousd(theirs.total_price)) <= 1, (provider.id, model.id, input_tokens)
            compared += 1
    assert compared > 3_000


def test_rounding_a_list_price_to_our_integers_changes_it_by_less_than_one_in_a_hundred_thousand() -> None:
    for provider, model in every_model():
        for table in tables(model):
            for name, value in vars(table).items():
                prices = [value.base, *(s.price for s in value.tiers)] if isinstance(value, TieredPrices) else [value]
                scale = 1_000_000 if name.endswith("_mtok") else 10**9 // 1000
                if name.endswith(("_mtok", "_kcount")):
                    for price in prices:
                        assert abs(price * scale - round(price * scale)) <= price * scale / 100_000, (
                            provider.id,
                            model.id,
                            name,
                            price,
                        )


@pytest.mark.parametrize("model", ["gpt-7-preview", "team-a-chat", "my-org/llama-3-70b-tuned", ""])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "azure", "aws", "google", "self-hosted", "openrouter"])
def test_a_model_or_provider_that_the_list_does_not_know_has_no_rates(provider: str, model: str) -> None:
    assert rates_of(Key(provider, model)) == ()


def test_azure_is_never_priced_as_certain_because_its_deployment_type_is_not_told() -> None:
    for spelling in ("azure", "azure-openai", "azure.ai.openai"):
        got = cost(spelling, "gpt-4o-2024-11-20")
        assert (got.status, got.reasons) == ("estimated", ("price_of:openai",))
    assert cost("azure", "o3-mini").status == "estimated"


def test_prices_change_on_the_day_they_changed() -> None:
    assert cost("openai", "o3", datetime(2025, 6, 9, 23, 59, tzinfo=UTC)).total_nanousd == 10_000_000_000
    assert cost("openai", "o3", datetime(2025, 6, 10, tzinfo=UTC)).total_nanousd == 2_000_000_000
    rates = rates_of(Key("openai", "o3"))
    assert [rate.until_us for rate in rates[:-1]] == [rate.since_us for rate in rates[1:]]
    assert (rates[0].since_us, rates[-1].until_us) == (None, None)


def test_a_row_that_is_known_to_be_wrong_is_only_an_estimate() -> None:
    assert cost("openai", "o3", datetime(2025, 6, 9, tzinfo=UTC)).status == "estimated"
    assert cost("openai", "o3", datetime(2025, 6, 10, tzinfo=UTC)).status == "priced"


def test_a_large_input_has_its_own_price_for_the_whole_call() -> None:
    at = datetime(2026, 2, 20, tzinfo=UTC)
    small = cost("anthropic", "claude-opus-4-6", at, input_tokens=200_000, output_tokens=0)
    large = cost("anthropic", "claude-opus-4-6", at, input_tokens=200_001, output_tokens=0)
    assert (small.total_nanousd, large.total_nanousd) == (1_000_000_000, 2_000_010_000)


def test_audio_on_a_model_without_an_audio_price_is_partial() -> None:
    got = cost("openai", "gpt-4o-audio-preview", input_tokens=1_500, input_audio_tokens=1_000, output_tokens=200)
    assert (got.status, got.reasons) == ("partial", ("no_price_for:input_audio",))
    got = cost("openai", "gpt-audio", input_tokens=1_500, input_audio_tokens=1_000, output_tokens=200)
    assert got.status == "priced"


def test_a_search_on_a_model_without_a_search_fee_is_partial() -> None:
    got = cost("openai", "gpt-3.5-turbo", input_tokens=10, output_tokens=10, requests={"web_search": 1})
    assert (got.status, got.reasons) == ("partial", ("no_price_for:web_search",))
    got = cost("openai", "gpt-5", input_tokens=0, output_tokens=0, requests={"web_search": 3, "file_search": 1})
    assert (got.status, got.tools_nanousd) == ("priced", 32_500_000)


def test_a_batch_has_its_price_from_the_first_day_the_list_knows_and_is_an_estimate_before() -> None:
    got = cost("openai", "gpt-5", batch=True)
    assert (got.status, got.total_nanousd) == ("priced", 625_000_000)
    before = cost("openai", "gpt-5", datetime(2026, 9, 1, tzinfo=UTC), batch=True)
    assert (before.status, before.total_nanousd) == ("estimated", 1_250_000_000)
    assert before.reasons == ("tier:batch_price_unknown",)


@pytest.mark.parametrize(("tier", "price"), [("flex", 625), ("priority", 2_500), ("default", 1_250), (None, 1_250)])
def test_a_service_tier_has_its_own_price(tier: str | None, price: int) -> None:
    got = cost("openai", "gpt-5", tier=tier)
    assert (got.status, got.total_nanousd) == ("priced", price * 1_000_000)


def test_a_tier_that_the_list_does_not_know_is_an_estimate_at_the_standard_price() -> None:
    got = cost("openai", "gpt-4o", tier="flex")
    assert (got.status, got.reasons) == ("estimated", ("tier:flex_price_unknown",))
    assert got.total_nanousd == cost("openai", "gpt-4o").total_nanousd
    assert cost("google", "gemini-2.5-pro", tier="PROVISIONED_THROUGHPUT").status == "estimated"


def test_anthropics_fast_mode_is_a_tier() -> None:
    assert cost("anthropic", "claude-fable-5-2", tier="fast").total_nanousd == 2 * (
        cost("anthropic", "claude-fable-5-2").total_nanousd or 0
    )


def test_prices_by_the_time_of_day_are_estimates_at_the_price_of_most_hours() -> None:
    seen = 0
    for provider, model in every_model():
        if by_time_of_day(model):
            seen += 1
            rates = rates_of(Key(provider.id, model.id))
            assert rates
            assert all("time_of_day_price" in (rate.estimated or "") for rate in rates)
    assert seen
    assert cost("deepseek", "deepseek-chat").total_nanousd == 270_000_000  # 16 of 24 hours
    assert cost("deepseek", "deepseek-v4-pro").total_nanousd == 660_000_000  # 17 of 24 hours


def test_a_fine_tuned_model_is_never_priced_as_its_base() -> None:
    assert rates_of(Key("openai", "ft:gpt-4-0613:acme::x")) == ()
    assert rates_of(Key("openai", "ft:gpt-4.1-mini-2025-04-14:acme::x")) == ()
    assert cost("openai", "ft:gpt-4o-2024-08-06:acme:sup:x").total_nanousd == 3_750_000_000


@pytest.mark.parametrize(
    ("spelled", "plain"),
    [
        (("google", "models/gemini-2.5-pro"), ("google", "gemini-2.5-pro")),
        (("gcp.vertex_ai", "gemini-2.5-pro"), ("google", "gemini-2.5-pro")),
        (("anthropic", "claude-opus-4-6[1m]"), ("anthropic", "claude-opus-4-6")),
        (("litellm", "openai/gpt-4o"), ("openai", "gpt-4o")),
        (("unknown", "gpt-4o"), ("openai", "gpt-4o")),
        (("unknown", "claude-opus-4-6"), ("anthropic", "claude-opus-4-6")),
        (("unknown", "gemini-2.5-pro"), ("google", "gemini-2.5-pro")),
    ],
)
def test_other_spellings_have_the_same_rates(spelled: tuple[str, str], plain: tuple[str, str]) -> None:
    found = rates_of(Key(*spelled))
    assert found
    assert found == rates_of(Key(*plain))


def test_a_model_of_another_maker_is_not_found_at_the_wrong_provider() -> None:
    assert rates_of(Key("openai", "claude-opus-4-6")) == ()
    assert rates_of(Key("anthropic", "gpt-4o")) == ()
    assert rates_of(Key("unknown", "llama3.2")) == ()


@pytest.mark.parametrize(
    ("provider", "model"),
    [("deepseek", "deepseek-r1:8b"), ("deepseek", "deepseek-r1-distill-qwen-7b"), ("openai", "openai/gpt-oss-20b")],
)
def test_open_weights_run_by_somebody_else_are_not_priced_as_their_makers_service(provider: str, model: str) -> None:
    assert rates_of(Key(provider, model)) == ()
    assert rates_of(Key("unknown", model)) == ()


def test_a_moving_alias_that_the_list_does_not_follow_by_date_is_an_estimate() -> None:
    assert cost("mistral", "mistral-large-latest").reasons == ("moving_alias",)
    assert cost("mistral", "mistral-medium-latest").status == "priced"
    assert cost("anthropic", "claude-3-5-haiku-latest").status == "priced"


def test_a_gateway_that_passes_requests_on_has_the_makers_price_as_an_estimate() -> None:
    got = cost("vercel", "anthropic/claude-sonnet-4-5", input_tokens=1_000_000 // 10, output_tokens=0)
    assert (got.status, got.reasons, got.total_nanousd) == ("estimated", ("price_of:anthropic",), 300_000_000)
    assert cost("portkey", "gpt-4o").reasons == ("price_of:openai",)
    assert rates_of(Key("portkey", "no-such-model")) == ()


def test_a_bare_name_from_bedrock_is_an_estimate_where_its_region_bears_on_the_price() -> None:
    assert cost("aws", "claude-sonnet-4-5-20250929").reasons == ("endpoint_region_unknown",)
    assert cost("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0").status == "priced"
    assert cost("aws", "amazon.nova-micro-v1:0").status == "priced"


def test_an_embedding_is_not_partial_for_lack_of_output() -> None:
    for provider, model in (("mistral", "mistral-embed"), ("openai", "text-embedding-3-small")):
        assert cost(provider, model, input_tokens=1_000).status == "priced"


def test_bedrocks_names_with_region_profile_and_arn_are_known() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:"
    profile = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert cost("aws", profile).total_nanousd == 3_300_000_000
    assert cost("bedrock", arn + "inference-profile/" + profile).total_nanousd == 3_300_000_000
    assert cost("aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0").total_nanousd == 3_000_000_000
    assert rates_of(Key("aws", arn + "application-inference-profile/a1b2c3d4")) == ()


def test_perplexitys_fee_of_the_largest_search_context_is_an_estimate() -> None:
    got = cost("perplexity", "sonar", input_tokens=1_000_000, output_tokens=0)
    assert (got.status, got.reasons) == ("estimated", ("search_context_size_unknown",))
    assert got.tools_nanousd == 12_000_000


def test_each_rate_names_its_source_row_and_date() -> None:
    first, second = rates_of(Key("openai", "o3"))
    assert first.price.startswith("genai-prices 0.")
    assert first.price.endswith(": openai/o3")
    assert second.price.endswith(": openai/o3 since 2025-06-10")


def test_a_rate_without_token_prices_leaves_tokens_unpriced() -> None:
    for rate in rates_of(Key("openai", "whisper-1")):
        assert isinstance(rate, Rate)
        assert rate.input_picousd is None
    got = cost("openai", "whisper-1", input_tokens=100, output_tokens=10)
    assert (got.status, got.total_nanousd) == ("unpriced", None)
