"""Agents' transcripts: agreement with independent totals, and speed beside ccusage. `./dev bench transcripts`

    python bench/transcripts.py agree [CORPUS]
    python bench/transcripts.py speed [--megabytes 500] [--ccusage PATH] [--rounds 3]

Agreement needs the recorded transcripts (TALLYBOOK_CORPUS, or ../shared/corpus). Speed makes up sessions
(`sessions.py`) and times whole processes, in turn, CPU and wall; ccusage (npm) is timed where it is found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sessions import write

from tallybook.ingest.importers.base import Importer
from tallybook.ingest.importers.claude_code import ClaudeCode
from tallybook.ingest.importers.codex import Codex
from tallybook.ingest.importers.gemini_cli import GeminiCli
from tallybook.model.call import Call
from tallybook.prices.book import PriceBook
from tallybook.prices.pricer import Pricer

ROOT = Path(__file__).resolve().parent.parent


class Row(NamedTuple):
    """One figure beside an independent one."""

    what: str
    figure: str
    theirs: float
    ours: float
    why: str = ""


def calls_of(reader: Importer, path: Path) -> list[Call]:
    """All calls of a file."""
    return reader.read(path, path.read_bytes(), 0, None, is_end=True, is_settled=True).calls


def told_output(call: Call) -> int:
    """The output as the transcript told it, before any estimate."""
    raw = call.usage_raw
    told = msgspec.json.decode(raw) if isinstance(raw, msgspec.Raw) else raw
    return int((told or {}).get("output_tokens") or 0)


def sdk_rows(corpus: Path) -> Iterator[Row]:
    """The Agent SDK's own cost of a stream, against ours."""
    pricer = Pricer(PriceBook(None))
    for path in sorted((corpus / "agents/claude-agent-sdk").glob("*.jsonl")):
        results = [json.loads(line) for line in path.read_text().splitlines() if '"total_cost_usd"' in line]
        if not results:
            continue
        billed = results[-1]["modelUsage"]
        calls = calls_of(ClaudeCode(), path)
        tokens = sum(one["inputTokens"] + one["outputTokens"] + one["cacheReadInputTokens"]
                     + one["cacheCreationInputTokens"] for one in billed.values())  # fmt: skip
        yield Row(path.stem, "tokens", tokens, sum(call.usage.total_tokens or 0 for call in calls))
        theirs = results[-1]["total_cost_usd"]
        ours = sum(pricer.cost(call).total_nanousd or 0 for call in calls) / 1e9
        why = "that version priced Sonnet 4.6 as Opus: 5/3 of the list" if abs(theirs * 3 / 5 - ours) < 1e-9 else ""
        yield Row(path.stem, "usd", theirs, ours, why)


def _slice(lines: list[bytes]) -> tuple[dict[str, int], int, int]:
    """Figures of the session's own calls in some lines; how many calls of subagents and of the tool's own words."""
    calls = ClaudeCode().read(Path("s.jsonl"), b"\n".join(lines), 0, None, is_end=True, is_settled=True).calls
    main = [call for call in calls if call.parent_id is None and call.status == "ok"]
    uses = [call.usage for call in main]
    figures = {
        "api_call_count": len(main),
        "cache_read_tokens": sum(use.cache_read_tokens or 0 for use in uses),
        "cache_creation_tokens": sum(
            (use.cache_write_5m_tokens or 0) + (use.cache_write_1h_tokens or 0) for use in uses
        ),
        "output_tokens": sum(told_output(call) for call in main),
    }
    return figures, len(calls) - len(main), sum(b"<synthetic>" in line for line in lines)


def checkpoint_rows(corpus: Path) -> Iterator[Row]:
    """Token counts that another tool kept at a moment of each session, from a line on, subagents left out.

    It does not say whether the line that it names was the beginning of the count: the whole file is tried as well.
    """
    for one in json.loads((corpus / "agents/index.json").read_text()):
        theirs = one.get("oracle_entire_token_usage")
        if not theirs:
            continue
        lines = (corpus / one["file"]).read_bytes().split(b"\n")
        tried = [_slice(lines[(one.get("transcript_lines_at_start") or 0) :]), _slice(lines)]
        figures, below, words = min(tried, key=lambda each: abs(each[0]["output_tokens"] - theirs["output_tokens"]))
        for name, ours in figures.items():
            why = ""
            if ours != theirs[name] and name == "api_call_count" and ours + words == theirs[name]:
                why = "it counts the tool's own words as a call"
            elif below and name == "api_call_count":
                why = f"and {below} calls of subagents, which it leaves out"
            yield Row(Path(one["file"]).stem[:36], name, theirs[name], ours, why)


