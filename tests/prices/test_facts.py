"""What of a call's flags, endpoint and provider bears on its price."""

from __future__ import annotations

import pytest

from tallybook.prices import facts
from tallybook.prices.base import Key


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (Key("openai", "m", base_url="https://eu.api.openai.com/v1"), {"residency": "eu"}),
        (Key("openai", "m", base_url="api.openai.com"), {}),
        (Key("xai", "m", base_url="us-east-1.api.x.ai"), {"region": "us"}),
        (Key("aws", "m", base_url="bedrock-runtime.eu-west-1.amazonaws.com"), {"region": "eu-west-1"}),
        (
            Key("google-vertex", "m", base_url="us-east5-aiplatform.googleapis.com"),
            {"surface": "vertex", "region": "us-east5"},
        ),
        (Key("google-vertex", "m", base_url="aiplatform.eu.rep.googleapis.com"), {"surface": "vertex", "region": "eu"}),
        (Key("google-vertex", "m", facts=("region:global",)), {"surface": "vertex"}),
        (Key("anthropic", "m", facts=("inference_geo:US",)), {"inference_geo": "us"}),
        (Key("anthropic", "m", facts=("inference_geo:not_available",)), {}),
        (Key("azure", "m", facts=("deployment_type:DataZone Standard",)), {"deployment_type": "data_zone"}),
        (Key("azure", "m", facts=("deployment_type:GlobalStandard",)), {"deployment_type": "global"}),
        (Key("openai", "m", base_url="http://[bad"), {}),
    ],
)
def test_facts_are_told_by_flags_hosts_and_spellings(key: Key, found: dict[str, str]) -> None:
    assert facts.of(key) == found


def test_only_flags_that_state_a_fact_are_facts() -> None:
    assert facts.flagged(("usage_estimated", "region:eu", "odd:thing", "cache_ttl:12h")) == (
        "cache_ttl:12h",
        "region:eu",
    )
