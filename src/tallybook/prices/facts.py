"""Where and how a call was served, as far as it bears on the price: region, data residency, deployment type …

A fact is a name and a value. It comes from the call's flags (`inference_geo:us`), which whoever parsed the response
set; from the endpoint's host (`eu.api.openai.com`); and from the provider's own spelling (`google-vertex` is a surface
of `google`). Values that mean the provider's ordinary price are left out, so that a fact that is left and that no row
of prices speaks of is a doubt (`context_unmatched:…`), never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tallybook.prices import naming
from tallybook.prices.base import Key

NAMES = frozenset(
    (
        "cache_ttl", "context", "deployment_type", "image_quality", "image_size", "inference_geo", "region",
        "residency", "search_context", "surface",
    )
)  # fmt: skip
"""Facts that a flag may state. `context:x` is something told about a call that is not understood at all."""

_ORDINARY: dict[str, frozenset[str]] = {
    "cache_ttl": frozenset(("5m", "1h", "30m", "in_memory", "in-memory", "default", "short")),
    "deployment_type": frozenset(),
    "inference_geo": frozenset(("global", "not_available", "default", "none")),
    "region": frozenset(("global", "default", "none", "auto")),
    "residency": frozenset(("global", "default", "none")),
}
_DEPLOYMENTS = {
    "datazone": "data_zone", "datazonestandard": "data_zone", "datazonebatch": "data_zone", "global": "global",
    "globalstandard": "global", "globalbatch": "global", "standard": "regional", "regional": "regional",
    "regionalstandard": "regional", "provisioned": "provisioned", "provisionedmanaged": "provisioned",
    "ptu": "provisioned", "globalprovisioned": "provisioned", "globalprovisionedmanaged": "provisioned",
    "datazoneprovisioned": "provisioned", "datazoneprovisionedmanaged": "provisioned",
}  # fmt: skip
"""Azure's spellings of its deployment types, without what stands between the words."""

_VERTEX = frozenset(
    (
        "gcp-vertex-ai", "gcp.vertex-ai", "google-vertex", "google-vertexai", "google.vertex", "vertex", "vertex-ai",
        "vertexai",
    )
)  # fmt: skip
_AWS_HOST = re.compile(r"^bedrock[a-z-]*\.([a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)")
_VERTEX_HOST = re.compile(r"^(?:([a-z0-9-]+)-aiplatform\.googleapis\.com|aiplatform\.([a-z]+)\.rep\.googleapis\.com)$")
_VERTEX_PATH = re.compile(r"/locations/([a-z0-9-]+)/")
_OPENAI_HOST = re.compile(r"^([a-z]{2})\.api\.openai\.com$")
_XAI_HOST = re.compile(r"^([a-z]{2})[a-z0-9-]*\.api\.x\.ai$")


def flagged(flags: Iterable[str]) -> tuple[str, ...]:
    """Those of a call's flags that state a fact, in order of name."""
    return tuple(sorted([flag for flag in flags if ":" in flag and flag.partition(":")[0] in NAMES]))


def of(key: Key) -> dict[str, str]:
    """The facts of a key that are not the provider's ordinary case, lower case, by name."""
    found = _of_host(key)
    if naming.spelled(key.provider) in _VERTEX:
        found["surface"] = "vertex"
    for fact in key.facts:
        name, _, value = fact.partition(":")
        value = value.strip().lower()
        if name == "deployment_type":
            value = _DEPLOYMENTS.get(re.sub(r"[-_ ]", "", value), value)
        if value:
            found[name] = value
    return {name: value for name, value in found.items() if value not in _ORDINARY.get(name, ())}


def host_of(base_url: str | None) -> str:
    """Host of an endpoint in lower case; empty for none, or for what is no URL."""
    if not base_url:
        return ""
    from urllib.parse import urlsplit  # here, because few calls tell an endpoint

    try:
        return (urlsplit(base_url if "//" in base_url else f"//{base_url}").hostname or "").lower()
    except ValueError:
        return ""


def _of_host(key: Key) -> dict[str, str]:
    host = host_of(key.base_url)
    if not host:
        return {}
    if found := _OPENAI_HOST.match(host):
        return {"residency": found[1]}
    if found := _XAI_HOST.match(host):
        return {"region": found[1]}
    if found := _AWS_HOST.match(host):
        return {"region": found[1]}
    if found := _VERTEX_HOST.match(host):
        return {"region": found[1] or found[2]}
    found = _VERTEX_PATH.search(key.base_url or "")
    return {"region": found[1]} if found else {}
