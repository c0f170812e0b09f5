"""How exactly recorded traffic is counted, file by file, against every independent figure there is.

    ./dev bench accuracy [--corpus FOLDER] [--verbose] [FILE…]

For each file of recordings: records, those that are model calls, those read without a fault, those whose usage was
found, how often the provider's own total equals ours, and how many records came through each second. Then the
independent figures: another project's extraction and prices, costs that providers state, xAI's ticks, the agent SDK's
bill, the counts in Bedrock's headers. A disagreement is either explained by name in docs/accuracy.md, where the same
names stand as headings, or it is a failure: then the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tallybook.model.call import Call, Cost
from tallybook.model.money import nanousd
from tallybook.model.usage import Usage, faults
from tallybook.prices.book import PriceBook
from tallybook.prices.cost import cost_of, key_of
from tallybook.providers.detect import detect_provider
from tallybook.providers.sse import looks_like_sse
from tallybook.query.explain import Explained, counted, priced
from tallybook.query.interaction import Interaction, of_record, read_record

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = Path(os.environ.get("TALLYBOOK_CORPUS") or ROOT.parent / "shared" / "corpus")
DOCS = ROOT / "docs" / "accuracy.md"
NOT_TRAFFIC = ("otlp-", "usage-genai-prices")
"""Files of the folder that hold no recorded exchanges."""


class Doubt(NamedTuple):
    """One figure that differs from ours."""

    check: str
    file: str
    id: Any
    told: Any
    ours: Any
    seen: Explained | None = None


class Book:
    """Rates by key, kept for the whole run."""

    def __init__(self) -> None:
        self._book = PriceBook()

    def cost(self, call: Call) -> Cost:
        """What a call costs by its tokens."""
        return cost_of(call, self._book.rates([key_of(call)])[key_of(call)])

    def priced(self, found: list[Explained]) -> list[Explained]:
        """As `explain` prices them."""
        return priced(found, self._book)


_USAGE_TEXT = re.compile(
    rb'"(usage|usageMetadata|usage_metadata|tokens|billed_units)"\s*:\s*\{\s*"|_eval_count"|[tT]okenCount"|token_count"'
)
"""What any usage in a body looks like, whatever the format."""


def _no_usage_anywhere(doubt: Doubt) -> bool:
    return doubt.check == "usage" and doubt.seen is not None and not _USAGE_TEXT.search(doubt.seen.seen.exchange.body)


def _is_stream(doubt: Doubt) -> bool:
    body = b"" if doubt.seen is None else doubt.seen.seen.exchange.body
    return looks_like_sse(body) or body[:1] == b"\0" or body.count(b"\n{") > 0


def _vercel_thoughts(doubt: Doubt) -> bool:
    seen = doubt.seen
    return doubt.check == "total" and seen is not None and seen.provider == "vercel" and (seen.model or "").startswith("google/")


def _has_iterations(doubt: Doubt) -> bool:
    if doubt.check not in ("input", "extraction") or doubt.seen is None:
        return False
    return any(item.get("type") == "compaction" for item in raw_of(doubt.seen).get("iterations") or ())


def _told_elsewhere(doubt: Doubt) -> bool:
    """Counts that a total holds and the parts do not, by exactly what we have more."""
    if doubt.check != "extraction" or doubt.seen is None:
        return False
    raw, told, ours = raw_of(doubt.seen), doubt.told, doubt.ours
    return told[0] == ours[0] and told[1] < ours[1] == raw.get("total_tokens", 0) - raw.get("prompt_tokens", 0)


def _mistral_cache(doubt: Doubt) -> bool:
    raw = raw_of(doubt.seen) if doubt.seen is not None else {}
    return doubt.check == "extraction" and bool(raw.get("num_cached_tokens")) and doubt.ours[2] == raw["num_cached_tokens"]


def _edited_total(doubt: Doubt) -> bool:
    raw = raw_of(doubt.seen) if doubt.seen is not None else {}
    is_small = doubt.check == "total" and doubt.told < max(raw.get("promptTokenCount", 0), raw.get("candidatesTokenCount", 0))
    return is_small and doubt.seen is not None and doubt.seen.seen.exchange.is_url_guessed


def _live_thoughts(doubt: Doubt) -> bool:
    raw = raw_of(doubt.seen) if doubt.seen is not None else {}
    return doubt.check == "total" and "responseTokenCount" in raw and doubt.ours - doubt.told == raw.get("thoughtsTokenCount")


def _in_progress(doubt: Doubt) -> bool:
    body = b"" if doubt.seen is None else doubt.seen.seen.exchange.body
    return doubt.check == "usage" and re.search(rb'"status"\s*:\s*"(queued|in_progress)"', body) is not None


def _is_cut(doubt: Doubt) -> bool:
    seen = doubt.seen
    return doubt.check == "usage" and seen is not None and (seen.status == "incomplete" or not seen.seen.exchange.body)


def _older_price(doubt: Doubt) -> bool:
    """The other project's figure is what our list says for an earlier day."""
    if doubt.check != "price" or doubt.seen is None or not doubt.seen.calls:
        return False
    book, call = PriceBook(), doubt.seen.calls[0]
    starts = {rate.since_us - 1 for rate in book.rates([key_of(call)])[key_of(call)] if rate.since_us}
    costs = [cost_of(msgspec.structs.replace(call, started_at_us=at), book.rates([key_of(call)])[key_of(call)]) for at in starts]
    return any(abs((cost.total_nanousd or 0) - (cost.tools_nanousd or 0) - doubt.told) <= 2 for cost in costs)


