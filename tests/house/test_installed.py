"""What a plain install brings: small, and only what is declared."""

from __future__ import annotations

import re
from importlib import metadata

from packaging.requirements import Requirement

SIZE_MB_MAX = 120


def _closure(name: str) -> dict[str, metadata.Distribution]:
    """The distributions that installing `name` without extras brings, itself included."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        wanted = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if wanted in found:
            continue
        found[wanted] = distribution = metadata.distribution(wanted)
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def _size(distribution: metadata.Distribution) -> int:
    paths = [distribution.locate_file(file) for file in distribution.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file() and path.suffix != ".pyc")  # type: ignore[attr-defined]


def test_all_default_dependencies_together_stay_under_120_mb() -> None:
    sizes = {name: _size(distribution) / 1e6 for name, distribution in _closure("tallybook").items()}
    assert len(sizes) > 5 and sizes["duckdb"] > 10, "the sizes were not found"
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert sum(sizes.values()) < SIZE_MB_MAX, f"{sum(sizes.values()):.0f} MB; largest: {largest}"


def test_no_provider_sdk_comes_with_a_plain_install() -> None:
    assert not {"openai", "anthropic", "google-genai"} & set(_closure("tallybook"))