def other_rows(corpus: Path) -> Iterator[Row]:
    """Figures stated by research on the same files, and by the fixtures of ccusage."""
    (rollout,) = (corpus / "agents/codex").glob("rollout-*.jsonl")
    last: dict[str, int] = {}
    for line in rollout.read_text().splitlines():
        info = (json.loads(line).get("payload") or {}).get("info") or {}
        last = info.get("total_token_usage") or last
    uses = [call.usage for call in calls_of(Codex(), rollout)]
    yield Row("codex rollout", "input", last["input_tokens"], sum(use.input_tokens or 0 for use in uses))
    yield Row("codex rollout", "cached", last["cached_input_tokens"], sum(use.cache_read_tokens or 0 for use in uses))
    yield Row("codex rollout", "output", last["output_tokens"], sum(use.output_tokens or 0 for use in uses))
    for path in sorted((corpus / "agents/gemini-cli").glob("*.json")):
        told = [one.get("tokens") or {} for one in json.loads(path.read_text())["messages"]]
        uses = [call.usage for call in calls_of(GeminiCli(), path)]
        total = sum(use.total_tokens or 0 for use in uses)
        yield Row(f"gemini {path.stem[:20]}", "total", sum(one.get("total", 0) for one in told), total)
    for path in sorted((corpus / "agents/synthetic-ccusage").glob("*.jsonl")):
        is_codex = "codex" in path.name
        uses = [call.usage for call in calls_of(Codex() if is_codex else ClaudeCode(), path)]
        expected = (3500, 425) if is_codex else (745, 250)
        name = f"ccusage {'codex' if is_codex else 'claude'}"
        yield Row(name, "input", expected[0], sum(use.input_tokens or 0 for use in uses))
        yield Row(name, "output", expected[1], sum(use.output_tokens or 0 for use in uses))


def agree(corpus: Path) -> int:
    """Print the table; 1 when a difference has no name."""
    unexplained = same = 0
    for row in (*sdk_rows(corpus), *checkpoint_rows(corpus), *other_rows(corpus)):
        is_same = abs(row.theirs - row.ours) < 1e-9 * max(1.0, abs(row.theirs))
        same += is_same
        unexplained += not is_same and not row.why
        mark = "=" if is_same else "≠"
        print(f"{row.what:<52}{row.figure:<22}{row.theirs:>16,.10g} {mark} {row.ours:<16,.10g}{row.why}")
    print(f"\n{same} figures agree; {unexplained} differences without a name")
    return int(unexplained > 0)


def timed(command: list[str], environ: dict[str, str]) -> tuple[float, float]:
    """CPU and wall seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, env={**os.environ, **environ}, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def speed(megabytes: float, ccusage: str | None, rounds: int) -> None:
    """Print the least of the rounds for each command, and ratios to ccusage on one core."""
    with tempfile.TemporaryDirectory(prefix="tallybook-bench-") as name:
        place = Path(name)
        made = write(place / "claude", megabytes)
        print(f"{made.bytes / 1e6:.0f} MB in {made.files} files, {made.responses:,} responses")
        tallybook = [sys.executable, "-m", "tallybook", "import", "claude-code", "--quiet"]
        environ = {"CLAUDE_CONFIG_DIR": str(place / "claude"), "TALLYBOOK_DIR": str(place / "ledger")}
        commands: dict[str, list[str]] = {}
        if ccusage:
            commands["ccusage, one core"] = [ccusage, "claude", "daily", "--offline", "--json", "--single-thread"]
            commands["ccusage, all cores"] = [ccusage, "claude", "daily", "--offline", "--json"]
        commands["import --dry-run"] = [*tallybook, "--dry-run"]
        commands["import, first"] = tallybook
        commands["import, nothing new"] = tallybook
        best: dict[str, Any] = {}
        for _ in range(rounds):
            shutil.rmtree(place / "ledger", ignore_errors=True)
            for label, command in commands.items():
                cpu, wall = timed(command, environ)
                known = best.get(label, (cpu, wall))
                best[label] = (min(cpu, known[0]), min(wall, known[1]))
        base = best.get("ccusage, one core")
        for label, (cpu, wall) in best.items():
            ratio = f"{wall / base[1]:6.2f} x wall, {cpu / base[0]:5.2f} x CPU" if base else ""
            print(f"{label:<22}{wall:7.2f} s wall {cpu:7.2f} s CPU  {made.bytes / 1e6 / wall:6.0f} MB/s  {ratio}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("agree", "speed"), nargs="?", default="agree")
    parser.add_argument("corpus", nargs="?", type=Path)
    parser.add_argument("--megabytes", type=float, default=500)
    parser.add_argument("--ccusage", default=shutil.which("ccusage"))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.what == "speed":
        speed(given.megabytes, given.ccusage, given.rounds)
        return 0
    corpus = given.corpus or Path(os.environ.get("TALLYBOOK_CORPUS") or ROOT.parent / "shared" / "corpus")
    if not corpus.is_dir():
        print(f"no recorded transcripts at {corpus}; set TALLYBOOK_CORPUS")
        return 2
    return agree(corpus)


if __name__ == "__main__":
    sys.exit(main())