def _billed_as_opus(doubt: Doubt) -> bool:
    return doubt.check == "agent" and doubt.ours * 5 == doubt.told * 3


# Each explanation: its name (a heading in docs/accuracy.md) and which doubts it explains. The first that holds counts.
EXPLANATIONS: tuple[tuple[str, Callable[[Doubt], bool]], ...] = (
    ("A response still in progress", _in_progress),
    ("A stream that was not asked for its usage", lambda doubt: _no_usage_anywhere(doubt) and _is_stream(doubt)),
    ("A body that was cut or is empty", _is_cut),
    ("An endpoint that tells no usage", _no_usage_anywhere),
    ("Vercel's gateway leaves Gemini's thoughts out", _vercel_thoughts),
    ("Gemini Live leaves thoughts out of its total", _live_thoughts),
    ("Compactions are billed besides the top level", _has_iterations),
    ("Thoughts that show only in the total", _told_elsewhere),
    ("Mistral's num_cached_tokens", _mistral_cache),
    ("A total that was edited by hand", _edited_total),
    ("List prices that have changed since", _older_price),
    ("The agent SDK's bill under another model's name", _billed_as_opus),
)


def explained(doubt: Doubt) -> str | None:
    """The name of the explanation of a doubt; `None` where there is none."""
    return next((name for name, holds in EXPLANATIONS if holds(doubt)), None)


def raw_of(one: Explained) -> dict[str, Any]:
    """The provider's own usage object of a single answer."""
    return one.usage_raw if isinstance(one.usage_raw, dict) else {}


def total_told(one: Explained) -> int | None:
    """The provider's own total of tokens."""
    raw = raw_of(one)
    for name in ("total_tokens", "totalTokenCount", "totalTokens"):
        if isinstance(raw.get(name), int):
            return int(raw[name])
    return None


def anthropic_input(one: Explained) -> int | None:
    """Input, cache reads and writes as Anthropic told them, added."""
    raw = raw_of(one)
    if not isinstance(raw.get("input_tokens"), int) or "cache_creation_input_tokens" not in raw:
        return None
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(raw.get(name) or 0 for name in names)


def header_counts(one: Explained) -> tuple[int, int] | None:
    """Input and output as Bedrock's headers count them, caches included."""
    get = one.seen.exchange.headers.get
    counts = [get(f"x-amzn-bedrock-{name}-token-count") for name in ("input", "output", "cache-read-input", "cache-write-input")]
    if counts[0] is None or counts[1] is None:
        return None
    given, made, read, written = (int(count or 0) for count in counts)
    return given + read + written, made


def checks(one: Explained, file: str) -> Iterator[tuple[str, Any, Any]]:
    """(check, what was told, what we have) for each figure that a record tells besides."""
    usage = one.usage
    if usage is None:
        return
    told = total_told(one)
    if told is not None:
        yield "total", told, usage.total_tokens
    if one.format is not None and one.format.name == "anthropic.messages" and (sent := anthropic_input(one)) is not None:
        yield "input", sent, usage.input_tokens
    counts = header_counts(one)
    if counts is not None:
        yield "headers", counts, (usage.input_tokens, usage.output_tokens)
    yield "parts", (), faults(usage)


