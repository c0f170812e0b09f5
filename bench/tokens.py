"""How far token estimates are from tokenizers, and both from what providers counted, on recorded answers.

    python bench/tokens.py [corpus folder]

Two tables: the character classes against each tokenizer of the extra `tokens`, on the visible texts of all answers; and
both against the providers' output tokens, for answers of text alone (no tools, no reasoning, at least 50 tokens).
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tallybook.prices import estimate, tokenizer
from tallybook.prices.tokens import raw
from tallybook.providers.base import Parsed
from tallybook.providers.table import match

CORPUS = Path(os.environ.get("TALLYBOOK_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")
TOKENS_MIN = 50
FAMILIES = ("openai", "anthropic", "google")


def answers(folder: Path) -> Iterator[tuple[str, Parsed]]:
    """(file, parsed) of every whole answer with text, each text once."""
    seen = set()
    for path in sorted(folder.glob("*.jsonl")):
        if "stream" in path.name:
            continue
        for line in path.open(encoding="utf-8"):
            record = json.loads(line)
            request, response = record.get("request") or {}, record.get("response") or {}
            body = response.get("body")
            url = urlsplit(request.get("url") or "").path
            fmt = next((found for family in FAMILIES if (found := match(family, "post", url))), None)
            if fmt is None or not isinstance(body, str) or response.get("status", 200) != 200:
                continue
            parsed = fmt.parse(body.encode())
            if parsed.text and parsed.text not in seen:
                seen.add(parsed.text)
                yield path.stem, parsed


def _table(title: str, rows: dict[str, list[float]]) -> None:
    print(f"\n{title}\n{'':28}{'texts':>6}{'mean |error|':>14}{'median':>9}{'p95':>8}{'bias':>8}")
    for name, errors in sorted(rows.items()):
        size = sorted(map(abs, errors))
        print(
            f"{name:28}{len(size):6}{statistics.mean(size):14.1%}{statistics.median(size):9.1%}"
            f"{size[int(len(size) * 0.95)]:8.1%}{statistics.mean(errors):+8.1%}"
        )


def main(folder: Path) -> int:
    found = list(answers(folder))
    against: dict[str, list[float]] = defaultdict(list)
    actual: dict[str, list[float]] = defaultdict(list)
    for _, parsed in found:
        text = parsed.text or ""
        for family in tokenizer.VOCABULARIES if tokenizer.is_installed() else ():
            count = tokenizer.count(text, family)
            if count >= TOKENS_MIN:
                against[family].append(estimate.of_family(text, family) / count - 1)
        usage = parsed.usage
        if usage is None or parsed.tool_calls or parsed.reasoning_chars or usage.reasoning_tokens:
            continue
        if (usage.output_tokens or 0) < TOKENS_MIN or not parsed.response_model:
            continue
        family = estimate.family(parsed.response_model)
        for basis in ("characters", "tokenizer") if tokenizer.is_installed() else ("characters",):
            error = raw(text, parsed.response_model, basis) / (usage.output_tokens or 1) - 1  # type: ignore[arg-type]
            actual[f"{family}, {basis}"].append(error)
    print(f"{len(found)} answers with text")
    _table("Character classes against tokenizers", against)
    _table("Estimates against the providers' own counts", actual)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS))
