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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from disagreement import Book, Doubt, explained, raw_of

from tallybook.model.call import Call
from tallybook.model.money import nanousd
from tallybook.model.usage import Usage, faults
from tallybook.providers.detect import detect_provider
from tallybook.query.explain import Explained, counted
from tallybook.query.interaction import of_record, read_record

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = Path(os.environ.get("TALLYBOOK_CORPUS") or ROOT.parent / "shared" / "corpus")
DOCS = ROOT / "docs" / "accuracy.md"
NOT_TRAFFIC = ("otlp-", "usage-genai-prices")
"""Files of the folder that hold no recorded exchanges."""


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
    counts = [
        get(f"x-amzn-bedrock-{name}-token-count")
        for name in ("input", "output", "cache-read-input", "cache-write-input")
    ]
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
    if (
        one.format is not None
        and one.format.name == "anthropic.messages"
        and (sent := anthropic_input(one)) is not None
    ):
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
    headers: int
    headers_equal: int
    seconds: float


def read_file(path: Path, book: Book, doubts: list[Doubt]) -> File:
    """Count one file of recordings; what disagrees goes to `doubts`."""
    lines = path.read_bytes().splitlines()
    now_us = time.time_ns() // 1000
    started = time.process_time()
    found = book.priced([counted(read_record(line), now_us) for line in lines])
    seconds = time.process_time() - started
    name = path.stem
    calls = sound = with_usage = equal = checked = headers = headers_equal = 0
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
            if check == "headers":
                headers += 1
                headers_equal += told == ours
            if told != ours:
                doubts.append(Doubt(check, name, id_, told, ours, one))
    return File(name, len(lines), calls, sound, with_usage, equal, checked, headers, headers_equal, seconds)


class Agreement(NamedTuple):
    """One kind of independent figure: how many there are, and how many agree with ours."""

    name: str
    figures: int
    agreed: int


def by_host(files: list[File]) -> Iterator[str]:
    """The table of docs/accuracy.md: one row a host, in Markdown."""
    hosts: dict[str, list[int]] = {}
    for one in files:
        sums = hosts.setdefault(
            next((name for name in _TWO_WORDS if one.name.startswith(name)), one.name.split("-")[0]), [0] * 6
        )
        for place, figure in enumerate((one.records, one.calls, one.sound, one.with_usage, one.equal, one.checked)):
            sums[place] += figure
    yield "| host | records | model calls | read without a fault | usage found | totals equal |"
    yield "|---|---|---|---|---|---|"
    for name, (records, calls, sound, used, equal, checked) in sorted(hosts.items(), key=lambda item: -item[1][0]):
        yield f"| {name} | {records} | {calls} | {sound} | {used} | {f'{equal} of {checked}' if checked else ''} |"


_TWO_WORDS = (
    "azure-openai",
    "vercel-gateway",
    "pydantic-gateway",
    "litellm-proxy",
    "local-openai-compat",
    "openai-compat",
)


def header_agreement(files: list[File]) -> Iterator[Agreement]:
    """Counts in Bedrock's response headers against ours."""
    if counts := sum(one.headers for one in files):
        yield Agreement("Bedrock's counts in headers", counts, sum(one.headers_equal for one in files))


def stated_costs(paths: list[Path], book: Book, doubts: list[Doubt]) -> Iterator[Agreement]:
    """Costs that hosts state: do we report them, and what would the tokens alone have come to."""
    reported: Counter[str] = Counter()
    equal: Counter[str] = Counter()
    from_tokens: Counter[str] = Counter()
    near: Counter[str] = Counter()
    now_us = time.time_ns() // 1000
    for path in paths:
        for line in path.read_bytes().splitlines():
            if b"cost" not in line:
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
            yield Agreement(
                f"  the same from tokens and list prices, within 0.1 %: {host}", from_tokens[host], near[host]
            )


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
        price = next(
            (item for item in row["extractors"] if item["provider_id"] == provider and "input_price" in item), None
        )
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
    calls, sound, used = (sum(getattr(one, name) for one in files) for name in ("calls", "sound", "with_usage"))
    totals, rate = f"{equal}/{checked}", count / max(seconds, 1e-9)
    calls, sound, used = (sum(getattr(one, name) for one in files) for name in ("calls", "sound", "with_usage"))
    totals, rate = f"{equal}/{checked}", count / max(seconds, 1e-9)
    print(f"{'all':44}{count:8}{calls:7}{sound:7}{used:7}{totals:>10}{rate:8,.0f}")
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
    parser.add_argument("--verbose", action="store_true", help="all open disagreements, and the files of the explained")
    parser.add_argument("--markdown", action="store_true", help="only the table by host")
    given = parser.parse_args()
    if not given.corpus.is_dir():
        print(f"no recorded traffic at {given.corpus}; set TALLYBOOK_CORPUS", file=sys.stderr)
        return 2
    paths = [path for path in sorted(given.corpus.glob("*.jsonl")) if not path.stem.startswith(NOT_TRAFFIC)]
    if given.files:
        paths = [path for path in paths if path.stem in given.files]
    book, doubts = Book(), []
    files = [read_file(path, book, doubts) for path in paths]
    if given.markdown:
        print("\n".join(by_host(files)))
        return 0
    agreements = list(header_agreement(files)) + list(stated_costs(paths, book, doubts))
    if not given.files:
        agreements += genai_prices(given.corpus / "usage-genai-prices.jsonl", book, doubts)
        agreements += agent_bills(given.corpus / "agents" / "claude-agent-sdk", book, doubts)
    return 1 if report(files, agreements, doubts, is_verbose=given.verbose) else 0


if __name__ == "__main__":
    sys.exit(main())