def stated_nanousd(raw: dict[str, Any]) -> int | None:
    """A cost that the host states, by itself: USD, a mapping with a total, or xAI's ticks of 1e-10 USD."""
    ticks = raw.get("cost_in_usd_ticks")
    if ticks and int(ticks):
        return (int(ticks) + 5) // 10
    cost = raw.get("cost")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    if cost is None:
        return None
    whole = float(cost)
    if raw.get("is_byok"):
        upstream = (raw.get("cost_details") or {}).get("upstream_inference_cost", raw.get("market_cost"))
        whole += float(upstream or 0)
    return nanousd(repr(whole) if "e" not in repr(whole) else f"{whole:.15f}")


class File(NamedTuple):
    """What one file came to."""

    name: str
    records: int
    calls: int
    sound: int
    with_usage: int
    equal: int
    checked: int
    seconds: float


def read_file(path: Path, book: Book, doubts: list[Doubt]) -> File:
    """Count one file of recordings; what disagrees goes to `doubts`."""
    lines = path.read_bytes().splitlines()
    now_us = time.time_ns() // 1000
    started = time.process_time()
    found = book.priced([counted(read_record(line), now_us) for line in lines])
    seconds = time.process_time() - started
    name = path.stem
    calls = sound = with_usage = equal = checked = 0
    for one in found:
        id_ = one.seen.id
        if "parser_failed" in one.flags:
            doubts.append(Doubt("fault", name, id_, None, one.flags, one))
            continue
        sound += 1
        if not one.calls:
            if "unrecognised" in one.flags:
                doubts.append(Doubt("unrecognised", name, id_, None, None, one))
            continue
        calls += 1
        if one.usage is not None:
            with_usage += 1
        elif one.status != "error":
            doubts.append(Doubt("usage", name, id_, None, None, one))
        for check, told, ours in checks(one, name):
            if check in ("total", "input"):
                checked += 1
                equal += told == ours
            if told != ours:
                doubts.append(Doubt(check, name, id_, told, ours, one))
    return File(name, len(lines), calls, sound, with_usage, equal, checked, seconds)


class Agreement(NamedTuple):
    """One kind of independent figure: how many there are, and how many agree with ours."""

    name: str
    figures: int
    agreed: int


def stated_costs(paths: list[Path], book: Book, doubts: list[Doubt]) -> Iterator[Agreement]:
    """Costs that hosts state: do we report them, and what would the tokens alone have come to."""
    reported: Counter[str] = Counter()
    equal: Counter[str] = Counter()
    from_tokens: Counter[str] = Counter()
    near: Counter[str] = Counter()
    now_us = time.time_ns() // 1000
    for path in paths:
        for line in path.read_bytes().splitlines():
            if b'cost' not in line:
                continue
            one = counted(read_record(line), now_us)
            told = stated_nanousd(raw_of(one))
            if told is None or len(one.calls) != 1:
                continue
            host = one.provider
            reported[host] += 1
            ours = book.priced([one])[0].cost.total_nanousd
            if ours is not None and abs(ours - told) <= 1:
                equal[host] += 1
            else:
                doubts.append(Doubt("stated", path.stem, one.seen.id, told, ours, one))
            alone = book.cost(msgspec.structs.replace(one.calls[0], cost=None))
            if alone.total_nanousd is not None and alone.status == "priced" and told:
                from_tokens[host] += 1
                if abs(alone.total_nanousd - told) <= max(1, told // 1000):
                    near[host] += 1
                else:
                    doubts.append(Doubt("tokens", path.stem, one.seen.id, told, alone.total_nanousd, one))
    for host in sorted(reported):
        yield Agreement(f"cost stated by {host}", reported[host], equal[host])
        if from_tokens[host]:
            yield Agreement(f"  the same from tokens and list prices, within 0.1 %: {host}", from_tokens[host], near[host])


_KINDS = (
    ("usageMetadata", "google", "gemini-generate"),
    ("meta", "cohere", "cohere-embeddings"),
)


def true_provider(body: dict[str, Any], model: str | None) -> tuple[str, str]:
    """(provider, API) of one of genai-prices' test payloads, which do not say: by file name, shape and model."""
    for key, provider, api in _KINDS:
        if key in body:
            return provider, api
    usage, file = body.get("usage") or {}, body.get("file", "")
    if "inputTokens" in usage:
        return "bedrock", "bedrock-converse"
    if "billed_units" in usage or "tokens" in usage:
        return "cohere", "cohere-v2-chat"
    if "cache_creation_input_tokens" in usage:
        return "anthropic", "anthropic-messages"
    if "prompt_tokens" not in usage:
        return ("openai", "openai-responses") if "xai" not in file else ("x-ai", "xai-responses")
    for mark in ("openrouter", "groq", "mistral", "huggingface", "deepseek", "cerebras", "azure", "xai", "outlines"):
        if mark in file:
            return {"xai": "x-ai", "huggingface": "huggingface_together"}.get(mark, mark), f"{mark}-chat"
    found = detect_provider(model)
    kind = "embeddings" if "embed" in (model or "") else "chat"
    return (found if found in ("mistral", "deepseek", "groq") else "openai"), f"openai-{kind}"


_NAMES = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def genai_prices(path: Path, book: Book, doubts: list[Doubt]) -> Iterator[Agreement]:
    """Another project's extraction from real payloads, and its price of them."""
    figures: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        record = json.loads(line)
        body = record["body"]
        provider, api = true_provider(body, record.get("model"))
        row = _row_of(record["extracted"], "aws" if provider == "bedrock" else provider)
        if row is None:
            continue
        seen = of_record({"id": record["id"], "provider": provider, "api": api, "model": record.get("model"),
                          "response": {"body": body}})  # fmt: skip
        one = counted(seen, _GENAI_US)
        told = tuple(row["usage"].get(name) or 0 for name in _NAMES)
        ours = _four(one.usage)
        figures[f"extraction of {provider}"] += 1
        agreed[f"extraction of {provider}"] += told == ours
        if told != ours:
            doubts.append(Doubt("extraction", provider, record["id"], told, ours, one))
            continue
        price = next((item for item in row["extractors"] if item["provider_id"] == provider and "input_price" in item), None)
        if price is None or not one.calls:
            continue
        cost = book.cost(msgspec.structs.replace(one.calls[0], provider=provider, cost=None))
        if cost.total_nanousd is None or cost.status != "priced":
            continue
        theirs = nanousd(price["input_price"]) + nanousd(price.get("output_price") or "0")
        ours_nano = cost.total_nanousd - (cost.tools_nanousd or 0)
        figures[f"price of {provider}"] += 1
        if abs(theirs - ours_nano) <= 2:
            agreed[f"price of {provider}"] += 1
        else:
            doubts.append(Doubt("price", provider, record["id"], theirs, ours_nano, one))
    for name in sorted(figures):
        yield Agreement(f"genai-prices: {name}", figures[name], agreed[name])


_GENAI_US = 1_787_400_000_000_000
"""22 August 2026, when those prices were worked out."""


def _row_of(rows: list[dict[str, Any]], provider: str) -> dict[str, Any] | None:
    """The extraction for the true provider; OpenAI's, whose shape it has, where that provider is not named."""
    for wanted in (provider, "openai"):
        for row in rows:
            for item in row["extractors"]:
                flavour = item.get("api_flavor")
                if item["provider_id"] == wanted and (wanted != "cohere" or flavour != "tokens"):
                    return row
    return None


def _four(usage: Usage | None) -> tuple[int, ...]:
    """Input, output, cache reads and writes, unknown as 0, as the other project has them."""
    use = usage or Usage()
    written = (use.cache_write_5m_tokens or 0) + (use.cache_write_1h_tokens or 0)
    return use.input_tokens or 0, use.output_tokens or 0, use.cache_read_tokens or 0, written


def agent_bills(folder: Path, book: Book, doubts: list[Doubt]) -> Iterator[Agreement]:
    """The agent SDK's own bill of a conversation, against its token counts at our prices."""
    figures = agreed = 0
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            row = json.loads(line) if line.startswith(b"{") else {}
            for result in _results(row):
                figures += 1
                ours = sum(_bill(model, used, book) for model, used in result["modelUsage"].items())
                told = nanousd(f"{result['total_cost_usd']:.12f}")
                if abs(told - ours) <= 1:
                    agreed += 1
                else:
                    doubts.append(Doubt("agent", path.stem, None, told, ours))
    if figures:
        yield Agreement("the agent SDK's total_cost_usd", figures, agreed)


def _results(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "total_cost_usd" in value and isinstance(value.get("modelUsage"), dict):
            yield value
        for inner in value.values():
            yield from _results(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _results(inner)


def _bill(model: str, used: dict[str, Any], book: Book) -> int:
    read, written = used["cacheReadInputTokens"], used["cacheCreationInputTokens"]
    usage = Usage(
        input_tokens=used["inputTokens"] + read + written, output_tokens=used["outputTokens"], cache_read_tokens=read,
        cache_write_5m_tokens=written,
    )  # fmt: skip
    call = Call(call_id="", started_at_us=_GENAI_US, provider="anthropic", model=model, usage=usage)
    return book.cost(call).total_nanousd or 0


def report(files: list[File], agreements: list[Agreement], doubts: list[Doubt], *, is_verbose: bool) -> int:
    """Print it all; the number of disagreements without an explanation."""
    print(f"{'file':44}{'records':>8}{'calls':>7}{'sound':>7}{'usage':>7}{'totals':>10}{'rec/s':>8}")
    for one in files:
        totals = f"{one.equal}/{one.checked}" if one.checked else ""
        rate = f"{one.records / one.seconds:,.0f}" if one.seconds else ""
        print(f"{one.name:44}{one.records:8}{one.calls:7}{one.sound:7}{one.with_usage:7}{totals:>10}{rate:>8}")
    count = sum(one.records for one in files)
    seconds = sum(one.seconds for one in files)
    equal, checked = sum(one.equal for one in files), sum(one.checked for one in files)
    print(f"{'all':44}{count:8}{sum(f.calls for f in files):7}{sum(f.sound for f in files):7}"
          f"{sum(f.with_usage for f in files):7}{f'{equal}/{checked}':>10}{count / max(seconds, 1e-9):8,.0f}")  # fmt: skip
    print()
    for item in agreements:
        print(f"{item.name:76}{item.agreed:6} of {item.figures}")
    print()
    by_name: Counter[tuple[str, str]] = Counter()
    files_of: dict[tuple[str, str], Counter[str]] = {}
    open_doubts = []
    for doubt in doubts:
        name = explained(doubt)
        if name is None:
            open_doubts.append(doubt)
        else:
            by_name[name, doubt.check] += 1
            files_of.setdefault((name, doubt.check), Counter())[doubt.file] += 1
    for (name, check), number in sorted(by_name.items()):
        print(f"explained  {number:5}  {check:12} {name}")
        if is_verbose:
            print("           " + ", ".join(f"{file} {count}" for file, count in sorted(files_of[name, check].items())))
    for doubt in open_doubts if is_verbose else open_doubts[:40]:
        print(f"OPEN       {doubt.check:12} {doubt.file} {doubt.id}: told {doubt.told}, ours {doubt.ours}")
    unwritten = sorted({name for name, _ in by_name} - headings())
    for name in unwritten:
        print(f"OPEN       {DOCS.name} has no heading {name!r}")
    print(f"{sum(by_name.values())} disagreements explained, {len(open_doubts) + len(unwritten)} open")
    return len(open_doubts) + len(unwritten)


def headings() -> set[str]:
    """The names that docs/accuracy.md explains."""
    text = DOCS.read_text(encoding="utf-8") if DOCS.is_file() else ""
    return set(re.findall(r"^### (.+)$", text, re.MULTILINE))


def main() -> int:
    """Exit code 1 when a disagreement has no explanation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="names of the folder's files without .jsonl; all by default")
    parser.add_argument("--corpus", type=Path, default=DEFAULT)
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    if not given.corpus.is_dir():
        print(f"no recorded traffic at {given.corpus}; set TALLYBOOK_CORPUS", file=sys.stderr)
        return 2
    paths = [path for path in sorted(given.corpus.glob("*.jsonl")) if not path.stem.startswith(NOT_TRAFFIC)]
    if given.files:
        paths = [path for path in paths if path.stem in given.files]
    book, doubts = Book(), []
    files = [read_file(path, book, doubts) for path in paths]
    agreements = list(stated_costs(paths, book, doubts))
    if not given.files:
        agreements += genai_prices(given.corpus / "usage-genai-prices.jsonl", book, doubts)
        agreements += agent_bills(given.corpus / "agents" / "claude-agent-sdk", book, doubts)
    return 1 if report(files, agreements, doubts, is_verbose=given.verbose) else 0


if __name__ == "__main__":
    sys.exit(main())
